// Runs the command line in this process and keeps what it writes: many short runs without a process each.
import { runCommandLine } from '../program.ts';

/** What a command line wrote and its exit status. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bedside` with these words. One at a time: the streams are the process's own. */
export async function runHere(words: readonly string[]): Promise<Ran> {
  const [out, err] = [process.stdout.write, process.stderr.write];
  const [stdout, stderr]: [string[], string[]] = [[], []];
  process.stdout.write = ((chunk: unknown) => stdout.push(String(chunk)) > 0) as typeof out;
  process.stderr.write = ((chunk: unknown) => stderr.push(String(chunk)) > 0) as typeof err;
  try {
    const status = await runCommandLine(words);
    return { status, stdout: stdout.join(''), stderr: stderr.join('') };
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
  }
}
