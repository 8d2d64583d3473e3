// Writes the API reference of all published subpaths to `docs/api/`, which git ignores. Run: npm run docs:api.
// typedoc asks for a TypeScript of its own (6 or older), so it is fetched for this run and is no dependency.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('..', import.meta.url);
const PACKAGES = [
  'typedoc@0.28.20',
  // Parts of options and results are not exported, and documented all the same.
  'typedoc-plugin-missing-exports@4.1.4',
  'typescript@6.0.3',
  '@types/node@20.19.43',
];

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}

const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as Manifest;
const entries = Object.values(manifest.exports).flatMap((target) =>
  typeof target === 'string' ? [] : [target.types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts')],
);
const options = [
  '--out',
  'docs/api',
  '--readme',
  'README.md',
  '--name',
  'bedside',
  // Those that comments here use; @generated is the compiler's of the format.
  ...['@param', '@returns', '@throws', '@deprecated', '@generated'].flatMap((tag) => ['--blockTags', tag]),
  '--excludeExternals',
  '--plugin',
  'typedoc-plugin-missing-exports',
  '--excludeInternal',
  '--excludePrivate',
];
const packages = PACKAGES.flatMap((name) => ['--package', name]);
const { status } = spawnSync(
  'npx',
  ['--yes', ...packages, 'typedoc', ...options, ...process.argv.slice(2), ...entries],
  {
    cwd: fileURLToPath(ROOT),
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
