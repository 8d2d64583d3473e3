// One row of an array to what the model reads: images made to fit, bytes scaled by their type, other numbers as they
// are.
import { BedsideError } from '../../util/index.ts';
import { formatShape, shapeMisfit } from '../fit.ts';
import type { Pixels } from '../images/pixel-data.ts';
import { imageShape, writeSample } from '../images/pixels.ts';
import { imageRowWriter, type RowWriter, type StoredValues } from './images.ts';
import type { NpyHead } from './npy.ts';

/**
 * How rows of this type and shape become samples. Bytes are pixels, 0 to 255, whatever the rank: they are divided by
 * 255. Wider unsigned numbers are pixels too.
 * @param stored the white that these are divided by, and the contract of the network's images, which goes before it
 * @throws BedsideError E_DATA_FIT when the shapes do not fit
 */
export function rowWriter(
  head: NpyHead,
  sampleShape: readonly number[],
  name: string,
  stored: StoredValues = {},
): RowWriter {
  const prepared = imageRowWriter(head, sampleShape, stored, name);
  if (prepared) return prepared;
  const { dtype } = head;
  const { white } = stored;
  const [, ...inner] = head.shape;
  const most = dtype === 'uint8' ? 255 : white;
  const size = sampleShape.reduce((product, axis) => product * axis, 1);
  const same = formatShape(inner) === formatShape(sampleShape);
  // Axes of 1 do not change the order of numbers: `[256]`, `[1, 256]` and `[256, 1]` are one lead.
  const sameOrder = formatShape(withoutOnes(inner)) === formatShape(withoutOnes(sampleShape));
  if (head.shape.length > 1 && (same || sameOrder))
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

function withoutOnes(shape: readonly number[]): readonly number[] {
  return shape.filter((axis) => axis !== 1);
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
