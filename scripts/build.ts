// Builds `dist/` from nothing: compiled sources, their types, a command that can be executed, and the dashboard's pages.
// Run by `npm run build`, and after `npm ci` and before `npm pack` (`dependencies` and `prepack` in package.json).
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
const compiler = join(dirname(manifest), 'bin', 'tsc');

// A module that was renamed must not live on in the package.
rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
const command = join(root, 'dist', 'cli', 'main.js');
if (existsSync(command)) chmodSync(command, 0o755);
const pages = spawnSync(
  process.execPath,
  [join(dirname(fileURLToPath(import.meta.resolve('vite/package.json'))), 'bin', 'vite.js')].concat([
    'build',
    'web',
    '--logLevel',
    'warn',
  ]),
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = status || (pages.status ?? 1);
