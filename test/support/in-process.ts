// The compiled command line within the process of the test: what a process of its own would say, without the time to start one.
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Run } from './cli.ts';

type Write = typeof process.stdout.write;

/** One command at a time: folder, output and exit status are the process'. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs `bedside` with these words in this folder.
 * @param main the compiled entry
 */
export function runHere(main: string, words: readonly string[], cwd: string): Promise<Run> {
  const run = turn.then(() => runNow(main, words, cwd));
  turn = run.catch(() => {});
  return run;
}

async function runNow(main: string, words: readonly string[], cwd: string): Promise<Run> {
  const program = pathToFileURL(join(dirname(main), 'program.js')).href;
  const { runCommandLine } = (await import(/* @vite-ignore */ program)) as {
    runCommandLine: (words: readonly string[]) => Promise<number>;
  };
  const { stdout, stderr, exitCode } = process;
  const before = {
    folder: process.cwd(),
    debug: process.env.BEDSIDE_DEBUG,
    out: stdout.write,
    err: stderr.write,
  };
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err'): Write =>
    ((chunk: string | Uint8Array, ...rest: readonly unknown[]) => {
      said[stream] += String(chunk);
      const done = rest.find((one) => typeof one === 'function') as (() => void) | undefined;
      done?.();
      return true;
    }) as Write;
  process.chdir(cwd);
  delete process.env.BEDSIDE_DEBUG;
  process.exitCode = undefined;
  stdout.write = into('out');
  stderr.write = into('err');
  try {
    const status = await runCommandLine(words);
    return { status: Number(process.exitCode ?? status), stdout: said.out, stderr: said.err };
  } finally {
    stdout.write = before.out;
    stderr.write = before.err;
    process.exitCode = exitCode;
    if (before.debug !== undefined) process.env.BEDSIDE_DEBUG = before.debug;
    process.chdir(before.folder);
  }
}
