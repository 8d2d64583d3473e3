// Rows of an archive that are images prepared by the network's contract, or that have their channels elsewhere than the
// network.
import { BedsideError } from '../../util/index.ts';
import type { ImageContract } from '../contract/contract.ts';
import { formatShape } from '../fit.ts';
import type { Pixels } from '../images/pixel-data.ts';
import { type ImageTarget, imageTarget, networkValue, windowOf, writeImage } from '../images/steps.ts';
import type { NpyArray, NpyHead } from './npy.ts';

/** Writes row `index` of the data, given as its numbers, to `samples` from `start`. */
export type RowWriter = (
  numbers: NpyArray['data'],
  index: number,
  samples: Float32Array,
  start: number,
) => Promise<void> | void;

/** Axes of a stored image. */
interface StoredImage {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** Whether channels are the first axis. */
  readonly planar: boolean;
}

/** What is known of stored values. */
export interface StoredValues {
  readonly contract?: ImageContract | undefined;
  /** The value of white in 16 bits, where the data says it. */
  readonly white?: number | undefined;
}

/** Fields that change values, and not only places. */
const VALUE_FIELDS = ['bits', 'window', 'scale', 'mean', 'deviation'] as const;

/** Whether a contract says which stored value is white, or does without one. */
export function saysRange({ bits, window, scale }: ImageContract = {}): boolean {
  return bits !== undefined || window !== undefined || scale !== undefined;
}

/** Whether a contract says how stored values become the network's. */
function preparesValues(contract: ImageContract = {}): boolean {
  return VALUE_FIELDS.some((field) => contract[field] !== undefined);
}

/**
 * How rows become images of the network where that takes more than dividing by white: a contract with steps, channels
 * in another place, or a network that reads channels last. Undefined for all other rows. Whole numbers are stored
 * pixels. Numbers with fractions are what the network reads; only their axes change.
 * @throws BedsideError E_CONTRACT as `imageTarget`; E_DATA for steps that this type does not go through
 */
export function imageRowWriter(
  { shape: [, ...inner], dtype }: NpyHead,
  sampleShape: readonly number[],
  { contract = {}, white }: StoredValues,
  name: string,
): RowWriter | undefined {
  const target = targetOf(sampleShape, contract, name);
  const stored = target && storedImage(inner, target);
  if (!target || !stored) return undefined;
  const isSame = formatShape(inner) === formatShape(sampleShape);
  const hasSteps = Object.keys(contract).some((key) => key !== 'layout');
  if (dtype.startsWith('float') || dtype === 'bool') {
    const isMoved = !isSame && stored.channels === target.channels && inSize(stored, target);
    return isMoved ? movedWriter(stored, target) : undefined;
  }
  const isPixel = dtype === 'uint8' || dtype === 'uint16';
  if (isPixel && dtype === 'uint16' && white === undefined && !saysRange(contract)) return undefined;
  if (isPixel) {
    const isPlain = !hasSteps && (isSame || (target.layout === 'NCHW' && !stored.planar));
    return isPlain ? undefined : pixelWriter(stored, target, dtype === 'uint8' ? undefined : white);
  }
  if (!preparesValues(contract)) return undefined;
  return windowOf(contract)
    ? windowWriter(stored, target)
    : valuesWriter(stored, target, `${name} is ${dtype}`);
}

/** The image input of a network; undefined where it reads no images. */
function targetOf(
  sampleShape: readonly number[],
  contract: ImageContract,
  name: string,
): ImageTarget | undefined {
  try {
    return imageTarget(sampleShape, contract, name);
  } catch (error) {
    if (BedsideError.is(error, 'E_DATA_FIT')) return undefined;
    throw error;
  }
}

/** The axes of a stored image; where channels may be first or last, they are where the network has them. */
function storedImage(inner: readonly number[], target: ImageTarget): StoredImage | undefined {
  const [a = 0, b = 0, c = 0] = inner;
  if (inner.length === 2) return { height: a, width: b, channels: 1, planar: false };
  if (inner.length !== 3) return undefined;
  const isCount = (axis: number): axis is 1 | 3 => axis === 1 || axis === 3;
  const first = isCount(a) && { height: b, width: c, channels: a, planar: true };
  const last = isCount(c) && { height: a, width: b, channels: c, planar: false };
  if (first && last) return target.layout === 'NCHW' ? first : last;
  return first || last || undefined;
}

function inSize(stored: StoredImage, { height, width }: ImageTarget): boolean {
  return stored.height === height && stored.width === width;
}

/** The index of a stored value. */
function indexOf({
  height,
  width,
  channels,
  planar,
}: StoredImage): (pixel: number, channel: number) => number {
  const plane = height * width;
  return planar
    ? (pixel, channel) => channel * plane + pixel
    : (pixel, channel) => pixel * channels + channel;
}

