// Values of samples as the gateway sends them, and how they lie.
import type { ExplainInput } from '../../../src/gateway/dashboard/wire-explain.ts';

/** Bytes in base64. */
export function bytesOf(text: string): Uint8Array {
  const binary = atob(text);
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** Float32, little-endian, in base64. */
export function floatsOf(text: string): Float32Array {
  return new Float32Array(bytesOf(text).buffer as ArrayBuffer);
}

/** Height, width and channels of an image. */
export function imageSize({ shape, channelsLast }: ExplainInput): {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
} {
  const [a = 1, b = 1, c = 1] = shape;
  return channelsLast ? { height: a, width: b, channels: c } : { height: b, width: c, channels: a };
}

/** Value of an image at a channel and a position. */
export function imageAt(
  input: ExplainInput,
  values: Float32Array,
  channel: number,
  position: number,
): number {
  const { height, width, channels } = imageSize(input);
  const at = input.channelsLast ? position * channels + channel : channel * height * width + position;
  return values[at] ?? 0;
}

/** The traces of a signal, one for each lead. */
export function tracesOf({ shape, channelsLast }: ExplainInput, values: Float32Array): Float32Array[] {
  const long = shape.filter((axis) => axis > 1);
  const [first = values.length, second = 1] = long;
  if (long.length < 2) return [values];
  const [leads, length] = channelsLast ? [second, first] : [first, second];
  return Array.from({ length: leads }, (_, lead) =>
    Float32Array.from(
      { length },
      (_value, i) => values[channelsLast ? i * leads + lead : lead * length + i] ?? 0,
    ),
  );
}

/** The relevance that has the full colour: a few extreme values must not hide the rest. */
export function fullScale(relevance: Float32Array): number {
  const sizes = Float32Array.from(relevance, Math.abs).sort();
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || sizes.at(-1) || 1;
}
