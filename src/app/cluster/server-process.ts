// The process of a cluster's server, written down in the cluster's folder. So a later process finds a server whose starter is
// gone.
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { loadNats } from '../../run/index.ts';
import { writeFileAtomic } from '../../util/index.ts';
import { commandLineOf, OWN_PID } from '../../util/internal.ts';

const FILE = 'running.json';

const SCHEMA = z.object({
  /** Number of the server's process. */
  pid: z.int().positive(),
  /** Number of the process that stops the server when it is itself asked to stop. */
  by: z.int().positive(),
  /** The command line of that process; absent in files of earlier versions, which only `bedside cluster up` wrote. */
  command: z.string().optional(),
});

/** A running server of a cluster, and the process that looks after it. */
export interface ServerProcess {
  readonly pid: number;
  readonly by: number;
  /** The process that started it is gone. */
  readonly isLeft: boolean;
}

/** Writes down that this process looks after the server. */
export async function writeProcess(dir: string, pid: number): Promise<void> {
  const command = (await commandLineOf(OWN_PID)).join(' ');
  await writeFileAtomic(join(dir, FILE), `${JSON.stringify({ pid, by: OWN_PID, command })}\n`);
}

export async function removeProcess(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true });
}

/** The server that runs with the configuration in this folder; undefined where none runs, or none was written down. */
export async function readProcess(dir: string): Promise<ServerProcess | undefined> {
  const text = await readFile(join(dir, FILE), 'utf8').catch(() => '');
  const { success, data } = SCHEMA.safeParse(parsed(text));
  if (!success || !(await isServerOf(dir, data.pid))) return undefined;
  const { pid, by, command } = data;
  return { pid, by, isLeft: !(await isStarter(by, command)) };
}

/** Whether a process is the server of this folder, and not another one that has its number now. */
export async function isServerOf(dir: string, pid: number): Promise<boolean> {
  const { SERVER_CONFIG } = await loadNats();
  const [command = '', ...words] = await commandLineOf(pid);
  return basename(command).startsWith('nats-server') && words.join(' ').includes(join(dir, SERVER_CONFIG));
}

/** Whether a process is the one that started the server, and not another one that has its number now. */
async function isStarter(pid: number, command: string | undefined): Promise<boolean> {
  const words = await commandLineOf(pid);
  if (command !== undefined) return words.length > 0 && words.join(' ') === command;
  return words.includes('cluster') && words.includes('up');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
