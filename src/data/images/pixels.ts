// Pixels of 8 or 16 bits, channels last, to a network's input: grey or RGB, resized, divided by white, channels first.
import { BedsideError } from '../../util/index.ts';
import { loadOptional } from '../../util/internal.ts';
import { shapeMisfit } from '../fit.ts';
import { bmpSize, decodeBmp, isBmp } from './bmp.ts';
import type { Pixels } from './pixel-data.ts';
import { decodePnm, decodesWide, isPnm, pnmSize } from './pnm.ts';

/** A network's image input. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/**
 * The image input that a sample shape stands for.
 * @throws BedsideError E_DATA_FIT unless it is `[1 or 3, height, width]`
 */
export function imageShape(sampleShape: readonly number[], name: string): ImageShape {
  const [channels, height, width] = sampleShape;
  const image = sampleShape.length === 3 && (channels === 1 || channels === 3);
  if (!image || !height || !width) throw shapeMisfit(sampleShape, 'images, [1 or 3, height, width]', name);
  return { channels, height, width };
}

/** Loaded with the first image: most commands see none. */
export const loadSharp = async () => (await loadOptional('reading images', () => import('sharp'))).default;

/** The most pixels that an image may have, unless said otherwise. */
export const MAX_PIXELS = 2 ** 28;

/**
 * Width and height of an image file, without decoding it.
 * @throws whatever sharp throws for what is no image
 */
export async function imageSize(content: Uint8Array): Promise<{ width: number; height: number }> {
  if (isBmp(content)) return bmpSize(content);
  if (isPnm(content)) return pnmSize(content);
  const sharp = await loadSharp();
  // The caller judges whether it is too large.
  return sharp(content, { limitInputPixels: false }).metadata();
}

const PNG = [0x89, 0x50, 0x4e, 0x47];
/** Little-endian and big-endian TIFF. */
const TIFF = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'];
/** Place of a PNG's bits a channel. */
const PNG_DEPTH = 24;

/**
 * Whether an image has 16 bits a channel, and does not say which value is white.
 * @param content its first bytes; of a TIFF all of them
 * @throws Error for a TIFF of numbers that are no pixels
 */
export async function isWideImage(content: Uint8Array): Promise<boolean> {
  if (PNG.every((byte, i) => content[i] === byte)) return content[PNG_DEPTH] === 16;
  if (isPnm(content)) return decodesWide(content);
  if (!TIFF.includes(Buffer.from(content.subarray(0, 4)).toString('latin1'))) return false;
  const { depth } = await (await loadSharp())(content, { limitInputPixels: false }).metadata();
  if (depth !== 'uchar' && depth !== 'ushort') {
    throw new Error(`TIFF of ${depth} numbers: 8 and 16 bits without sign are read`);
  }
  return depth === 'ushort';
}

/**
 * Decodes an image file as its pixels are stored: no colour management, no rotation. The content tells the format. 16
 * bits stay 16 bits.
 * @param maxPixels more are refused before they are decoded
 * @throws whatever sharp throws for a damaged file
 */
export async function decodeImage(content: Uint8Array, maxPixels: number = MAX_PIXELS): Promise<Pixels> {
  if (isBmp(content)) return decodeBmp(content);
  if (isPnm(content)) return decodePnm(content);
  const isWide = await isWideImage(content);
  const sharp = await loadSharp();
  const image = sharp(content, { failOn: 'error', ignoreIcc: true, limitInputPixels: maxPixels });
  if (isWide) {
    const { space } = await image.metadata();
    const { data, info } = await image
      .toColourspace(space === 'grey16' || space === 'b-w' ? 'grey16' : 'rgb16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true });
    return { data: wideOf(data), width: info.width, height: info.height, channels: info.channels };
  }
  // Grey becomes equal red, green and blue, exactly.
  const { data, info } = await image
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

/**
 * Writes one image, `[channels, height, width]` in 0 to 1, to `samples` from `start`. Grey from RGB is ITU-R BT.601
 * luma; RGB from grey repeats it; alpha is dropped; another size is resampled bilinearly with antialiasing, stretched.
 */
export async function writeSample(
  pixels: Pixels,
  shape: ImageShape,
  samples: Float32Array,
  start: number,
): Promise<void> {
  const fitting = await resize(toChannels(pixels, shape.channels), shape);
  const plane = shape.height * shape.width;
  const white = pixels.white ?? 255;
  if (fitting.data.length !== plane * shape.channels) {
    throw new BedsideError('E_INTERNAL', `internal: resizing gave ${fitting.data.length} values`);
  }
  for (let channel = 0; channel < shape.channels; channel++) {
    for (let i = 0; i < plane; i++) {
      samples[start + channel * plane + i] = (fitting.data[i * shape.channels + channel] ?? 0) / white;
    }
  }
}

/** Grey or RGB pixels of any; alpha is dropped. */
export function toChannels(pixels: Pixels, channels: 1 | 3): Pixels {
  if (pixels.channels === channels) return pixels;
  const { data, width, height } = pixels;
  const length = width * height * channels;
  const result = data instanceof Uint8Array ? new Uint8Array(length) : new Uint16Array(length);
  const colour = pixels.channels >= 3;
  for (let i = 0; i < width * height; i++) {
    const at = i * pixels.channels;
    const red = data[at] ?? 0;
    const green = colour ? (data[at + 1] ?? 0) : red;
    const blue = colour ? (data[at + 2] ?? 0) : red;
    if (channels === 1) {
      // The weights sum to 2^16, so equal red, green and blue stay exactly themselves.
      result[i] = (19595 * red + 38470 * green + 7471 * blue + 32768) >>> 16;
    } else {
      result[i * 3] = red;
      result[i * 3 + 1] = green;
      result[i * 3 + 2] = blue;
    }
  }
  return { ...pixels, data: result, channels };
}

async function resize(pixels: Pixels, shape: ImageShape): Promise<Pixels> {
  const { width, height } = shape;
  if (pixels.width === width && pixels.height === height) return pixels;
  const sharp = await loadSharp();
  if (pixels.data instanceof Uint16Array) return resizeWide(pixels, pixels.data, shape);
  const { data, info } = await sharp(pixels.data, {
    raw: { width: pixels.width, height: pixels.height, channels: shape.channels },
  })
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .toColourspace(shape.channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width, height, channels: info.channels };
}

/** The same for 16 bits, which stay 16 bits. */
async function resizeWide(
  pixels: Pixels,
  wide: Uint16Array,
  { width, height, channels }: ImageShape,
): Promise<Pixels> {
  const sharp = await loadSharp();
  const space = channels === 1 ? 'grey16' : 'rgb16';
  const { data, info } = await sharp(wide, { raw: { width: pixels.width, height: pixels.height, channels } })
    .pipelineColourspace(space)
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .toColourspace(space)
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  return { ...pixels, data: wideOf(data), width, height, channels: info.channels };
}

/** 16-bit numbers in the machine's order. */
function wideOf(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(Uint8Array.from(bytes).buffer);
}
