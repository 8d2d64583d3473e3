// Results that wait for a server, on disk: each in a file of its own, written whole, which goes only when the server has it. A
// process that is killed loses none of them.
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import { atExit, clearLeftovers, throughTemporary } from '../../util/internal.ts';

/** A result that waits. */
export interface WaitingResult {
  /** Of its file. */
  readonly name: string;
  readonly body: string;
}

/** `<milliseconds since 1970>-<count>-<id of the result>.json`: oldest first, and nothing of a patient. */
const NAME = /^(\d{15})-(\d{6})-([0-9a-f-]{36})\.json$/;
const LOCK = 'lock';
const REFUSED = 'refused';
/** Results name patients, so only this user may read them. */
const [FOLDER_MODE, FILE_MODE] = [0o700, 0o600];

/** Results that wait in a folder. One process uses it at a time. */
export class ResultQueue {
  readonly folder: string;
  readonly #release: () => Promise<void>;
  #names: string[];
  readonly #writing = new Set<string>();
  #count = 0;

  private constructor(folder: string, names: string[], release: () => Promise<void>) {
    this.folder = folder;
    this.#names = names;
    this.#release = release;
  }

  /**
   * Opens a folder, which is made where it is missing, with what an earlier process left waiting.
   * @throws BedsideError E_OUTPUT when it cannot be written; E_BUSY when another process uses it
   */
  static async open(folder: string): Promise<ResultQueue> {
    try {
      await mkdir(join(folder, REFUSED), { recursive: true, mode: FOLDER_MODE });
      clearLeftovers(folder);
      const release = await lock(join(folder, LOCK));
      const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
      return new ResultQueue(folder, names, release);
    } catch (cause) {
      if (BedsideError.is(cause)) throw cause;
      throw notWritable(folder, cause);
    }
  }

  /** How many wait. */
  get waiting(): number {
    return this.#names.length;
  }

  /**
   * Keeps a result until it is delivered. When this resolves it is on the disk. One that waits already is kept once.
   * @param id a UUID
   * @throws BedsideError E_OUTPUT
   */
  async add(id: string, body: string): Promise<void> {
    if (this.#writing.has(id) || this.#names.some((name) => NAME.exec(name)?.[3] === id)) return;
    const at = String(Date.now()).padStart(15, '0');
    const name = `${at}-${String(this.#count++ % 1e6).padStart(6, '0')}-${id}.json`;
    this.#writing.add(id);
    try {
      await writeDurably(join(this.folder, name), body);
      // Only now: whoever delivers must not look for a file that is still written.
      this.#names.push(name);
    } catch (cause) {
      throw notWritable(this.folder, cause);
    } finally {
      this.#writing.delete(id);
    }
  }

  /** The oldest, which stays until `done` or `refuse`; undefined: none waits. One whose file is damaged is set aside. */
  async next(): Promise<WaitingResult | undefined> {
    for (;;) {
      const [name] = this.#names;
      if (name === undefined) return undefined;
      const body = await readFile(join(this.folder, name), 'utf8').catch(() => undefined);
      if (body !== undefined && isJson(body)) return { name, body };
      // Gone by another hand, or not what was written: what follows must not wait for it.
      await this.refuse(name, 'its file is missing or damaged');
    }
  }

  /** The server has it. */
  async done(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
    this.#names = this.#names.filter((own) => own !== name);
  }

  /** The server will not take it: it goes to the folder `refused`, with the reason beside it. */
  async refuse(name: string, why: string): Promise<void> {
    const aside = join(this.folder, REFUSED, name);
    await rename(join(this.folder, name), aside).catch(() => {});
    await writeFile(`${aside}.txt`, `${why}\n`, { mode: FILE_MODE }).catch(() => {});
    this.#names = this.#names.filter((own) => own !== name);
  }

  /** Lets another process use the folder. What waits stays. */
  async close(): Promise<void> {
    await this.#release();
  }
}

/** Writes a file whole, on the disk before it has its name. @throws what the file system throws */
export async function writeDurably(path: string, body: string): Promise<void> {
  await throughTemporary(
    path,
    async (temporary) => {
      const file = await open(temporary, 'r+');
      try {
        await file.writeFile(body);
        await file.datasync();
      } finally {
        await file.close();
      }
    },
    FILE_MODE,
  );
}

/** Takes a lock file. That of a process that is gone is removed. @returns what gives it back */
async function lock(path: string): Promise<() => Promise<void>> {
  for (let tries = 0; tries < 3; tries++) {
    try {
      await writeFile(path, `${process.pid}\n`, { flag: 'wx', mode: FILE_MODE });
      const forget = atExit(() => rmSync(path, { force: true }));
      return async () => {
        forget();
        await rm(path, { force: true });
      };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      if (await isHeld(path)) {
        throw new BedsideError('E_BUSY', 'another process uses this queue of results', {
          hint: `end it, or name another folder; ${path} says its process`,
        });
      }
      // Renamed first, so that of two processes that see the dead lock only one removes it.
      const dead = `${path}.${randomUUID()}`;
      await rename(path, dead).catch(() => {});
      await rm(dead, { force: true });
    }
  }
  throw new BedsideError('E_BUSY', 'other processes open this queue of results', { hint: 'try again' });
}

async function isHeld(path: string): Promise<boolean> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) {
    // A number of a process that is gone may be ours now.
    const written = await stat(path).catch(() => undefined);
    return written !== undefined && written.mtimeMs >= Date.now() - 1000 * process.uptime() - 1000;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function notWritable(folder: string, cause: unknown): BedsideError {
  return new BedsideError('E_OUTPUT', `results cannot be kept in ${folder}: ${messageOf(cause)}`, {
    hint: 'choose a folder that you may write to, with room',
    cause,
  });
}
