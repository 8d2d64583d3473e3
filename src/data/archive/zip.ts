// Reading members of a zip archive: stored or deflated, zip64 as NumPy writes it, checked by size and CRC. From memory
// at once, or from a file by ranges and in pieces. No encryption, no volumes. Layout: PKWARE APPNOTE 6.3.
import { crc32 } from 'node:zlib';
import { inflateSync } from 'fflate';
import { BedsideError, messageOf } from '../../util/index.ts';
import type { ByteSource } from './byte-source.ts';

/** One member of an archive, not yet unpacked. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Offset of its local header. */
  readonly offset: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
export const STORED = 0;
export const DEFLATED = 8;
// One bit of deflate yields at most 258 bytes by 2 bits: 1032 to 1, and a few bytes for the block's ends.
const MAX_RATIO = 1032;
// The end record has 22 bytes and a comment of at most 65535; before it may be zip64's locator (20) and record (56).
const TAIL = 22 + 65535 + 20 + 56;
// A directory names members in at most 46 + 3 times 65535 bytes each; archives of arrays have few.
const MAX_DIRECTORY = 256 * 2 ** 20;

/**
 * The archive's directory, in its own order.
 * @param most members; more are refused before any is read
 * @throws BedsideError E_DATA when this is not a whole zip archive, or its members lie over each other; E_TOO_LARGE
 */
export function listZip(archive: Uint8Array, name: string, most = Number.POSITIVE_INFINITY): ZipEntry[] {
  const { count, offset, end } = findDirectory(viewOf(archive), 0, name);
  if (count > most) {
    throw new BedsideError('E_TOO_LARGE', `${name} has ${count} members, at most ${most}`, {
      hint: 'send it in parts',
    });
  }
  return parseDirectory(archive.subarray(offset, end), { count, offset }, name);
}

/**
 * The same from a file, of which only the end and the directory are read.
 * @throws BedsideError as `listZip`; E_FILE when the file cannot be read
 */
export async function listZipOf(source: ByteSource, name: string): Promise<ZipEntry[]> {
  const from = Math.max(0, source.size - TAIL);
  const tail = await source.read(from, source.size);
  const { count, offset, end } = findDirectory(viewOf(tail), from, name);
  if (end - offset > MAX_DIRECTORY) throw broken(name, 'its directory is larger than that of any data set');
  return parseDirectory(await source.read(offset, end), { count, offset }, name);
}

/**
 * Unpacks one member. Nothing larger than what the directory declares and deflate can hold is allocated.
 * @throws BedsideError E_DATA
 */
export function readZipEntry(archive: Uint8Array, entry: ZipEntry, name: string): Uint8Array {
  const where = `${entry.name} in ${name}`;
  const header = archive.subarray(entry.offset, entry.offset + LOCAL_BYTES);
  const { start, end } = packedRange(header, entry, archive.length, where);
  const content = unpack(archive.subarray(start, end), entry, where);
  if (content.length !== entry.bytes) throw wrongSize(where, entry);
  if (crc32(content) !== entry.crc) throw wrongChecksum(where);
  return content;
}

/**
 * Where a member's packed bytes are, and whether they can be what the directory says.
 * @param header the bytes of its local header, as far as the archive goes
 * @throws BedsideError E_DATA
 */
export function packedRange(
  header: Uint8Array,
  entry: ZipEntry,
  size: number,
  where: string,
): { start: number; end: number } {
  const view = viewOf(header);
  if (header.length < LOCAL_BYTES || view.getUint32(0, true) !== LOCAL) {
    throw broken(where, 'its header is not where the directory says');
  }
  const start = entry.offset + LOCAL_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
  if (start + entry.packedBytes > size) {
    throw broken(where, `expected ${entry.packedBytes} packed bytes, got ${Math.max(0, size - start)}`);
  }
  if (entry.method === STORED && entry.bytes !== entry.packedBytes) throw wrongSize(where, entry);
  if (entry.method !== STORED && entry.method !== DEFLATED)
    throw broken(where, `its compression method ${entry.method} is not stored or deflated`);
  if (entry.method === DEFLATED && entry.bytes > entry.packedBytes * MAX_RATIO) {
    throw broken(
      where,
      `${entry.packedBytes} packed bytes cannot hold the ${entry.bytes} bytes that the directory says`,
    );
  }
  return { start, end: start + entry.packedBytes };
}

/** The bytes of a member's local header, as far as the archive goes. */
export function localHeader(source: ByteSource, { offset }: ZipEntry): Promise<Uint8Array> {
  const end = Math.min(offset + LOCAL_BYTES, source.size);
  return source.read(Math.min(offset, end), end);
}

