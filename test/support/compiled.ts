// The sources as JavaScript, for processes and threads that tests start: Node runs them without a loader for TypeScript,
// which takes each of them more than a second of the processor. They are bundled, since half of the time that a process
// takes to start is the loading of hundreds of files; `cli-process.test.ts` and `npm run check:package` run them as they
// are.
import { readFile, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { madeOnce, ROOT } from './made-once.ts';

const SRC = join(ROOT, 'src');

/** What processes and threads run, and what tests import of the compiled files. */
const ENTRIES = [
  'app/outlook/thread.ts',
  'bundle/test-support/write-forever.ts',
  'cli/main.ts',
  'cli/program.ts',
  'cli/terminal/signals.ts',
  'engine/index.ts',
  'engine/thread/thread.ts',
  'pack/threads/thread.ts',
  'plan/worker/thread.ts',
  'prune/obs/ranking-thread.ts',
  'repair/threads/thread.ts',
  'run/local/child.ts',
  'run/nats/test-support/client-process.ts',
  'run/nats/test-support/worker-process.ts',
  'util/files.ts',
  'util/leftovers.ts',
];

/** Packages of many modules that every process loads. The others stay where they are. */
const INSIDE = /^(fflate|zod|@bufbuild\/protobuf)(\/|$)/;

let made: Promise<string> | undefined;

/** The folder that stands for `src/`, compiled once for all test files: an older `dist/` plays no part. */
export function compiledSources(): Promise<string> {
  made ??= madeOnce('cli', compile).then((folder) => join(folder, 'dist'));
  return made;
}

/** The compiled file of a source, one of the entries. @param source its `file:` URL */
export async function compiledFile(source: string): Promise<string> {
  const path = relative(SRC, fileURLToPath(source));
  if (!ENTRIES.includes(path)) throw new Error(`${path} is no entry of compiled.ts`);
  return join(await compiledSources(), path.replace(/\.ts$/, '.js'));
}

async function compile(folder: string): Promise<void> {
  await build({
    entryPoints: ENTRIES.map((path) => join(SRC, path)),
    outbase: SRC,
    outdir: join(folder, 'dist'),
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20.19' },
    // Of package.json's `sideEffects`, which speaks of `dist/`.
    ignoreAnnotations: true,
    plugins: [asIfUnbundled],
    logLevel: 'error',
  });
  for (const name of ['package.json', 'models', 'examples'])
    await symlink(join(ROOT, name), join(folder, name));
}

/** Modules know their own place below `dist/`, and load the engine when its turn comes and not before all of a file. */
const asIfUnbundled: Plugin = {
  name: 'as if unbundled',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path }) => {
      if (path === 'onnxruntime-node') return { path, namespace: 'engine' };
      return INSIDE.test(path) ? undefined : { path, external: true };
    });
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const own = JSON.stringify(relative(SRC, path).replace(/\.ts$/, '.js'));
      const url = `(import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + 6) + ${own})`;
      const text = await readFile(path, 'utf8');
      const threads = [...text.matchAll(/startThread\(\s*import\.meta\.url,\s*'([\w-]+)'/g)];
      const missing = threads
        .map(([, name]) => relative(SRC, join(dirname(path), `${name}.ts`)))
        .filter((entry) => !ENTRIES.includes(entry));
      if (missing.length > 0) return { errors: missing.map((one) => ({ text: `${one} is no entry` })) };
      return { contents: text.replaceAll('import.meta.url', url), loader: 'ts' };
    });
    onLoad({ filter: /./, namespace: 'engine' }, ({ path }) => ({
      contents: `import { createRequire } from 'node:module';
        export const { env, InferenceSession, Tensor } = createRequire(import.meta.url)('${path}');`,
    }));
  },
};
