// Chosen rows (entries of the first axis) of a `.npy` array that comes in pieces, so that only one row is in memory.
import { BedsideError, formatBytes } from '../../util/index.ts';
import { availableMemory } from '../../util/internal.ts';
import {
  decodeNpy,
  MAX_HEAD_BYTES,
  type NpyArray,
  type NpyHead,
  numbersOf,
  parseNpyHead,
  swapBytes,
} from './npy.ts';

type Pieces = AsyncIterable<Uint8Array>;

/** Called with each chosen row, in order; the row's numbers are valid until the call's promise is done. */
type RowReader = (row: number, numbers: NpyArray['data']) => Promise<void> | void;

/**
 * What stands before the numbers of an array.
 * @param total bytes of the whole array
 * @throws BedsideError E_DATA
 */
export async function npyHeadOf(pieces: Pieces, total: number, name: string): Promise<NpyHead> {
  return parseNpyHead(await firstBytesOf(pieces, total), total, name);
}

/** The first bytes of an array, with all that stands before its numbers. */
export async function firstBytesOf(pieces: Pieces, total: number): Promise<Uint8Array> {
  const first: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    first.push(Uint8Array.from(piece));
    length += piece.length;
    if (length >= Math.min(total, MAX_HEAD_BYTES)) break;
  }
  return Buffer.concat(first, length);
}

/**
 * Reads an array whole.
 * @param total bytes of the whole array; more than memory holds is refused
 * @throws BedsideError E_DATA
 */
export async function npyOf(pieces: Pieces, total: number, name: string): Promise<NpyArray> {
  return decodeNpy(await bytesOf(pieces, total, name), name);
}

/**
 * All bytes of an array, if memory holds them and the aligned copy that its numbers are.
 * @param total bytes of the whole array
 * @throws BedsideError E_DATA
 */
export async function bytesOf(pieces: Pieces, total: number, name: string): Promise<Uint8Array<ArrayBuffer>> {
  assertRoom(2 * total, name);
  const bytes = new Uint8Array(total);
  let length = 0;
  for await (const piece of pieces) {
    bytes.set(piece, length);
    length += piece.length;
  }
  return bytes;
}

/**
 * Gives the chosen rows of an array to `onRow`. All pieces are taken, so that the array's checksum is verified. An
 * array in Fortran order is read whole, as its rows lie scattered over it.
 * @param chosen indices of rows, ascending
 * @throws BedsideError E_DATA
 */
export async function readNpyRows(
  pieces: Pieces,
  head: NpyHead,
  total: number,
  chosen: ArrayLike<number>,
  name: string,
  onRow: RowReader,
): Promise<void> {
  const { shape, itemBytes, dtype } = head;
  const inner = shape.slice(1);
  const rowLength = inner.reduce((product, axis) => product * axis, 1);
  if (head.fortranOrder) {
    const { data } = await npyOf(pieces, total, name);
    for (let i = 0; i < chosen.length; i++) {
      const row = chosen[i] ?? 0;
      await onRow(row, data.subarray(row * rowLength, (row + 1) * rowLength));
    }
    return;
  }
  const rowBytes = rowLength * itemBytes;
  assertRoom(rowBytes, name);
  const bytes = new Uint8Array(rowBytes);
  // A view of the bytes; halves are made anew for each row.
  let { data } = numbersOf(dtype, inner, bytes);
  let next = 0;
  let at = -head.start;
  for await (const piece of pieces) {
    const end = at + piece.length;
    while (next < chosen.length) {
      const row = chosen[next] ?? 0;
      const from = row * rowBytes;
      if (from >= end) break;
      const start = Math.max(from, at);
      const stop = Math.min(from + rowBytes, end);
      bytes.set(piece.subarray(start - at, stop - at), start - from);
      // The rest of the row is in the next piece.
      if (stop < from + rowBytes) break;
      if (head.bigEndian) swapBytes(bytes, itemBytes);
      if (dtype === 'float16') data = numbersOf(dtype, inner, bytes).data;
      await onRow(row, data);
      next++;
    }
    at = end;
  }
}

function assertRoom(bytes: number, name: string): void {
  const room = availableMemory();
  if (bytes <= room && bytes < 2 ** 32) return;
  throw new BedsideError(
    'E_DATA',
    `${name} takes ${formatBytes(bytes)} at once, more than memory holds (${formatBytes(room)} are free)`,
    { hint: 'write it with numpy.save in C order, or use a machine with more memory' },
  );
}
