// Processes with a home and a temporary folder of their own: what the runtime leaves there tells whether its telemetry began.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeModel } from 'bedside/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatConstant, GraphBuilder } from '../src/onnx/internal.ts';
import { compileCli } from './support/cli.ts';

/** The compiled engine. */
let engine: string;
beforeAll(async () => {
  const { main } = await compileCli();
  engine = JSON.stringify(pathToFileURL(join(dirname(main), '..', 'engine', 'index.js')).href);
});

/** Adds one to its input. */
function bytes(): string {
  const builder = new GraphBuilder();
  const one = builder.constant(floatConstant(new Float32Array([1]), [1]));
  builder.output(builder.node('Add', [builder.input('x', [1]), one]), [1]);
  return `Buffer.from('${Buffer.from(writeModel(builder.model())).toString('base64')}', 'base64')`;
}

const open = (): string => `const { createSession, tensor } = await import(${engine});
const session = await createSession(${bytes()}, { name: 'm' });
const result = await session.run({ x: tensor(new Float32Array([1]), [1]) });
console.log(Object.values(result)[0].data[0]);`;

/** `code` in a worker thread, whose copy of the environment says anything. */
const inThread = (code: string): string =>
  `const { Worker } = await import('node:worker_threads');
const code = ${JSON.stringify(`(async () => { ${code} })().catch((error) => console.log(error.code, error.message));`)};
await new Promise((resolve) => new Worker(code, { eval: true, env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' } }).on('exit', resolve));`;

describe("the runtime's telemetry", { timeout: 120_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-telemetry-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs a module; what it printed, and the files that it left. */
  async function run(code: string, variable?: string): Promise<{ printed: string; left: string[] }> {
    const home = await mkdtemp(join(folder, 'home-'));
    // Nothing else: the runtime sends nothing where `CI` is set either.
    const env = {
      PATH: process.env.PATH,
      ...(variable === undefined ? {} : { ORT_DISABLE_TELEMETRY: variable }),
      ...{ HOME: home, XDG_CACHE_HOME: join(home, 'cache'), TMPDIR: home },
    };
    const words = ['--input-type=module', '--eval', code];
    const printed = await new Promise<string>((resolve) => {
      execFile(process.execPath, words, { env, cwd: import.meta.dirname }, (_error, out, err) =>
        resolve(out + err),
      );
    });
    return { printed: printed.trim(), left: await readdir(home, { recursive: true }) };
  }

  it('begins where nobody switches it off, and would leave files', async (context) => {
    context.skip(process.platform !== 'linux', 'which files is known of Linux');
    const code = `import ort from 'onnxruntime-node'; await ort.InferenceSession.create(${bytes()});`;
    expect((await run(code)).left).toContain('.ses');
  });

  it.each([
    ['nothing is said', undefined],
    ['the environment says otherwise', '0'],
  ])('never begins where %s', async (_, variable) => {
    expect(await run(open(), variable)).toEqual({ printed: '2', left: [] });
  });

  it('is no matter for who loads the runtime first and opens nothing', async () => {
    expect(await run(`await import('onnxruntime-node'); ${open()}`)).toEqual({ printed: '2', left: [] });
  });

  it('ends the use of the engine where it runs already', async (context) => {
    context.skip(process.platform !== 'linux', 'which files is known of Linux');
    const other = `const ort = await import('onnxruntime-node'); await ort.InferenceSession.create(${bytes()});`;
    const { printed } = await run(
      `${other} try { ${open()} } catch (error) { console.log(error.code, error.message); }`,
    );
    expect(printed).toBe('E_ENGINE ONNX Runtime would send telemetry from this process: it runs already');
  });

  it('ends the use of the engine in a thread that has only a copy of the environment', async () => {
    const { printed, left } = await run(inThread(open()));
    expect({ printed, left }).toEqual({
      printed:
        'E_ENGINE ONNX Runtime would send telemetry from this process: it cannot be switched off from here: a worker thread has a copy of the environment',
      left: [],
    });
  });

  it('is off in a thread whose process has switched it off', async () => {
    expect(await run(`await import(${engine}); ${inThread(open())}`)).toEqual({ printed: '2', left: [] });
  });

  it('of the libraries for Windows has no address, as SECURITY.md says; that of this system shows that one would be found', async () => {
    const bin = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
    const has = async (path: string): Promise<boolean> => {
      const library = await readFile(join(bin, 'bin', 'napi-v6', path));
      return [library.includes('OneCollector'), library.includes('events.data.microsoft')].some(Boolean);
    };
    if (process.platform === 'linux') {
      expect(await has(`linux/${process.arch}/libonnxruntime.so.1`)).toBe(true);
    }
    for (const path of ['x64', 'arm64'].map((arch) => `win32/${arch}/onnxruntime.dll`)) {
      expect([path, await has(path)]).toEqual([path, false]);
    }
  });
});
