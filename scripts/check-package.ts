// Packs the package and checks what users get: `publint` for package.json and its files, `attw` for the types of every
// subpath. Types are checked for ES modules, the only kind there is. Then it is installed into an empty folder, imported and
// run (test/installed-package.test.ts). Run after a build: npm run check:package. What else is given is for Vitest.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bedside-check-package-'));
try {
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack wrote no tarball');
  process.env.BEDSIDE_TARBALL = join(folder, tarball);
  run('npx', ['--no-install', 'publint', 'run', join(folder, tarball), '--strict']);
  run('npx', [
    '--no-install',
    'attw',
    join(folder, tarball),
    '--profile',
    'esm-only',
    '--format',
    'ascii',
    '--no-emoji',
  ]);
  run('npx', ['vitest', 'run', 'test/installed-package.test.ts', ...process.argv.slice(2)]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run(program: string, args: readonly string[]): void {
  const { status } = spawnSync(program, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exitCode = 1;
}
