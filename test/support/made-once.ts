// What several test files need and none changes, made once for the sources as they are: kept below node_modules/.cache,
// under a hash of all that it may depend on, so that the next run finds it too.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const CACHE = join(ROOT, 'node_modules', '.cache', 'bedside-tests');

/** What is older, and of other sources, is removed. */
const HOUR_MS = 3_600_000;

let known: string | undefined;

/**
 * The folder that `make` has filled, by this or another process. Tests must not write into it.
 * @param name of the thing, a file's name
 * @param make is given an empty folder that is renamed when it returns
 */
export async function madeOnce(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  known ??= hashOfSources();
  const own = join(CACHE, known);
  const folder = join(own, name);
  if (existsSync(folder)) return folder;
  await mkdir(own, { recursive: true });
  await clearOld(own);
  const lock = `${folder}.lock`;
  while (!(await isTaken(lock))) {
    if (existsSync(folder)) return folder;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  try {
    if (existsSync(folder)) return folder;
    const draft = await mkdtemp(join(own, '.draft-'));
    try {
      await make(draft);
      await rename(draft, folder);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return folder;
  } finally {
    await rm(lock, { force: true });
  }
}

/** Whether the lock is now ours. One of a process that has died is removed. */
async function isTaken(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true });
    return false;
  }
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function clearOld(own: string): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const path = join(CACHE, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (path !== own && Date.now() - mtimeMs > HOUR_MS) await rm(path, { recursive: true, force: true });
  }
}

function hashOfSources(): string {
  const hash = createHash('sha256').update(process.version);
  const add = (path: string): void => {
    const full = join(ROOT, path);
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) add(join(path, name));
    } else if (!path.endsWith('.test.ts')) hash.update(path).update('\0').update(readFileSync(full));
  };
  const lone = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
  for (const path of [
    'src',
    'models',
    'examples',
    'test/support',
    'web/src',
    'web/public',
    'web/index.html',
    ...lone,
  ])
    add(path);
  return hash.digest('hex').slice(0, 24);
}
