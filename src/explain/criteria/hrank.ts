// HRank (Lin et al., CVPR 2020): the average rank of a channel's feature map.
import { must } from '../../util/index.ts';
import type { Criterion } from '../criterion.ts';
import { linearLayers } from '../linear.ts';
import { eachActivation } from './activations.ts';

export const HRANK: Criterion = {
  name: 'hrank',
  family: 'reference',
  summary:
    "average rank of the channel's feature maps; in 1-D and dense layers the share of samples where it is not zero",
  source: 'Lin et al., CVPR 2020',
  needsSamples: true,
  async score(context) {
    const layers = linearLayers(context.model);
    const totals = layers.map(({ channels }) => new Float64Array(channels));
    let weight = 0;
    await eachActivation(
      context,
      (builder, _layer, activated) => [builder.node('Identity', [activated], {}, 'map')],
      (values, sampleWeight) => {
        weight += sampleWeight;
        layers.forEach((layer, l) => {
          const map = must(values[l]?.[0], 'layers changed between batches');
          const sums = must(totals[l], 'no totals');
          const [rows, columns] = matrixOf(layer.outputShape, layer.channelAxis);
          for (let c = 0; c < layer.channels; c++) {
            const matrix = channelMatrix(map, layer.channels, layer.channelAxis === 1, c);
            sums[c] = (sums[c] as number) + sampleWeight * rankOf(matrix, rows, columns);
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

/** A feature map's axes as rows and columns: 2-D as it is, anything else as one row. */
function matrixOf(shape: readonly number[], channelAxis: number): [number, number] {
  const spatial = shape.filter((_, axis) => axis !== 0 && axis !== channelAxis);
  if (spatial.length === 2) return [spatial[0] as number, spatial[1] as number];
  return [1, spatial.reduce((product, size) => product * size, 1)];
}

/** One channel of `[channels, ...]`, or of `[..., channels]`. */
function channelMatrix(map: Float32Array, channels: number, first: boolean, channel: number): Float64Array {
  const size = map.length / channels;
  return Float64Array.from({ length: size }, (_, i) =>
    first ? (map[channel * size + i] as number) : (map[i * channels + channel] as number),
  );
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
