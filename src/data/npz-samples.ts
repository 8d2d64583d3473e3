// One row of an array to what the model reads: images made to fit, bytes scaled by their type, other numbers as they
// are.
import { BedsideError } from '../util/index.ts';
import { formatShape, shapeMisfit } from './fit.ts';
import type { NpyArray, NpyHead } from './npy.ts';
import type { Pixels } from './pixel-data.ts';
import { imageShape, writeSample } from './pixels.ts';

/** Writes row `index` of the data, given as its numbers, to `samples` from `start`. */
export type RowWriter = (
  numbers: NpyArray['data'],
  index: number,
  samples: Float32Array,
  start: number,
) => Promise<void> | void;

/**
 * How rows of this type and shape become samples. Bytes are pixels, 0 to 255, whatever the rank: they are divided by
 * 255. Wider unsigned numbers are pixels too.
 * @param white what these are divided by
 * @throws BedsideError E_DATA_FIT when the shapes do not fit
 */
export function rowWriter(
  { shape: [, ...inner], shape: { length }, dtype }: NpyHead,
  sampleShape: readonly number[],
  name: string,
  white?: number,
): RowWriter {
  const most = dtype === 'uint8' ? 255 : white;
  const size = sampleShape.reduce((product, axis) => product * axis, 1);
  const same = formatShape(inner) === formatShape(sampleShape);
  const channelLeftOut = sampleShape[0] === 1 && formatShape([1, ...inner]) === formatShape(sampleShape);
  if (length > 1 && (same || channelLeftOut))
    return plainWriter(size, most === undefined ? 1 : 1 / most, name);

  const [height, width, channels = 1] = inner;
  const isImage =
    (dtype === 'uint8' || (dtype === 'uint16' && most !== undefined)) &&
    (inner.length === 2 || inner.length === 3) &&
    (channels === 1 || channels === 3);
  if (!isImage || !height || !width) throw shapeMisfit(sampleShape, `${dtype} ${formatShape(inner)}`, name);
  const image = imageShape(sampleShape, name);
  return (numbers, _, samples, start) =>
    writeSample(
      { data: numbers as Pixels['data'], width, height, channels, white: most },
      image,
      samples,
      start,
    );
}

function plainWriter(size: number, scale: number, name: string): RowWriter {
  return (numbers, index, samples, start) => {
    for (let i = 0; i < size; i++) {
      // Rounded to float32 first: a double may be too large for it.
      const value = Math.fround(Number(numbers[i]) * scale);
      if (!Number.isFinite(value)) {
        throw new BedsideError(
          'E_DATA',
          `${name}: sample ${index} has a value that is not a finite number in float32`,
          {
            hint: 'remove the sample, fill its gaps, or scale values that are beyond 3.4e38',
          },
        );
      }
      samples[start + i] = value;
    }
  };
}
