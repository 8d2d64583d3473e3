import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { npyArray } from '../npz/npy.ts';
import { writeNpz } from '../npz/npz.ts';
import { labelFacts } from './facts.ts';

it('tells what labels of archives and lists look like, whatever their arrays are called', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-facts-'));
  try {
    const facts = async (name: string, content: string | Uint8Array) => {
      await writeFile(join(folder, name), content);
      return labelFacts(join(folder, name));
    };
    const x = npyArray([2, 1], Float32Array.of(1, 2));
    const values = npyArray([2], Float32Array.of(0.5, -2));
    const npz = (array: string) => writeNpz({ train_x: x, [array]: values });
    for (const array of ['train_values', 'y_train', 'train_targets']) {
      expect(await facts('a.npz', npz(array))).toMatchObject({ shape: [], whole: false, lowest: -2 });
    }
    expect(await facts('none.npz', npz('other'))).toBeUndefined();
    const oneHot = await facts('l.csv', 'file,A,B\n1.png,1,0\n2.png,0,1\n');
    expect(oneHot).toMatchObject({ shape: [2], oneHot: true });
    expect(await facts('l.csv', 'file,label\n1.png,7.5\n')).toMatchObject({ shape: [], whole: false });
    expect(await facts('l.csv', 'file,label\n1.png,sick\n')).toEqual({ shape: [], whole: true });
    expect(await facts('l.csv', 'file,label\n1.png,A|B\n')).toBeUndefined();
  } finally {
    await rm(folder, { recursive: true });
  }
});
