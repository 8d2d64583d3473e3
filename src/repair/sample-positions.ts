// Draws the positions at which a layer is fitted: the same in the pruned network and in the unpruned one.
import type { WeightedLayer } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import type { RepairSamples } from './augment.ts';
import { drawPositions, Unfolding } from './rows.ts';

/** Most bytes that the rows of one layer may take. */
const ROW_BYTES = 256 * 2 ** 20;
/**
 * Rows for each unknown of a grouped layer, and the fewest. A depthwise channel has few unknowns, for which this is plenty,
 * but there are thousands of channels.
 */
const GROUPED_ROWS = { perUnknown: 64, least: 1024 } as const;

/** The output positions at which a layer is fitted. */
export interface SamplePositions {
  /** Positions of each sample. */
  readonly positions: readonly Int32Array[];
  readonly perSample: number;
  /** Number of rows of all samples, and of the samples that fit. */
  readonly rows: number;
  readonly fitRows: number;
  /** The seed that drew the positions. */
  readonly seed: number;
}

/** Draws the positions of a layer. They must suit every width of the network, so `layer` is the unpruned one. */
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
  const { perUnknown, least } = GROUPED_ROWS;
  const enough = groups > 1 ? Math.max(least, perUnknown * columns) : maxPositions;
  const positions = drawPositions(
    samples.size,
    count,
    Math.min(maxPositions, most, enough),
    new Random(seed),
  );
  const perSample = positions[0]?.length ?? 0;
  return { positions, perSample, rows: perSample * samples.size, fitRows: perSample * samples.fitSize, seed };
}
