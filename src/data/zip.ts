// Reading members of a zip archive in memory: stored or deflated, zip64 as NumPy writes it, checked by size and CRC.
// No encryption, no volumes. Layout: PKWARE APPNOTE 6.3.
import { crc32 } from 'node:zlib';
import { inflateSync } from 'fflate';
import { BedsideError, messageOf } from '../util/index.ts';

/** One member of an archive, not yet unpacked. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where its local header starts. */
  readonly offset: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
// One bit of deflate yields at most 258 bytes by 2 bits: 1032 to 1, and a few bytes for the block's ends.
const MAX_RATIO = 1032;

/**
 * The archive's directory, in its own order.
 * @throws BedsideError E_DATA when this is not a whole zip archive
 */
export function listZip(archive: Uint8Array, name: string): ZipEntry[] {
  const view = viewOf(archive);
  const { count, offset, end } = findDirectory(view, name);
  const entries: ZipEntry[] = [];
  let at = offset;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) {
      throw broken(name, `its directory ends after ${i} of ${count} members`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const next = at + 46 + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (next > end) throw broken(name, `its directory ends after ${i} of ${count} members`);
    const member = new TextDecoder().decode(archive.subarray(at + 46, at + 46 + nameBytes));
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw broken(name, `member ${i + 1} is encrypted`);
    const extra = new DataView(archive.buffer, archive.byteOffset + at + 46 + nameBytes, extraBytes);
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
  return entries;
}

/**
 * Unpacks one member. Nothing larger than what the directory declares and deflate can hold is allocated.
 * @throws BedsideError E_DATA
 */
export function readZipEntry(archive: Uint8Array, entry: ZipEntry, name: string): Uint8Array {
  const view = viewOf(archive);
  const where = `${entry.name} in ${name}`;
  if (entry.offset + 30 > archive.length || view.getUint32(entry.offset, true) !== LOCAL) {
    throw broken(where, 'its header is not where the directory says');
  }
  const start =
    entry.offset + 30 + view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
  if (start + entry.packedBytes > archive.length) {
    throw broken(
      where,
      `expected ${entry.packedBytes} packed bytes, got ${Math.max(0, archive.length - start)}`,
    );
  }
  const packed = archive.subarray(start, start + entry.packedBytes);
  const content = unpack(packed, entry, where);
  if (content.length !== entry.bytes) {
    throw broken(where, `it does not unpack to the ${entry.bytes} bytes that the directory says`);
  }
  if (crc32(content) !== entry.crc) throw broken(where, 'its checksum is wrong');
  return content;
}

function unpack(packed: Uint8Array, entry: ZipEntry, where: string): Uint8Array {
  if (entry.method === STORED) return packed;
  if (entry.method !== DEFLATED)
    throw broken(where, `its compression method ${entry.method} is not stored or deflated`);
  if (entry.bytes > packed.length * MAX_RATIO) {
    throw broken(
      where,
      `${packed.length} packed bytes cannot hold the ${entry.bytes} bytes that the directory says`,
    );
  }
  try {
    // One byte more than declared, so that a longer content is noticed.
    return inflateSync(packed, { out: new Uint8Array(entry.bytes + 1) });
  } catch (cause) {
    throw new BedsideError('E_DATA', `cannot unpack ${where}: ${messageOf(cause)}`, {
      hint: 'the archive is damaged; copy or download it again',
      cause,
    });
  }
}

function findDirectory(view: DataView, name: string): { count: number; offset: number; end: number } {
  // The end record is 22 bytes and a comment of at most 65535.
  const lowest = Math.max(0, view.byteLength - 22 - 65535);
  for (let at = view.byteLength - 22; at >= lowest; at--) {
    if (view.getUint32(at, true) !== END) continue;
    let count = view.getUint16(at + 10, true);
    let bytes = view.getUint32(at + 12, true);
    let offset = view.getUint32(at + 16, true);
    if (at >= 20 && view.getUint32(at - 20, true) === END64_LOCATOR) {
      const wide = safeNumber(view.getBigUint64(at - 12, true));
      if (wide + 56 > view.byteLength || view.getUint32(wide, true) !== END64) {
        throw broken(name, 'its zip64 end record is not where it should be');
      }
      count = safeNumber(view.getBigUint64(wide + 32, true));
      bytes = safeNumber(view.getBigUint64(wide + 40, true));
      offset = safeNumber(view.getBigUint64(wide + 48, true));
    }
    if (offset + bytes > at) throw broken(name, 'its directory is not where the end record says');
    return { count, offset, end: offset + bytes };
  }
  throw broken(name, 'it has no zip directory');
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

function broken(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read archive ${name}: ${what}`, {
    hint: 'the file is damaged or not an archive that numpy.savez wrote; copy or write it again',
  });
}
