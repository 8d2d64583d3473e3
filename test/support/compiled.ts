// The sources as JavaScript, for processes and threads that tests start: Node runs them without a loader for TypeScript,
// which takes each of them more than a second of the processor.
import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { madeOnce, ROOT } from './made-once.ts';

/** What processes run, and the package does not have. Whatever these import is compiled too, and must lie in `src/`. */
const PROCESSES = [
  'src/bundle/test-support/write-forever.ts',
  'src/run/nats/test-support/client-process.ts',
  'src/run/nats/test-support/worker-process.ts',
];

let made: Promise<string> | undefined;

/** The folder that stands for `src/`, compiled once for all test files: an older `dist/` plays no part. */
export function compiledSources(): Promise<string> {
  made ??= madeOnce('cli', compile).then((folder) => join(folder, 'dist'));
  return made;
}

/** The compiled file of a source. @param source its `file:` URL */
export async function compiledFile(source: string): Promise<string> {
  const path = relative(join(ROOT, 'src'), fileURLToPath(source));
  return join(await compiledSources(), path.replace(/\.ts$/, '.js'));
}

async function compile(folder: string): Promise<void> {
  const compiler = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  );
  const project = join(folder, 'tsconfig.json');
  const settings = {
    extends: join(ROOT, 'tsconfig.build.json'),
    // Types are the business of `npm run check`.
    compilerOptions: { noCheck: true, declaration: false, outDir: join(folder, 'dist') },
    include: [join(ROOT, 'src')],
    exclude: ['src/**/*.test.ts', 'src/**/test-support/**'].map((pattern) => join(ROOT, pattern)),
    files: PROCESSES.map((path) => join(ROOT, path)),
  };
  await writeFile(project, JSON.stringify(settings));
  await promisify(execFile)(process.execPath, [compiler, '-p', project], { cwd: ROOT });
  for (const name of ['package.json', 'models', 'examples'])
    await symlink(join(ROOT, name), join(folder, name));
}
