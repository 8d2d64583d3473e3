// Netpbm's binary grey and colour images (pgm(5) P5, ppm(5) P6), 8 or 16 bits.
import type { Pixels } from './pixel-data.ts';

/** The contents of a header. */
interface Layout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly most: number;
  /** Offset of the pixels. */
  readonly offset: number;
}

/** Whether bytes begin as a binary PGM or PPM does. */
export function isPnm(content: Uint8Array): boolean {
  return content[0] === 0x50 && (content[1] === 0x35 || content[1] === 0x36);
}

/** Width and height, from the header alone. @throws Error when it is none, saying why */
export function pnmSize(content: Uint8Array): { width: number; height: number } {
  const { width, height } = layoutOf(content);
  return { width, height };
}

/**
 * Decodes an image; values are brought from the file's largest to 255.
 * @throws Error when it is damaged, saying why
 */
export function decodePnm(content: Uint8Array): Pixels {
  const { width, height, channels, most, offset } = layoutOf(content);
  const count = width * height * channels;
  const bytes = most > 255 ? 2 : 1;
  if (offset + count * bytes > content.length)
    throw new Error(`image is cut off: ${width} x ${height} pixels`);
  const data = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const at = offset + i * bytes;
    const value = bytes === 2 ? ((content[at] as number) << 8) | (content[at + 1] as number) : content[at];
    data[i] = Math.min(255, Math.round(((value as number) * 255) / most));
  }
  return { data, width, height, channels };
}

function layoutOf(content: Uint8Array): Layout {
  if (!isPnm(content)) throw new Error('not a binary PGM or PPM');
  // Three numbers after the magic, with white space and comments between; one character of white space ends the last.
  const head = Buffer.from(content.subarray(0, 4096)).toString('latin1');
  const match = /^P[56](?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s/.exec(head);
  const [width, height, most] = [match?.[1], match?.[2], match?.[3]].map(Number) as [number, number, number];
  if (!match || !(width > 0 && height > 0 && most > 0 && most < 65536))
    throw new Error('header without width, height and largest value');
  return { width, height, most, channels: content[1] === 0x35 ? 1 : 3, offset: match[0].length };
}
