// HRank (Lin et al., CVPR 2020): the average rank of a channel's feature map.
import { scoredLayers, sizeOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import type { BatchFirst } from '../backward/batch-first.ts';
import type { Criterion } from '../criterion.ts';
import { eachActivation } from './activations.ts';

export const HRANK: Criterion = {
  name: 'hrank',
  family: 'reference',
  summary:
    "average rank of the channel's feature maps; in 1-D and dense layers the share of samples where it is not zero",
  source: 'Lin et al., CVPR 2020',
  needsSamples: true,
  async score(context) {
    const layers = scoredLayers(context.model);
    const totals = layers.map(({ channels }) => new Float64Array(channels));
    const maps: Maps[] = [];
    let weight = 0;
    await eachActivation(
      context,
      // Unchanged: behind an Identity, ONNX Runtime 1.30 loses a value that it pads for an average pool.
      (_builder, activated) => {
        maps.push(new Maps(activated));
        return [activated.value];
      },
      (values, sampleWeight) => {
        weight += sampleWeight;
        totals.forEach((sums, l) => {
          const data = must(values[l]?.[0], 'layers changed between batches');
          for (let c = 0; c < sums.length; c++) {
            sums[c] = (sums[c] as number) + sampleWeight * must(maps[l], 'no maps').meanRank(data, c);
          }
        });
      },
    );
    return layers.map(({ name }, l) => ({
      layer: name,
      scores: must(totals[l], 'no totals').map((sum) => sum / (weight || 1)),
    }));
  },
};

/** The layout of one sample's feature maps: 2-D maps as they are, anything else as one row. */
class Maps {
  readonly #rows: number;
  readonly #columns: number;
  readonly #channelStride: number;
  /** Offsets of the elements of a map from its start, and the starts of the maps of one channel. */
  readonly #elements: Int32Array;
  readonly #starts: Int32Array;

  constructor({ shape, channelAxis, merged }: BatchFirst) {
    const stride = (axis: number): number => sizeOf(shape.slice(axis + 1));
    const spatial = [...shape.keys()].filter(
      (axis) => axis !== 0 && axis !== channelAxis && !merged.includes(axis),
    );
    const sizes = spatial.map((axis) => shape[axis] as number);
    [this.#rows, this.#columns] = sizes.length === 2 ? (sizes as [number, number]) : [1, sizeOf(sizes)];
    this.#channelStride = stride(channelAxis);
    const offsets = (axes: readonly number[]): Int32Array =>
      axes.reduce(
        (all, axis) =>
          Int32Array.from({ length: all.length * (shape[axis] as number) }, (_, i) => {
            const size = shape[axis] as number;
            return (all[Math.floor(i / size)] as number) + (i % size) * stride(axis);
          }),
        new Int32Array(1),
      );
    this.#elements = offsets(spatial);
    this.#starts = offsets(merged);
  }

  /**
   * The rank of a channel's map in one sample (`[...]` without the batch); the mean where a sample has several maps.
   */
  meanRank(data: Float32Array, channel: number): number {
    let total = 0;
    for (const start of this.#starts) {
      const from = start + channel * this.#channelStride;
      const matrix = Float64Array.from(this.#elements, (offset) => data[from + offset] as number);
      total += rankOf(matrix, this.#rows, this.#columns);
    }
    return total / this.#starts.length;
  }
}

/**
 * Numerical rank by Gaussian elimination with full pivoting; pivots below 1e-6 of the largest entry (the precision of
 * float32 activations) count as zero.
 */
export function rankOf(matrix: Float64Array, rows: number, columns: number): number {
  const at = (r: number, c: number): number => matrix[r * columns + c] as number;
  let threshold: number | undefined;
  for (let rank = 0; rank < Math.min(rows, columns); rank++) {
    let [best, row, column] = [0, rank, rank];
    for (let r = rank; r < rows; r++) {
      for (let c = rank; c < columns; c++) {
        const size = Math.abs(at(r, c));
        if (size > best) [best, row, column] = [size, r, c];
      }
    }
    threshold ??= best * 1e-6;
    if (best <= threshold || best === 0) return rank;
    for (let c = 0; c < columns; c++) swap(matrix, rank * columns + c, row * columns + c);
    for (let r = 0; r < rows; r++) swap(matrix, r * columns + rank, r * columns + column);
    for (let r = rank + 1; r < rows; r++) {
      const factor = at(r, rank) / at(rank, rank);
      if (factor === 0) continue;
      for (let c = rank; c < columns; c++) matrix[r * columns + c] = at(r, c) - factor * at(rank, c);
    }
  }
  return Math.min(rows, columns);
}

function swap(matrix: Float64Array, a: number, b: number): void {
  const kept = matrix[a] as number;
  matrix[a] = matrix[b] as number;
  matrix[b] = kept;
}
