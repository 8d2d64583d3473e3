// Numbers of other widths than a double: 64-bit integers, and the floats of 16 bits (IEEE 754 binary16, bfloat16).

export { fromBfloat, fromHalf } from '../../util/internal.ts';

/** A bigint as a number, clamped to the safe integer range. */
export function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}

/** The nearest binary16 of a value, ties to even. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (Number.isNaN(value)) return 0x7e00;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24); // 1024 steps are the smallest normal number
  const exponent = Math.floor(Math.log2(size));
  // A carry out of the fraction moves into the exponent by itself.
  return sign | (roundEven((size / 2 ** exponent - 1) * 1024) + (exponent + 15) * 1024);
}

/** The nearest bfloat16 of a value rounded to float32, ties to even. */
export function toBfloat(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  WORD.setFloat32(0, value);
  const word = WORD.getUint32(0);
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

const WORD = new DataView(new ArrayBuffer(4));

function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return low + (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? 1 : 0);
}
