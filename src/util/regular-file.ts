// The one door to files that are read: regular files only, so that a pipe, a device or a socket is refused by name and
// never waited for; read by ranges, so that files above 2 GiB are read too, and never more than fits in memory.
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { availableMemory } from './available-memory.ts';
import { BedsideError, messageOf } from './errors.ts';
import { formatBytes } from './format.ts';

// One read call gives at most 2 GiB less a byte; smaller pieces keep the event loop going.
const PIECE = 64 * 2 ** 20;
// Large enough that calls do not count.
const STREAMED = 2 ** 20;
// Opening a pipe for reading otherwise waits for its writer; Windows has neither.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A regular file, open for reading. */
export class RegularFile {
  readonly path: string;
  /** The kind of file, for error messages: `model`, `dataset`. */
  readonly what: string;
  /** Bytes, as they were when it was opened. */
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, what: string, size: number, handle: FileHandle) {
    this.path = path;
    this.what = what;
    this.size = size;
    this.#handle = handle;
  }

  /**
   * Opens a file; whoever opens it closes it.
   * @param what it is, for error messages
   * @throws BedsideError E_FILE when it is missing, unreadable, a folder, a pipe, a socket or a device
   */
  static async open(path: string, what: string): Promise<RegularFile> {
    let handle: FileHandle | undefined;
    try {
      // Asked before opening, since opening some devices does something; and after, since paths can change.
      assertRegular(await stat(path), path, what);
      handle = await open(path, FLAGS);
      const info = await handle.stat();
      assertRegular(info, path, what);
      return new RegularFile(path, what, info.size, handle);
    } catch (cause) {
      await handle?.close().catch(() => {});
      throw BedsideError.is(cause) ? cause : unreadable(path, what, cause);
    }
  }

  /**
   * The bytes from `start` up to `end`, both within the file's size.
   * @throws BedsideError E_FILE when the file has become shorter, cannot be read, or memory does not hold the range
   */
  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = allocate(end - start, this);
    await this.#fill(bytes, start);
    return bytes;
  }

  /**
   * The pieces of the range one after another, each of at most `most` bytes. A piece is valid until the next is asked for:
   * they share their memory.
   * @throws as `read`
   */
  async *pieces(start: number, end: number, most = STREAMED): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const memory = allocate(Math.max(0, Math.min(most, end - start)), this);
    for (let at = start; at < end; at += most) {
      const piece = memory.subarray(0, Math.min(most, end - at));
      await this.#fill(piece, at);
      yield piece;
    }
  }

  async #fill(bytes: Uint8Array, start: number): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, Math.min(at + PIECE, bytes.length));
      const { bytesRead } = await this.#handle
        .read(piece, 0, piece.length, start + at)
        .catch((cause: unknown) => {
          throw unreadable(this.path, this.what, cause);
        });
      if (bytesRead === 0) {
        throw new BedsideError('E_FILE', `${this.what} ${this.path} became shorter while it was read`, {
          hint: 'wait until whatever writes the file is done, then try again',
        });
      }
      at += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Limits on a file. */
export interface ReadLimit {
  /** Bytes; a larger file is refused before it is read. Default: what memory holds. */
  readonly maxBytes?: number | undefined;
  /** A file of 0 bytes is read as such, instead of being refused. */
  readonly mayBeEmpty?: boolean | undefined;
}

/**
 * Reads a regular file whole; it must exist and, unless told otherwise, not be empty.
 * @param what it is, for error messages
 * @throws BedsideError E_FILE, also for pipes, sockets, devices and files above the limit
 */
export async function readFileChecked(
  path: string,
  what: string,
  { maxBytes, mayBeEmpty = false }: ReadLimit = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await RegularFile.open(path, what);
  try {
    if (file.size === 0 && !mayBeEmpty) {
      throw new BedsideError('E_FILE', `${what} ${path} is empty`, {
        hint: 'the file has 0 bytes; copy or download it again',
      });
    }
    if (maxBytes !== undefined && file.size > maxBytes) {
      throw new BedsideError(
        'E_FILE',
        `${what} ${path} has ${formatBytes(file.size)}, more than the ${formatBytes(maxBytes)} that are read`,
        { hint: `check the path: this is hardly a ${what}` },
      );
    }
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

/** The longest text that is read: fleets, credentials and the like have kilobytes, traces megabytes. */
export const MAX_TEXT_BYTES = 256 * 2 ** 20;

/**
 * Reads a regular file of text, UTF-8, of at most 256 MiB.
 * @throws BedsideError as `readFileChecked`
 */
export async function readTextChecked(path: string, what: string): Promise<string> {
  return new TextDecoder().decode(await readFileChecked(path, what, { maxBytes: MAX_TEXT_BYTES }));
}

/** @throws BedsideError E_FILE, saying what it is instead */
function assertRegular(info: Stats, path: string, what: string): void {
  if (info.isFile()) return;
  const kind = info.isDirectory()
    ? 'a folder'
    : info.isFIFO()
      ? 'a pipe'
      : info.isSocket()
        ? 'a socket'
        : info.isCharacterDevice() || info.isBlockDevice()
          ? 'a device'
          : 'not a regular file';
  const hint = info.isDirectory()
    ? 'check the path; relative paths start at the current folder'
    : 'only regular files are read: save what it gives to a file, and name that';
  throw new BedsideError('E_FILE', `cannot read ${what} ${path}: it is ${kind}`, { hint });
}

function allocate(size: number, { path, what }: RegularFile): Uint8Array<ArrayBuffer> {
  const room = availableMemory();
  if (size <= room) {
    try {
      return new Uint8Array(size);
    } catch {
      // Beyond what one array can hold: said below.
    }
  }
  throw new BedsideError(
    'E_FILE',
    `cannot read ${what} ${path}: ${formatBytes(size)} at once are more than memory holds (${formatBytes(room)} are free)`,
    { hint: 'check the path; or use a machine with more memory' },
  );
}

function unreadable(path: string, what: string, cause: unknown): BedsideError {
  const { code } = cause as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(cause);
  return new BedsideError('E_FILE', `cannot read ${what} ${path}: ${why}`, {
    hint: 'check the path; relative paths start at the current folder',
    cause,
  });
}
