// Overwrites a bundle again and again, in turn with two contents, until it is killed. `node … FOLDER`
import { writeBundle } from '../write.ts';
import { oldAndNew } from './old-and-new.ts';

const dir = process.argv[2] ?? '';
const contents = oldAndNew();
for (let turn = 0; ; turn++) {
  await writeBundle(dir, contents[turn % 2 === 0 ? 0 : 1]);
  // By then everything is compiled, and a write takes as long as its files do.
  if (turn === 3) process.stdout.write('writing\n');
}
