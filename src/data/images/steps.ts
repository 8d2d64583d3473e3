// From pixels to a network's input by its contract: window, resizing, cropping, colour order, scale, mean and deviation,
// layout. Without a contract: grey or RGB, stretched, divided by white.
import { BedsideError, must } from '../../util/index.ts';
import type { ImageContract } from '../contract/contract.ts';
import { formatShape, shapeMisfit } from '../fit.ts';
import type { Pixels } from './pixel-data.ts';
import { type ImageShape, loadSharp, toChannels, writeSample } from './pixels.ts';

/** A network's image input, and how pixels become it. */
export interface ImageTarget extends ImageShape {
  readonly layout: 'NCHW' | 'NHWC';
  readonly contract: ImageContract;
  /** What was taken for granted. */
  readonly remarks: readonly string[];
}

/** The input's shape as channels, height and width; undefined where it is none of an image. */
function readShape(
  sampleShape: readonly number[],
  layout: ImageContract['layout'],
): (ImageShape & { readonly layout: 'NCHW' | 'NHWC' }) | undefined {
  const [a = 0, b = 0, c = 0] = sampleShape;
  if (sampleShape.length !== 3) return undefined;
  const isCount = (axis: number): axis is 1 | 3 => axis === 1 || axis === 3;
  if (isCount(a) && layout !== 'NHWC') return { channels: a, height: b, width: c, layout: 'NCHW' };
  if (isCount(c) && layout !== 'NCHW') return { channels: c, height: a, width: b, layout: 'NHWC' };
  return undefined;
}

/**
 * The image input that a sample shape stands for: `[1 or 3, height, width]`, or `[height, width, 1 or 3]`. Channels
 * come first where both are possible and the contract does not say it.
 * @throws BedsideError E_DATA_FIT for any other shape; E_CONTRACT for a contract of another input
 */
export function imageTarget(
  sampleShape: readonly number[],
  contract: ImageContract = {},
  name = 'the data',
): ImageTarget {
  const shape = readShape(sampleShape, contract.layout);
  if (!shape || shape.height < 1 || shape.width < 1) {
    throw shapeMisfit(sampleShape, 'images, [1 or 3, height, width] or [height, width, 1 or 3]', name);
  }
  for (const field of ['mean', 'deviation'] as const) {
    const value = contract[field];
    if (typeof value !== 'object' || value.length === shape.channels) continue;
    throw misfit(
      `image.${field} has ${value.length} numbers, and the network reads ${shape.channels} channels`,
    );
  }
  const { crop } = contract;
  const [height, width] = sizeOf(crop?.size, shape);
  if (height !== shape.height || width !== shape.width) {
    throw misfit(
      `image.crop.size is ${formatShape([height, width])}, and the network reads ${formatShape([shape.height, shape.width])}`,
    );
  }
  const isGuess = shape.layout === 'NHWC' && contract.layout === undefined;
  const remarks = isGuess
    ? [`the network reads ${formatShape(sampleShape)}: channels were taken to come last (layout NHWC)`]
    : [];
  return { ...shape, contract, remarks };
}

function misfit(message: string): BedsideError {
  return new BedsideError('E_CONTRACT', message, {
    hint: 'correct the field in the contract (docs/data.md)',
  });
}

function sizeOf(
  size: number | readonly [number, number] | undefined,
  { height, width }: ImageShape,
): readonly [height: number, width: number] {
  if (size === undefined) return [height, width];
  return typeof size === 'number' ? [size, size] : size;
}

/**
 * Writes one image to `samples` from `start`.
 * @param pixels of any size and number of channels
 */
export async function writeImage(
  pixels: Pixels,
  target: ImageTarget,
  samples: Float32Array,
  start: number,
): Promise<void> {
  const { contract, layout, channels, height, width } = target;
  const isPlain = Object.keys(contract).every((key) => key === 'layout');
  if (isPlain && layout === 'NCHW') return writeSample(pixels, target, samples, start);
  const clipped = clip(toChannels(pixels, channels), contract);
  const resized = await resize(clipped, target);
  const cut = cropped(resized, target);
  const value = networkValue(contract, pixels.white);
  const plane = height * width;
  for (let to = 0; to < channels; to++) {
    // Red and blue change places for networks that read blue first.
    const from = contract.colour === 'BGR' ? channels - 1 - to : to;
    const [step, first] = layout === 'NHWC' ? [channels, to] : [1, to * plane];
    for (let i = 0; i < plane; i++) {
      samples[start + first + i * step] = value(must(cut[i * channels + from], 'a value for each pixel'), to);
    }
  }
}

/** Limits of the window in stored values; undefined without one. */
export function windowOf({
  window,
}: ImageContract): { readonly low: number; readonly high: number } | undefined {
  if (!window || 'low' in window) return window;
  return { low: window.centre - window.width / 2, high: window.centre + window.width / 2 };
}

/** Stored values outside the window become its limits, so that resizing does not mix them in. */
function clip(pixels: Pixels, contract: ImageContract): Pixels {
  const window = windowOf(contract);
  if (!window) return pixels;
  const [low, high] = [Math.floor(window.low), Math.ceil(window.high)];
  const data = pixels.data.map((value) => Math.min(Math.max(value, low), high));
  return { ...pixels, data };
}

