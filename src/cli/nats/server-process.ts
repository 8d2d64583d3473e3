// The process of a cluster's server, as `bedside cluster up` wrote it down in the cluster's folder: who comes later finds a
// server that runs without the command that started it.
import { spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { loadNats } from '../../run/index.ts';
import { writeFileAtomic } from '../../util/index.ts';

const FILE = 'running.json';

const SCHEMA = z.object({
  /** Of the server. */
  pid: z.int().positive(),
  /** Of the `bedside cluster up` that stops it when it is told to stop. */
  by: z.int().positive(),
});

/** A running server of a cluster. */
export interface ServerProcess {
  readonly pid: number;
  readonly by: number;
  /** The command that started it is gone. */
  readonly isLeft: boolean;
}

/** Notes that this process looks after the server. */
export async function writeProcess(dir: string, pid: number): Promise<void> {
  await writeFileAtomic(join(dir, FILE), `${JSON.stringify({ pid, by: process.pid })}\n`);
}

export async function removeProcess(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true });
}

/** The server that runs with the configuration in this folder; undefined where there is none, or nobody wrote it down. */
export async function readProcess(dir: string): Promise<ServerProcess | undefined> {
  const text = await readFile(join(dir, FILE), 'utf8').catch(() => '');
  const { success, data } = SCHEMA.safeParse(parsed(text));
  if (!success || !(await isServerOf(dir, data.pid))) return undefined;
  const words = await wordsOf(data.by);
  return { ...data, isLeft: !(words.includes('cluster') && words.includes('up')) };
}

/** Whether a process is the server of this folder, and not another one that has its number now. */
export async function isServerOf(dir: string, pid: number): Promise<boolean> {
  const { SERVER_CONFIG } = await loadNats();
  const [command = '', ...words] = await wordsOf(pid);
  return basename(command).startsWith('nats-server') && words.join(' ').includes(join(dir, SERVER_CONFIG));
}

/** What a process was started with; nothing for one that is not there, or has ended. */
async function wordsOf(pid: number): Promise<string[]> {
  const told = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (told !== undefined) return told.split('\0').filter((word) => word !== '');
  if (process.platform === 'linux' || process.platform === 'win32') return [];
  const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  return (stdout ?? '').split(/\s+/).filter((word) => word !== '');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
