// Files written whole or not at all: to a temporary name beside the target, then renamed.
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BedsideError, messageOf } from './errors.ts';

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
  const temporary = join(folder, `.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, content, mode === undefined ? {} : { mode });
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw notWritable(path, cause);
  }
}

/**
 * Fails early when an output path plainly cannot be written, before long work is spent on its content. Leaves nothing
 * behind, folders included.
 * @throws BedsideError E_OUTPUT
 */
export async function assertWritable(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) {
    throw new BedsideError('E_OUTPUT', `cannot write ${path}: it is a folder`, { hint: 'name a file' });
  }
  const folder = dirname(path);
  const probe = join(folder, `.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const made = await mkdir(folder, { recursive: true });
    try {
      await writeFile(probe, '');
    } finally {
      await rm(probe, { force: true });
      if (made !== undefined) await removeEmpty(folder, made);
    }
  } catch (cause) {
    throw notWritable(path, cause);
  }
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
