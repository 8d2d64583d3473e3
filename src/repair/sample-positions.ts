// Where each layer is read: the same places for the network as it is and for the unpruned one.
import type { WeightedLayer } from '../onnx/index.ts';
import { Random } from '../util/index.ts';
import type { RepairSamples } from './augment.ts';
import { drawPositions, Unfolding } from './rows.ts';

/** Bytes that the rows of one layer may take. */
const ROW_BYTES = 256 * 2 ** 20;

/** Output positions of a layer at which it is fit. */
export interface SamplePositions {
  /** By sample. */
  readonly positions: readonly Int32Array[];
  readonly perSample: number;
  /** Of all samples, and of those that fit. */
  readonly rows: number;
  readonly fitRows: number;
}

/** Draws the places of a layer. As many for every width of the network, so `layer` is the unpruned one. */
export function samplePositionsOf(
  layer: WeightedLayer,
  samples: RepairSamples,
  maxPositions: number,
  seed: number,
): SamplePositions {
  const { columns, positions: count } = new Unfolding(layer);
  const { groups } = layer;
  const width = columns + 1 + layer.channels / groups;
  const most = Math.max(samples.size, Math.floor(ROW_BYTES / (8 * groups * width)));
  const positions = drawPositions(samples.size, count, Math.min(maxPositions, most), new Random(seed));
  const perSample = positions[0]?.length ?? 0;
  return { positions, perSample, rows: perSample * samples.size, fitRows: perSample * samples.fitSize };
}
