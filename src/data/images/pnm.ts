// Netpbm's binary grey and colour images (pgm(5) P5, ppm(5) P6), 8 or 16 bits.
import type { Pixels } from './pixel-data.ts';

/** The largest value that a file may say. */
const MOST = 65535;

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

/** Whether an image has 16 bits and does not say that fewer are in use. @throws Error when it is none */
export function decodesWide(content: Uint8Array): boolean {
  return layoutOf(content).most === MOST;
}

/**
 * Decodes an image. Bytes are brought from the file's largest value to 255; 16 bits stay as they are, with that value
 * as white unless it is the largest of 16 bits, which says nothing.
 * @throws Error when it is damaged, saying why
 */
export function decodePnm(content: Uint8Array): Pixels {
  const { width, height, channels, most, offset } = layoutOf(content);
  const count = width * height * channels;
  const isWide = most > 255;
  if (offset + count * (isWide ? 2 : 1) > content.length)
    throw new Error(`image is cut off: ${width} x ${height} pixels`);
  if (isWide) {
    const data = new Uint16Array(count);
    for (let i = 0; i < count; i++) {
      const at = offset + i * 2;
      data[i] = Math.min(most, ((content[at] as number) << 8) | (content[at + 1] as number));
    }
    return { data, width, height, channels, white: most === MOST ? undefined : most };
  }
  const data = new Uint8Array(count);
  for (let i = 0; i < count; i++)
    data[i] = Math.min(255, Math.round(((content[offset + i] as number) * 255) / most));
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
