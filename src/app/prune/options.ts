// How much of a network is cut, by what, and on which samples.
import type { PruneAmount } from '../../prune/index.ts';
import type { CriterionChoice } from '../../prune/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { EngineOptions } from '../options.ts';
import type { WithInt8Options } from '../quantize/pruned-int8.ts';
import type { RankingOptions } from '../ranking.ts';
import type { TwoSetsOptions } from '../samples/samples.ts';

/** How a network is cut and repaired. */
export interface CutOptions extends RankingOptions, EngineOptions, WithInt8Options {
  /** The fraction of the channels of each group that is removed, in [0, 1). Give either this or `macs`. */
  readonly ratio?: number | undefined;
  /** The share of the multiply-accumulates that is left, in (0, 1]. */
  readonly macs?: number | undefined;
  /** The criterion that ranks the channels; default `auto`, which measures a short list and takes the best. */
  readonly criterion?: CriterionChoice | string | undefined;
  /** Channels that kept counts are aligned to; default: as this processor computes together. */
  readonly block?: number | undefined;
  /** Whether to repair the weights that read pruned channels, from the calibration samples; default true. */
  readonly repair?: boolean | undefined;
  /** The most positions that a layer is repaired from, over all samples; default 8192. */
  readonly maxPositions?: number | undefined;
  /** Whether to time both networks, which takes about 0.6 s; default true. */
  readonly speed?: boolean | undefined;
  readonly seed?: number | undefined;
  /** The ONNX file to write; default: none is written. */
  readonly out?: string | undefined;
}

/** The network and the samples that score and measure it. */
export interface PruneOptions extends CutOptions, TwoSetsOptions {}

/** @throws BedsideError E_USAGE unless exactly one of both is given */
export function amountOf({ ratio, macs }: Pick<CutOptions, 'ratio' | 'macs'>): PruneAmount {
  if (ratio !== undefined && macs === undefined) return { ratio };
  if (macs !== undefined && ratio === undefined) return { macsFraction: macs };
  throw new BedsideError('E_USAGE', 'prune needs either --ratio or --macs, and not both', {
    hint: '--ratio 0.3 removes 30 % of the channels of each group; --macs 0.5 leaves half of the multiply-accumulates',
  });
}
