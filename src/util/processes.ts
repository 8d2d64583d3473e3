// Processes of this machine, by their numbers.
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** The number of this process. */
export const OWN_PID = process.pid;

/** The command and arguments that a process was started with; empty for one that is not there, or has ended. */
export async function commandLineOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (text !== undefined) return text.split('\0').filter((word) => word !== '');
  if (process.platform === 'linux' || process.platform === 'win32') return [];
  const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  return (stdout ?? '').split(/\s+/).filter((word) => word !== '');
}

/** Signals a process; does nothing where it has just ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
