// A member of a zip archive in pieces, so that neither the archive nor the member has to fit in memory.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { BedsideError } from '../../util/index.ts';
import type { ByteSource } from './byte-source.ts';
import {
  localHeader,
  notUnpacked,
  packedRange,
  STORED,
  wrongChecksum,
  wrongSize,
  type ZipEntry,
} from './zip.ts';

const UNPACKED_PIECE = 2 ** 20;
// Below, a member is unpacked at once: streams take longer to set up.
const SMALL = 2 ** 20;

/**
 * The member's content, unpacked, piece by piece. Size and checksum are known to be right when the last piece has been
 * given; whoever stops before does not know.
 * @throws BedsideError E_DATA, while pieces are taken
 */
export async function* zipPieces(
  source: ByteSource,
  entry: ZipEntry,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const where = `${entry.name} in ${name}`;
  const { start, end } = packedRange(await localHeader(source, entry), entry, source.size, where);
  const packed = source.pieces(start, end);
  const content =
    entry.method === STORED
      ? packed
      : end - start <= SMALL && entry.bytes <= 16 * SMALL
        ? [inflatedAtOnce(await source.read(start, end), entry, where)]
        : inflated(packed, where);
  let bytes = 0;
  let crc = 0;
  for await (const piece of content) {
    bytes += piece.length;
    // Checked before the bytes are passed on: content without an end is noticed at the first byte too many.
    if (bytes > entry.bytes) throw wrongSize(where, entry);
    crc = crc32(piece, crc);
    yield piece;
  }
  if (bytes !== entry.bytes) throw wrongSize(where, entry);
  if (crc !== entry.crc) throw wrongChecksum(where);
}

/** The stream may ask for the next piece before it is done with one, and pieces may share memory. */
async function* copies(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Uint8Array.from(piece);
}

function inflatedAtOnce(packed: Uint8Array, { bytes }: ZipEntry, where: string): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: bytes + 1 });
  } catch (cause) {
    throw notUnpacked(where, cause);
  }
}

async function* inflated(packed: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw({ chunkSize: UNPACKED_PIECE });
  const feeding = pipeline(Readable.from(copies(packed), { highWaterMark: 1 }), inflate).catch(
    (error: unknown) => error,
  );
  try {
    for await (const piece of inflate) yield piece as Uint8Array;
  } catch (cause) {
    throw BedsideError.is(cause) ? cause : notUnpacked(where, cause);
  }
  const failed = await feeding;
  if (failed) throw BedsideError.is(failed) ? failed : notUnpacked(where, failed);
}
