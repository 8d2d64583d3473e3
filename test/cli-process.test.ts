// The command line as a process: interrupted, and read by someone who stops reading.
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cli, compileCli } from './support/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = await compileCli();
});

describe('the process', { timeout: 120_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-process-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

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

  it('ends quietly when nobody reads its output any more', async () => {
    const child = cli.spawn(['--help'], folder);
    const text: string[] = [];
    child.stderr?.on('data', (chunk) => text.push(String(chunk)));
    child.stdout?.destroy();
    const [status] = await once(child, 'exit');
    expect({ status, text: text.join('') }).toEqual({ status: 0, text: '' });
  });
});