function placeOf({
  height,
  width,
  channels,
  layout,
}: ImageTarget): (pixel: number, channel: number) => number {
  return indexOf({ height, width, channels, planar: layout === 'NCHW' });
}

/** Numbers as they are, in the network's order of axes. */
function movedWriter(stored: StoredImage, target: ImageTarget): RowWriter {
  const [from, to] = [indexOf(stored), placeOf(target)];
  const plane = target.height * target.width;
  return (numbers, index, samples, start) => {
    for (let channel = 0; channel < target.channels; channel++) {
      for (let pixel = 0; pixel < plane; pixel++) {
        const value = Math.fround(Number(numbers[from(pixel, channel)]));
        if (!Number.isFinite(value)) {
          throw new BedsideError(
            'E_DATA',
            `sample ${index} has a value that is not a finite number in float32`,
            {
              hint: 'remove the sample, or fill its gaps',
            },
          );
        }
        samples[start + to(pixel, channel)] = value;
      }
    }
  };
}

/** Stored pixels through all steps. */
function pixelWriter(stored: StoredImage, target: ImageTarget, white: number | undefined): RowWriter {
  return (numbers, _, samples, start) =>
    writeImage(
      { ...stored, data: interleaved(numbers as Pixels['data'], stored), white },
      target,
      samples,
      start,
    );
}

function interleaved(numbers: Pixels['data'], stored: StoredImage): Pixels['data'] {
  if (!stored.planar || stored.channels === 1) return numbers;
  const at = indexOf(stored);
  const plane = stored.height * stored.width;
  const data = numbers.slice();
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < stored.channels; channel++) {
      data[pixel * stored.channels + channel] = numbers[at(pixel, channel)] ?? 0;
    }
  }
  return data;
}

/**
 * Signed or wide numbers within a window, such as Hounsfield units: they become 16 bits from the window's start, in steps
 * of more than 1 where the window is wider than that.
 */
function windowWriter(stored: StoredImage, target: ImageTarget): RowWriter {
  const { low, high } = windowOf(target.contract) ?? { low: 0, high: 1 };
  const first = Math.floor(low);
  const last = Math.ceil(high);
  const scale = Math.min(1, 0xffff / (last - first));
  const stepsOf = (value: number): number =>
    Math.round((Math.min(Math.max(value, first), last) - first) * scale);
  const { resize, ...rest } = target.contract;
  const fill = stepsOf(resize?.fill ?? first);
  const contract = {
    ...rest,
    window: { low: (low - first) * scale, high: (high - first) * scale },
    ...(resize && { resize: { ...resize, fill } }),
  };
  const write = (data: Uint16Array, samples: Float32Array, start: number) =>
    writeImage({ ...stored, data: interleaved(data, stored) }, { ...target, contract }, samples, start);
  return (numbers, _, samples, start) => {
    const data = Uint16Array.from(
      numbers as ArrayLike<number | bigint> & Iterable<number | bigint>,
      (value) => stepsOf(Number(value)),
    );
    return write(data, samples, start);
  };
}

/** Signed or wide numbers of the network's own size: scaled, without resizing. */
function valuesWriter(stored: StoredImage, target: ImageTarget, what: string): RowWriter {
  if (!inSize(stored, target) || stored.channels !== target.channels) {
    throw new BedsideError(
      'E_DATA',
      `${what}, and its images are ${formatShape([stored.height, stored.width, stored.channels])}: such numbers are resized only within a window`,
      { hint: 'say image.window in the contract, or save images as uint8 or uint16' },
    );
  }
  const [from, to] = [indexOf(stored), placeOf(target)];
  const value = networkValue({ ...target.contract, scale: target.contract.scale ?? 1 }, undefined);
  const { colour } = target.contract;
  const plane = target.height * target.width;
  return (numbers, _, samples, start) => {
    for (let channel = 0; channel < target.channels; channel++) {
      const own = colour === 'BGR' ? target.channels - 1 - channel : channel;
      for (let pixel = 0; pixel < plane; pixel++) {
        samples[start + to(pixel, channel)] = value(Number(numbers[from(pixel, own)]), channel);
      }
    }
  };
}

/** What is said about an archive's images: where channels were taken to be, and steps that were not taken. */
export function imageRemarks(
  { shape: [, ...inner], dtype }: NpyHead,
  sampleShape: readonly number[],
  contract: ImageContract = {},
  name: string,
): readonly string[] {
  const target = targetOf(sampleShape, contract, name);
  if (!target || !storedImage(inner, target)) return [];
  const isMoved = formatShape(inner) !== formatShape(sampleShape);
  const isPrepared = dtype.startsWith('float') && preparesValues(contract);
  return [
    ...(isMoved ? target.remarks : []),
    ...(isPrepared
      ? [
          `${name} is ${dtype}: its numbers were taken as prepared, without the scale, mean and window of the contract`,
        ]
      : []),
  ];
}
