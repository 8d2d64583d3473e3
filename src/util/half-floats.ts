// The floats of 16 bits as numbers: IEEE 754 binary16, and bfloat16.

/** The value of binary16 bits. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const WORD = new DataView(new ArrayBuffer(4));

/** The value of bfloat16 bits. */
export function fromBfloat(half: number): number {
  WORD.setUint32(0, half * 65536);
  return WORD.getFloat32(0);
}
