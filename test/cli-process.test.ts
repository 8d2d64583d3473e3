// The command line as a process: interrupted, and read by someone who stops reading.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeBundle } from '../src/bundle/internal.ts';
import { contentsOf } from '../src/bundle/test-support/contents.ts';
import { canonicalGraph } from '../src/onnx/internal.ts';
import { type Cli, compileCli, smallData, smallModel } from './support/cli.ts';
import { isAlive, ROOT } from './support/made-once.ts';

let cli: Cli;
beforeAll(async () => {
  cli = await compileCli();
});

describe('the process', { timeout: 120_000 }, () => {
  let folder: string;
  let given: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-process-'));
    given = await mkdtemp(join(tmpdir(), 'bedside-process-'));
    await writeBundle(join(given, 'bundle'), contentsOf(canonicalGraph(smallModel()), { seconds: true }));
    await writeFile(join(given, 'data.npz'), smallData(6));
  });
  afterAll(async () => {
    for (const dir of [folder, given]) await rm(dir, { recursive: true, force: true });
  });

  it('ends with 130 on an interrupt, in the middle of work, and leaves no part of a file', async () => {
    const child = cli.spawn(['demo'], folder);
    const text: string[] = [];
    child.stderr?.on('data', (chunk) => text.push(String(chunk)));
    child.stdout?.once('data', () => child.kill('SIGINT'));
    const [status] = await once(child, 'exit');
    expect(status).toBe(130);
    expect(text.join('')).toContain('bedside: interrupted');
    expect(text.join('')).not.toMatch(/^\s+at /m);
    expect(await readdir(folder, { recursive: true })).toEqual([]);
  });

  it.each([
    ['--version', 0],
    ['inspect none.onnx', 1],
    ['inspect --nope', 2],
  ])(
    "%s: its exit status is the command's, and it says the same as within a process",
    async (words, code) => {
      const [alone, here] = [
        await cli.runProcess(words.split(' '), folder),
        await cli.run(words.split(' '), folder),
      ];
      expect(alone).toEqual(here);
      expect(alone.status).toBe(code);
      expect(alone.stdout === '').toBe(code > 0);
    },
  );

  it('says the same file by file, as the package has it, as bundled for the other tests', async () => {
    const words = ['evaluate', 'bundle', '--levels', '0,0', '--data', 'data.npz', '--json', '--threads', '1'];
    const loader = ['--import', import.meta.resolve('tsx'), join(ROOT, 'src', 'cli', 'main.ts')];
    const { stdout } = await promisify(execFile)(process.execPath, [...loader, ...words], { cwd: given });
    const { msPerSample: _, ...apart } = JSON.parse(stdout);
    const { msPerSample: __, ...bundled } = JSON.parse((await cli.run(words, given)).stdout);
    expect(apart).toEqual(bundled);
  });

  // The signals of a closed terminal, of Ctrl-C before a command's own handler, and of `kill`.
  it.runIf(process.platform === 'linux').each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'on %s while its workers start ends with %d: none of them stays, nor their folder',
    async (signal, status) => {
      const temporary = await mkdtemp(join(given, 'tmp-'));
      const child = cli.spawn(['infer', 'bundle', '--data', 'data.npz', '--workers', '2', '--quiet'], given, {
        TMPDIR: temporary,
      });
      const text: string[] = [];
      child.stderr?.on('data', (chunk) => text.push(String(chunk)));
      let workers: number[] = [];
      while (workers.length === 0 && child.exitCode === null) {
        await sleep(5);
        workers = await childrenOf(child.pid ?? 0);
      }
      expect(await readdir(temporary)).toHaveLength(1);
      child.kill(signal);
      const [ended] = await once(child, 'exit');
      expect({ ended, text: text.join('').replace(/\s*bedside: (interrupted|terminated)\s*/, '') }).toEqual({
        ended: status,
        text: '',
      });
      expect(await readdir(temporary, { recursive: true })).toEqual([]);
      expect(workers.length).toBeGreaterThan(0);
      await expect.poll(() => workers.filter(isAlive), { timeout: 20_000 }).toEqual([]);
    },
  );

  it('ends quietly when nobody reads its output any more', async () => {
    const child = cli.spawn(['--help'], folder);
    const text: string[] = [];
    child.stderr?.on('data', (chunk) => text.push(String(chunk)));
    child.stdout?.destroy();
    const [status] = await once(child, 'exit');
    expect({ status, text: text.join('') }).toEqual({ status: 0, text: '' });
  });
});

/** Processes that this one started and that live, by the list that Linux keeps. */
async function childrenOf(pid: number): Promise<number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return list.trim().split(' ').filter(Boolean).map(Number);
}