/** Of a stored value and a channel of the network, what the network reads. */
export function networkValue(
  contract: ImageContract,
  known: number | undefined,
): (stored: number, channel: number) => number {
  const { bits, scale, mean = 0, deviation = 1 } = contract;
  const white = bits === undefined ? (known ?? 255) : 2 ** bits - 1;
  const window = windowOf(contract);
  const means = typeof mean === 'number' ? [mean] : mean;
  const deviations = typeof deviation === 'number' ? [deviation] : deviation;
  const scaled = (stored: number): number => {
    if (!window) return scale === undefined ? stored / white : stored * scale;
    const share = Math.min(Math.max((stored - window.low) / (window.high - window.low), 0), 1);
    return share * (scale ?? 1);
  };
  return (stored, channel) =>
    (scaled(stored) - (means[channel] ?? means[0] ?? 0)) / (deviations[channel] ?? deviations[0] ?? 1);
}

/** Kernels as sharp names them. Made smaller, all but the nearest take in all pixels below. */
const KERNELS = { nearest: 'nearest', linear: 'linear', cubic: 'cubic', lanczos: 'lanczos3' } as const;

async function resize(pixels: Pixels, target: ImageTarget): Promise<Pixels> {
  const { mode = 'stretch', size, kernel = 'linear' } = target.contract.resize ?? {};
  const [wantedHeight, wantedWidth] = sizeOf(size, target);
  const ratios = [wantedHeight / pixels.height, wantedWidth / pixels.width] as const;
  let height: number = wantedHeight;
  let width: number = wantedWidth;
  if (mode === 'none') return pixels;
  if (mode !== 'stretch') {
    const ratio = mode === 'cover' ? Math.max(...ratios) : Math.min(...ratios);
    // Rounded down as torchvision does; a little more than that, so that a whole number stays one.
    const scaled = (length: number) => Math.max(1, Math.floor(length * ratio + 1e-6));
    height = scaled(pixels.height);
    width = scaled(pixels.width);
  }
  if (width === pixels.width && height === pixels.height) return pixels;
  return await resizePixels(pixels, { height, width }, KERNELS[kernel]);
}

/** Pixels of another size, of the bits that they have. */
async function resizePixels(
  pixels: Pixels,
  { height, width }: { readonly height: number; readonly width: number },
  kernel: (typeof KERNELS)[keyof typeof KERNELS],
): Promise<Pixels> {
  const sharp = await loadSharp();
  const { data, channels } = pixels;
  const raw = { width: pixels.width, height: pixels.height, channels: channels as 1 | 3 };
  const isWide = data instanceof Uint16Array;
  const space = channels === 1 ? (isWide ? 'grey16' : 'b-w') : isWide ? 'rgb16' : 'srgb';
  let image = sharp(data, { raw });
  if (isWide) image = image.pipelineColourspace(space);
  const found = await image
    .resize(width, height, { fit: 'fill', kernel })
    .toColourspace(space)
    .raw(isWide ? { depth: 'ushort' } : {})
    .toBuffer({ resolveWithObject: true });
  const bytes = Uint8Array.from(found.data);
  const numbers = isWide ? new Uint16Array(bytes.buffer) : bytes;
  if (numbers.length !== height * width * channels) {
    throw new BedsideError('E_INTERNAL', `internal: resizing gave ${numbers.length} values`);
  }
  return { ...pixels, data: numbers, width, height };
}

/** The network's part of a picture, `[height, width, channels]`; what the picture lacks is filled. */
function cropped(pixels: Pixels, target: ImageTarget): Uint8Array | Uint16Array {
  const { height, width, channels, contract } = target;
  if (pixels.height === height && pixels.width === width) return pixels.data;
  const { fill = 0 } = contract.resize ?? {};
  const most = pixels.data instanceof Uint16Array ? 65535 : 255;
  if (fill > most) {
    throw new BedsideError(
      'E_CONTRACT',
      `image.resize.fill is ${fill}, and the pictures hold at most ${most}`,
      {
        hint: 'say a stored value of the pictures (docs/data.md)',
      },
    );
  }
  const isCentre = contract.crop?.mode !== 'top-left';
  const top = isCentre ? halfOf(pixels.height - height) : 0;
  const left = isCentre ? halfOf(pixels.width - width) : 0;
  const length = height * width * channels;
  const result = pixels.data instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
  result.fill(fill);
  const from = Math.max(0, left);
  const to = Math.min(pixels.width, left + width);
  for (let y = Math.max(0, top); y < Math.min(pixels.height, top + height); y++) {
    const row = pixels.data.subarray(
      (y * pixels.width + from) * channels,
      (y * pixels.width + to) * channels,
    );
    result.set(row, ((y - top) * width + from - left) * channels);
  }
  return result;
}

/** Half of a length, rounded to the even neighbour as torchvision's centre crop does. */
function halfOf(length: number): number {
  const half = length / 2;
  const down = Math.floor(half);
  return half === down ? half : down % 2 === 0 ? down : down + 1;
}
