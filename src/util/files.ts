// Files written whole or not at all: to a temporary name beside the target, then renamed.
import { closeSync, openSync } from 'node:fs';
import { mkdir, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { BedsideError, messageOf } from './errors.ts';
import { clearLeftovers, removedAtExit, temporaryFile } from './leftovers.ts';

/**
 * Writes a file atomically; a reader sees the old content or the new, never a part.
 * Missing parent folders are made.
 * @param mode of the file, from its first byte on; default what the process makes
 * @throws BedsideError E_OUTPUT when the path cannot be written
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string,
  mode?: number,
): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true });
    await throughTemporary(path, (temporary) => writeFile(temporary, content, { flag: 'r+' }), mode);
  } catch (cause) {
    throw BedsideError.is(cause) ? cause : notWritable(path, cause);
  }
}

/**
 * Makes a file under a temporary name in the folder of `path`, has it filled and gives it its name. Whatever happens, the
 * temporary file goes: with the error, with the process, or by the next one that writes there.
 * @param fill gets the name of an empty file
 * @throws BedsideError E_OUTPUT for a device, a pipe or a socket, whose name the file would take; what `fill` and the file
 *   system throw
 */
export async function throughTemporary(
  path: string,
  fill: (temporary: string) => Promise<void>,
  mode?: number,
): Promise<void> {
  await assertReplaceable(path);
  const folder = dirname(path);
  clearLeftovers(folder);
  const temporary = temporaryFile(folder);
  const forget = removedAtExit(temporary);
  try {
    // At once, so that no file can come into being after the process has cleared up.
    closeSync(openSync(temporary, 'wx', mode));
    await fill(temporary);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cause;
  } finally {
    forget();
  }
}

/**
 * Fails early when an output path plainly cannot be written, before long work is spent on its content. Leaves nothing
 * behind, folders included.
 * @throws BedsideError E_OUTPUT
 */
export async function assertWritable(path: string): Promise<void> {
  await assertReplaceable(path);
  const folder = dirname(path);
  const probe = temporaryFile(folder);
  const forget = removedAtExit(probe);
  try {
    const made = await mkdir(folder, { recursive: true });
    try {
      clearLeftovers(folder);
      closeSync(openSync(probe, 'wx'));
    } finally {
      await rm(probe, { force: true });
      if (made !== undefined) await removeEmpty(folder, made);
    }
  } catch (cause) {
    throw notWritable(path, cause);
  } finally {
    forget();
  }
}

/** Folders whose entries stand for parts of the system, such as `/dev/null` and `/dev/stdout`. */
const SYSTEM_FOLDERS = /^\/(dev|proc(\/.*)?|sys(\/.*)?)$/;

/**
 * A rename puts the file in the place of whatever bears the name: of a device, root would lose it for all processes.
 * @throws BedsideError E_OUTPUT for anything but a regular file, or nothing yet
 */
async function assertReplaceable(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (!info) return;
  const folder = await realpath(dirname(path)).catch(() => dirname(resolve(path)));
  const isFile = info.isFile() && !SYSTEM_FOLDERS.test(folder);
  if (isFile) return;
  const kind = info.isDirectory() ? 'a folder' : 'no regular file';
  throw new BedsideError('E_OUTPUT', `cannot write ${path}: it is ${kind}`, {
    hint: 'name a file that is new or may be replaced',
  });
}

/** Removes `folder` and its parents up to `last`, as long as they are empty. */
async function removeEmpty(folder: string, last: string): Promise<void> {
  for (let at = resolve(folder); at.length >= resolve(last).length; at = dirname(at)) {
    const removed = await rmdir(at).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}

function notWritable(path: string, cause: unknown): BedsideError {
  return new BedsideError('E_OUTPUT', `cannot write ${path}: ${messageOf(cause)}`, {
    hint: 'choose an output path in a folder you may write to, that is not itself a folder',
    cause,
  });
}
