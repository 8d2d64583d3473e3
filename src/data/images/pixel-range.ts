// The real range of unsigned pixels wider than a byte: cameras and scanners give 10, 12 or 14 bits in files of 16.
import type { NpyHead, StoredDtype } from '../npz/npy.ts';

/** Bits that devices give, ascending. */
const DEPTHS = [8, 10, 12, 14, 16, 24, 32];

/** Types of which the range has to be found out. */
const WIDE: readonly StoredDtype[] = ['uint16', 'uint32', 'uint64'];

/** Whether nothing but the values says which one is white. */
export function isWide(dtype: StoredDtype): boolean {
  return WIDE.includes(dtype);
}

/** The white of the smallest common depth that holds the largest value; the value itself above 32 bits. */
export function whiteOf(largest: number): number {
  const bits = DEPTHS.find((depth) => largest < 2 ** depth);
  return bits === undefined ? largest : 2 ** bits - 1;
}

/** A sentence about pixels whose range was taken from their values. */
export function tellWhite(what: string, largest: number, white: number): string {
  return (
    `${what} has values up to ${largest}: taken as ${Math.ceil(Math.log2(white + 1))} bits and divided by ${white}; ` +
    'image.bits in a model.json says another depth'
  );
}

/**
 * The largest value of an array of unsigned whole numbers. It stops early where more cannot change `whiteOf`: then
 * the value is the largest so far.
 * @param pieces of the whole array file, from its start
 */
export async function largestOf(pieces: AsyncIterable<Uint8Array>, head: NpyHead): Promise<number> {
  const { itemBytes, bigEndian, start, dtype } = head;
  // Above the depth below its own, the type's own depth is the answer.
  const enough = dtype === 'uint16' ? 2 ** 14 : Number.POSITIVE_INFINITY;
  let largest = 0;
  let skip = start;
  let rest = new Uint8Array(0);
  for await (const piece of pieces) {
    const fresh = piece.subarray(Math.min(skip, piece.length));
    skip -= piece.length - fresh.length;
    const bytes = rest.length === 0 ? fresh : Buffer.concat([rest, fresh]);
    const whole = bytes.length - (bytes.length % itemBytes);
    for (let at = 0; at < whole; at += itemBytes) {
      let value = 0;
      for (let i = 0; i < itemBytes; i++) {
        value = value * 256 + (bytes[at + (bigEndian ? i : itemBytes - 1 - i)] as number);
      }
      if (value > largest) largest = value;
    }
    if (largest >= enough) return largest;
    rest = Uint8Array.from(bytes.subarray(whole));
  }
  return largest;
}
