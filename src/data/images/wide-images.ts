// Images of 16 bits: which files have them, and the white of their real range, the same for all files of the data.
import { join } from 'node:path';
import { BedsideError } from '../../util/index.ts';
import { RegularFile } from '../../util/internal.ts';
import type { Pixels } from './pixel-data.ts';
import { tellWhite, whiteOf } from './pixel-range.ts';
import { decodeImage, isWideImage } from './pixels.ts';

/** So many files are looked at: enough to see how many bits are in use. */
const MOST_LOOKED_AT = 256;
/** Larger files are not looked at for their range. */
const MOST_BYTES = 64 * 2 ** 20;
/** Endings of formats that hold 16 bits. */
export const MAY_BE_WIDE = /\.(png|tiff?|pgm|ppm|pnm)$/i;
/** Enough of a file to see its bits, but for TIFF. */
const HEAD = 512;

/** The white of files of 16 bits that do not say it themselves. */
export interface WideRange {
  readonly white: number;
  readonly remarks: readonly string[];
}

/**
 * The real range of a folder's 16-bit images, from up to 256 of them spread over all splits; undefined if none of
 * these has 16 bits.
 * @param paths of all images of the data, whatever is read of them
 * @param name of the data
 */
export async function wideRange(
  root: string,
  paths: readonly string[],
  maxPixels: number,
  name: string,
): Promise<WideRange | undefined> {
  const candidates = paths.filter((path) => MAY_BE_WIDE.test(path));
  const count = Math.min(candidates.length, MOST_LOOKED_AT);
  let largest = -1;
  let wide = 0;
  for (let i = 0; i < count; i++) {
    const path = candidates[Math.floor((i * candidates.length) / count)] ?? '';
    // What cannot be read is told when it is read for its sample.
    const pixels = await wideAt(join(root, path), maxPixels).catch(() => undefined);
    if (!pixels) continue;
    wide++;
    for (const value of pixels.data) if (value > largest) largest = value;
  }
  if (wide === 0) return undefined;
  const white = whiteOf(largest);
  const looked = candidates.length > count ? `${wide} looked at` : String(wide);
  return { white, remarks: [tellWhite(`${name}: 16-bit images (${looked})`, largest, white)] };
}

/** The pixels of a file of 16 bits that does not say its white; undefined for any other. */
async function wideAt(path: string, maxPixels: number): Promise<Pixels | undefined> {
  const file = await RegularFile.open(path, 'image');
  try {
    if (file.size === 0 || file.size > MOST_BYTES) return undefined;
    const head = await file.read(0, Math.min(HEAD, file.size));
    if (!/\.tiff?$/i.test(path) && !(await isWideImage(head))) return undefined;
    const content = await file.read(0, file.size);
    if (!(await isWideImage(content))) return undefined;
    const pixels = await decodeImage(content, maxPixels);
    return pixels.white === undefined && pixels.data instanceof Uint16Array ? pixels : undefined;
  } finally {
    await file.close();
  }
}

/**
 * Pixels with the white of the data's range, where the file does not say it.
 * @param path of the image, for the message
 * @throws BedsideError E_DATA for a value above the white that other files suggest
 */
export function withWhite(pixels: Pixels, range: WideRange | undefined, path: string): Pixels {
  if (pixels.white !== undefined || !(pixels.data instanceof Uint16Array)) return pixels;
  const { white = 65535 } = range ?? {};
  const above = pixels.data.find((value) => value > white);
  if (above === undefined) return { ...pixels, white };
  throw new BedsideError(
    'E_DATA',
    `image ${path} has the value ${above}, above ${white}, the white that the other images suggest`,
    { hint: 'say how many bits are in use: image.bits in a model.json (docs/data.md)' },
  );
}
