// Runs a command under strace, with a home and a temporary folder of its own, and tells what it reached for and what it left.
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a command did beside its work. */
export interface Trace {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Calls that made or used a socket of the internet, or looked a name up; as strace writes them. */
  readonly network: readonly string[];
  /** Files in its home and temporary folder when all had ended. */
  readonly left: readonly string[];
  /** Processes and threads that were watched. */
  readonly tasks: number;
}

export const hasStrace = spawnSync('strace', ['-V']).status === 0;

/** What a look-up of a name reads or asks first, and the socket families of the internet. */
const OUTSIDE = /AF_INET6?\b|AF_PACKET|nscd|resolv\.conf|\/etc\/hosts\b|nsswitch/;

/**
 * Runs a command, and all that it starts, under strace.
 * @param words the program and its arguments
 */
export async function traced(words: readonly string[], cwd: string): Promise<Trace> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-traced-'));
  try {
    const [log, home, temporary] = ['log', 'home', 'tmp'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await Promise.all([mkdir(home), mkdir(temporary)]);
    const options = ['-f', '--seccomp-bpf', '-qq', '-e', 'trace=%network,open,openat', '-o', log];
    const child = spawn('strace', [...options, ...words], {
      cwd,
      // Nothing else: what CI or a person has set may switch off what is looked for.
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr, status] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      new Promise<number | null>((resolve, reject) => child.on('exit', resolve).on('error', reject)),
    ]);
    const calls = (await readFile(log, 'utf8')).split('\n');
    return {
      ...{ status, stdout, stderr },
      network: calls.filter((call) => OUTSIDE.test(call)),
      left: [
        ...(await readdir(home, { recursive: true })),
        ...(await readdir(temporary, { recursive: true })),
      ],
      tasks: new Set(calls.map((call) => call.split(' ')[0])).size,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
