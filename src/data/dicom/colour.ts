// Colours of DICOM as interleaved RGB: planes, YBR (ITU-R BT.601, full range) and its half-width form.
import type { FrameFacts } from './codecs.ts';

/**
 * RGB of decoded values.
 * @param isRgb whether the codec has made them RGB already
 */
export function toRgb(
  data: Uint8Array | Uint16Array,
  { rows, columns, photometric, bitsAllocated }: FrameFacts,
  { isPlanar, isRgb, white }: { readonly isPlanar: boolean; readonly isRgb: boolean; readonly white: number },
): Uint8Array | Uint16Array {
  const pixels = rows * columns;
  const result = bitsAllocated === 8 ? new Uint8Array(pixels * 3) : new Uint16Array(pixels * 3);
  const isHalf = photometric === 'YBR_FULL_422' && data.length === pixels * 2;
  const middle = (white + 1) / 2;
  for (let i = 0; i < pixels; i++) {
    const at = isHalf ? (i >> 1) * 4 : i * 3;
    const [a = 0, b = 0, c = 0] = isHalf
      ? [data[at + (i & 1)], data[at + 2], data[at + 3]]
      : isPlanar
        ? [data[i], data[pixels + i], data[2 * pixels + i]]
        : [data[at], data[at + 1], data[at + 2]];
    if (isRgb || photometric === 'RGB') {
      result.set([a, b, c], i * 3);
      continue;
    }
    const [blue, red] = [b - middle, c - middle];
    const clip = (value: number): number => Math.min(Math.max(Math.round(value), 0), white);
    result[i * 3] = clip(a + 1.402 * red);
    result[i * 3 + 1] = clip(a - 0.344136 * blue - 0.714136 * red);
    result[i * 3 + 2] = clip(a + 1.772 * blue);
  }
  return result;
}
