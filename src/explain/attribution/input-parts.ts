// Samples that hold several inputs of a network: paths and noise fill each input by itself. Between whole numbers and
// flags lies nothing, so paths, noise and references keep those of the sample, and their own attribution is 0.
import { type PackedInput, type PositionRange, sizeOf } from '../../onnx/internal.ts';
import { type Random, rowRange } from '../../util/internal.ts';
import type { SamplingPath } from './sampling-path.ts';

/** Sets the positions in each row to those of its sample, in place; every sample has `perSample` rows. */
export function holdPositions(
  rows: Float32Array,
  samples: Float32Array,
  held: readonly PositionRange[],
  { size, perSample }: { readonly size: number; readonly perSample: number },
): void {
  if (held.length === 0) return;
  for (let row = 0; row * size < rows.length; row++) {
    const own = Math.floor(row / perSample) * size;
    for (const { start, end } of held) {
      rows.set(samples.subarray(own + start, own + end), row * size + start);
    }
  }
}

/** References `[1 or count, size]` with the sample's own numbers at the positions, one row for each sample if there are any. */
export function heldReference(
  reference: Float32Array,
  samples: Float32Array,
  held: readonly PositionRange[],
  count: number,
): Float32Array {
  if (held.length === 0) return reference;
  const size = samples.length / count;
  const rows = new Float32Array(samples.length);
  for (let i = 0; i < count; i++) {
    rows.set(reference.length === size ? reference : rowRange(reference, count, i), i * size);
  }
  holdPositions(rows, samples, held, { size, perSample: 1 });
  return rows;
}

/** The inputs `[points, size]` that stand for one sample; each of several inputs is filled by itself. */
export function fillSample(
  points: SamplingPath,
  [sample, reference]: readonly [Float32Array, Float32Array],
  inputs: readonly PackedInput[] | undefined,
  random: Random,
  out: Float32Array,
): void {
  if (!inputs) {
    points.fill(sample, reference, random, out);
    return;
  }
  let start = 0;
  for (const { shape } of inputs) {
    const length = sizeOf(shape);
    const part = new Float32Array(points.count * length);
    const own = (row: Float32Array): Float32Array => row.subarray(start, start + length);
    points.fill(own(sample), own(reference), random, part);
    for (let k = 0; k < points.count; k++) {
      out.set(part.subarray(k * length, (k + 1) * length), k * sample.length + start);
    }
    start += length;
  }
}
