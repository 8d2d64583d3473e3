// The package as its users get it: installed into an empty folder, imported and run in clean processes.
// `npm run check:package` packs it and names the tarball; without one there is nothing to install.
import { type ExecFileException, execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TARBALL = process.env.BEDSIDE_TARBALL;

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

describe.skipIf(TARBALL === undefined)('the installed package (npm run check:package)', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'bedside-pack-'));
  const user = join(temporary, 'user');
  const installed = join(user, 'node_modules', 'bedside');
  let unreachable: string | undefined;
  let warnings: readonly string[] = [];

  beforeAll(async () => {
    mkdirSync(user);
    writeFileSync(join(user, 'package.json'), '{"private":true,"type":"module"}\n');
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--fetch-retries=1'];
    const result = await run('npm', ['install', String(TARBALL), ...flags], user);
    const offline = /E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH|NOTCACHED)/.exec(
      result.stderr,
    );
    if (result.status !== 0 && offline) unreachable = `the package registry is unreachable (${offline[0]})`;
    else if (result.status !== 0) throw new Error(`npm install failed:\n${result.stderr}`);
    warnings = result.stderr.split('\n').filter((line) => line.startsWith('npm warn'));
  }, 180_000);

  afterAll(() => rmSync(temporary, { recursive: true, force: true }));

  beforeEach((context) => {
    if (unreachable) context.skip(unreachable);
  });

  it('is installed without a warning', () => {
    // Of an install script that the user has not yet allowed, npm speaks on its own account: the engine's is not needed.
    expect(warnings.filter((line) => !line.startsWith('npm warn install-scripts'))).toEqual([]);
    expect(warnings.filter((line) => line.includes('bedside@'))).toEqual([]);
  });

  it('holds the compiled sources and no others', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    const documents = [
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'docs/glossary.md',
      'examples/fleets/ward.json',
    ];
    expect(files).toEqual(expect.arrayContaining([...documents, 'package.json', 'dist/cli/main.js']));
    const sources = files.filter((file) => /\.test\.|test-support|^src|^scripts|(?<!\.d)\.ts$/.test(file));
    expect(sources.filter((file) => !/^examples\/[^/]+\.ts$/.test(file))).toEqual([]);
  });

  it('has a file and its types for every subpath', () => {
    const { exports } = manifest(installed);
    const subpaths = Object.entries(exports).filter(([subpath]) => subpath !== './package.json');
    expect(subpaths.length).toBeGreaterThan(5);
    for (const [subpath, target] of subpaths) {
      if (typeof target === 'string') throw new Error(`${subpath} has no types`);
      expect(target).toEqual({ types: target.default.replace(/\.js$/, '.d.ts'), default: target.default });
      for (const file of [target.types, target.default]) {
        expect([file, existsSync(join(installed, file))]).toEqual([file, true]);
      }
    }
  });

  it('can be imported by every subpath', async () => {
    const names = specifiers(installed);
    const lines = names.map(
      (name) => `  [${JSON.stringify(name)}]: Object.keys(await import(${JSON.stringify(name)})).length,`,
    );
    writeFileSync(join(user, 'import.js'), `console.log(JSON.stringify({\n${lines.join('\n')}\n}));\n`);
    const { status, stdout, stderr } = await run(process.execPath, ['import.js'], user);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const counts = JSON.parse(stdout) as Record<string, number>;
    expect(Object.keys(counts)).toEqual(names);
    expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
  });

  it('gives its types to TypeScript', async () => {
    const lines = specifiers(installed).map(
      (name, i) => `import * as m${i} from ${JSON.stringify(name)};\nexport const n${i}: object = m${i};`,
    );
    const wrong = `import { BedsideError } from 'bedside';
// @ts-expect-error: types that resolve to \`any\` would let this pass
export const error: number = new BedsideError('E_FILE', 'x');`;
    writeFileSync(join(user, 'use.ts'), `${[...lines, wrong].join('\n')}\n`);
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    const options = [
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--strict',
      '--noEmit',
      '--skipLibCheck',
      'false',
      '--typeRoots',
      join(ROOT, 'node_modules', '@types'),
      '--types',
      'node',
    ];
    const { status, stdout } = await run(tsc, [...options, 'use.ts'], user);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it('runs its command', async () => {
    const command = join(user, 'node_modules', '.bin', 'bedside');
    const help = await run(command, ['--help'], user);
    expect({ status: help.status, stderr: help.stderr }).toEqual({ status: 0, stderr: '' });
    expect(help.stdout).toContain('bedside');
    const version = await run(command, ['--version'], user);
    expect(version).toEqual({ status: 0, stdout: `${manifest(installed).version}\n`, stderr: '' });
  });

  it('inspects the model it ships', async () => {
    const command = join(user, 'node_modules', '.bin', 'bedside');
    const model = join('node_modules', 'bedside', 'models', 'ecg-demo.onnx');
    const { status, stdout } = await run(command, ['inspect', model, '--json'], user);
    expect(status).toBe(0);
    const told = JSON.parse(stdout) as { macs: number; layers: unknown[] };
    expect(told.macs).toBeGreaterThan(0);
    expect(told.layers.length).toBeGreaterThan(0);
  });
});

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** What users write to import each subpath that is code. */
function specifiers(folder: string): string[] {
  const subpaths = Object.keys(manifest(folder).exports).filter((subpath) => subpath !== './package.json');
  return subpaths.map((subpath) => `bedside${subpath.slice(1)}`);
}

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program as from a plain shell: without what `npm test` and the test runner add to the environment. */
async function run(program: string, args: readonly string[], cwd: string): Promise<Result> {
  const added =
    /^(npm_(package|lifecycle|config_local_prefix)|INIT_CWD|NODE_OPTIONS|NODE_ENV|VITEST|FORCE_COLOR)/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !added.test(name)));
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { cwd, env, timeout: 150_000, maxBuffer: 2 ** 24 },
      (error: ExecFileException | null, stdout, stderr) => {
        if (error && typeof error.code !== 'number')
          reject(new Error(`${program} ${args.join(' ')}: ${error.message}`));
        else resolve({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}
