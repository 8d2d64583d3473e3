// Temporary files, folders and child processes, which exist only while this process works. They go when the process ends, on a
// signal too (`main.ts` turns those into an exit), and what a process that was killed could not clear, the next one does.

import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { sha256Of } from './sha256.ts';

/** Numbers of processes mean something on one machine only, so names say which it was. */
const HOST = sha256Of(hostname()).slice(0, 6);

/** `.bedside-<machine>-<process>-<12 hex digits>.tmp`, and folders `bedside-<machine>-<process>-<6 letters>`. */
const FILE = /^\.bedside-([0-9a-f]{6})-(\d{1,10})-[0-9a-f]{12}\.tmp$/;
const FOLDER = /^bedside-([0-9a-f]{6})-(\d{1,10})-\w{6}$/;

const held = new Set<() => void>();
let listens = false;

/**
 * Does this when the process ends, however it ends, but for SIGKILL. What is done must not wait for anything.
 * @returns what forgets it
 */
export function atExit(what: () => void): () => void {
  if (!listens) process.on('exit', clear);
  listens = true;
  held.add(what);
  return () => void held.delete(what);
}

function clear(): void {
  for (const what of held) {
    try {
      what();
    } catch {
      // The next one still has its turn.
    }
  }
  held.clear();
}

/** A name for a temporary file in `folder` that says whose it is. */
export function temporaryFile(folder: string): string {
  return join(folder, `.bedside-${HOST}-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
}

/** The start of the name of a temporary folder, for `mkdtemp`. */
export function temporaryFolder(parent: string): string {
  return join(parent, `bedside-${HOST}-${process.pid}-`);
}

/** Removes a file or a folder with all that is in it when the process ends; the result forgets that. */
export function removedAtExit(path: string): () => void {
  return atExit(() => rmSync(path, { recursive: true, force: true }));
}

const looked = new Set<string>();

/** Does `removeLeftovers` once a folder. */
export function clearLeftovers(folder: string): void {
  if (looked.has(folder)) return;
  looked.add(folder);
  removeLeftovers(folder);
}

/**
 * Removes from a folder what processes of this machine left there that are gone. Nothing else is touched, and nothing is told:
 * what cannot be removed stays.
 */
export function removeLeftovers(folder: string): void {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const [, host, pid] = FILE.exec(name) ?? FOLDER.exec(name) ?? [];
    if (host !== HOST || pid === undefined) continue;
    const path = join(folder, name);
    try {
      if (isLeft(Number(pid), path)) rmSync(path, { recursive: true, force: true });
    } catch {
      // Somebody else's, or just removed by another.
    }
  }
}

/** Whether the process is gone; one that had this process's own number is, if it wrote before this one began. */
function isLeft(pid: number, path: string): boolean {
  if (pid === process.pid) return statSync(path).mtimeMs < Date.now() - 1000 * process.uptime() - 1000;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