function unpack(packed: Uint8Array, entry: ZipEntry, where: string): Uint8Array {
  if (entry.method === STORED) return packed;
  try {
    // One byte more than declared, so that a longer content is noticed.
    return inflateSync(packed, { out: new Uint8Array(entry.bytes + 1) });
  } catch (cause) {
    throw notUnpacked(where, cause);
  }
}

/** @param from where the view starts in the archive */
function findDirectory(
  view: DataView,
  from: number,
  name: string,
): { count: number; offset: number; end: number } {
  const lowest = Math.max(0, view.byteLength - 22 - 65535);
  for (let at = view.byteLength - 22; at >= lowest; at--) {
    if (view.getUint32(at, true) !== END) continue;
    let count = view.getUint16(at + 10, true);
    let bytes = view.getUint32(at + 12, true);
    let offset = view.getUint32(at + 16, true);
    if (at >= 20 && view.getUint32(at - 20, true) === END64_LOCATOR) {
      const wide = safeNumber(view.getBigUint64(at - 12, true)) - from;
      if (wide < 0 || wide + 56 > view.byteLength || view.getUint32(wide, true) !== END64) {
        throw broken(name, 'its zip64 end record is not where it should be');
      }
      count = safeNumber(view.getBigUint64(wide + 32, true));
      bytes = safeNumber(view.getBigUint64(wide + 40, true));
      offset = safeNumber(view.getBigUint64(wide + 48, true));
    }
    if (offset + bytes > from + at) throw broken(name, 'its directory is not where the end record says');
    return { count, offset, end: offset + bytes };
  }
  throw broken(name, 'it has no zip directory');
}

/** @param directory its bytes alone; `offset` is where they start in the archive */
function parseDirectory(
  directory: Uint8Array,
  { count, offset }: { readonly count: number; readonly offset: number },
  name: string,
): ZipEntry[] {
  const view = viewOf(directory);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.length || view.getUint32(at, true) !== CENTRAL) {
      throw broken(name, `its directory ends after ${i} of ${count} members`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const next = at + 46 + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (next > directory.length) throw broken(name, `its directory ends after ${i} of ${count} members`);
    const member = new TextDecoder().decode(directory.subarray(at + 46, at + 46 + nameBytes));
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw broken(name, `member ${i + 1} is encrypted`);
    const extra = new DataView(directory.buffer, directory.byteOffset + at + 46 + nameBytes, extraBytes);
    const [bytes, packedBytes, start] = wideSizes(extra, [
      view.getUint32(at + 24, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 42, true),
    ]);
    entries.push({
      name: member,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packedBytes,
      bytes,
      offset: start,
    });
    at = next;
  }
  assertApart(entries, offset, name);
  return entries;
}

/** Members that lie over each other make small archives of endless content. */
function assertApart(entries: readonly ZipEntry[], directory: number, name: string): void {
  const inOrder = entries.toSorted((a, b) => a.offset - b.offset);
  inOrder.forEach((entry, i) => {
    const next = inOrder[i + 1]?.offset ?? directory;
    if (entry.offset + LOCAL_BYTES + entry.packedBytes > next) {
      throw broken(
        name,
        `member ${entry.name} lies over ${inOrder[i + 1] ? 'another member' : 'the directory'}`,
      );
    }
  });
}

/** Replaces each 32-bit size that is all ones by the next number of the zip64 extra field. */
function wideSizes(extra: DataView, sizes: [number, number, number]): [number, number, number] {
  const wide = [...sizes] as [number, number, number];
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const bytes = extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === 1) {
      let from = at + 4;
      const end = Math.min(from + bytes, extra.byteLength);
      sizes.forEach((size, i) => {
        if (size !== 0xffffffff || from + 8 > end) return;
        wide[i] = safeNumber(extra.getBigUint64(from, true));
        from += 8;
      });
    }
    at += 4 + bytes;
  }
  return wide;
}

/** Anything above 2^53 is as far out of any file as infinity, and compares so. */
function safeNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An E_DATA error about a content of another size. */
export function wrongSize(where: string, { bytes }: ZipEntry): BedsideError {
  return broken(where, `it does not unpack to the ${bytes} bytes that the directory says`);
}

/** An E_DATA error about a content that has changed. */
export function wrongChecksum(where: string): BedsideError {
  return broken(where, 'its checksum is wrong');
}

/** An E_DATA error about bytes that deflate did not write. */
export function notUnpacked(where: string, cause: unknown): BedsideError {
  return new BedsideError('E_DATA', `cannot unpack ${where}: ${messageOf(cause)}`, {
    hint: 'the archive is damaged; copy or download it again',
    cause,
  });
}

function broken(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read archive ${name}: ${what}`, {
    hint: 'the file is damaged or not an archive that numpy.savez wrote; copy or write it again',
  });
}
