// Numbers as eight-bit integers: a number is `(integer - zero) * scale`.

/** How the uint8 integers of a value mean numbers. Zero is an integer itself, so that padding and Relu are exact. */
export interface ValueScale {
  /** A float32, above 0. */
  readonly scale: number;
  /** The integer that means 0, in [0, 255]. */
  readonly zero: number;
}

/** The numbers that integers span; a range that does not hold 0 is widened to it. */
export interface ValueRange {
  readonly low: number;
  readonly high: number;
}

/** Largest uint8 integer. */
export const MOST_UINT8 = 255;

/** Below this scales lose precision in float32. */
export const LEAST_SCALE = 2 ** -100;

/** The scale and the zero point of a range. */
export function scaleOfRange({ low, high }: ValueRange): ValueScale {
  const [least, most] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = Math.max(Math.fround((most - least) / MOST_UINT8), LEAST_SCALE);
  if (least === 0 && most === 0) return { scale: 1, zero: 0 };
  return { scale, zero: Math.min(MOST_UINT8, Math.max(0, roundEven(-least / scale))) };
}

/** To the nearest whole number, halves to the even one, as ONNX's QuantizeLinear does. */
export function roundEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Added to a number of less than 2^51 and taken away again, it leaves the nearest whole number, halves to the even one. */
const ROUNDING = 1.5 * 2 ** 52;

/** Float32 numbers as the nearest integers, as ONNX's QuantizeLinear gives them. */
export function toUint8(values: Float32Array, { scale, zero }: ValueScale): Uint8Array<ArrayBuffer> {
  // Keeps to 0 and 255 by itself.
  const rounded = new Uint8ClampedArray(values.length);
  for (let i = 0; i < values.length; i++) {
    rounded[i] = Math.fround((values[i] as number) / scale) + ROUNDING - ROUNDING + zero;
  }
  return new Uint8Array(rounded.buffer);
}

/** The numbers that integers mean, in float32. */
export function fromUint8(integers: Uint8Array, { scale, zero }: ValueScale): Float32Array<ArrayBuffer> {
  const means = Float32Array.from({ length: MOST_UINT8 + 1 }, (_, whole) => (whole - zero) * scale);
  const values = new Float32Array(integers.length);
  for (let i = 0; i < values.length; i++) values[i] = means[integers[i] as number] as number;
  return values;
}
