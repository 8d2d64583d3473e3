// The result of `explain`.

import type { ScoreRemark } from '../../prune/internal.ts';
import type { TaskKind } from '../../util/index.ts';
import type { TargetOption } from '../ranking.ts';
import type { Said } from '../reporter.ts';
import type { WrittenHeatmaps } from './heatmaps.ts';
import type { SampleScores } from './sample-scores.ts';

/** The scores of all channels. */
export interface Explanation extends Said {
  /** Name of the criterion. */
  readonly criterion: string;
  /** What the network is for, which decides what is explained (docs/tasks.md). */
  readonly task: TaskKind;
  readonly target: TargetOption;
  /** Number of samples. */
  readonly samples: number;
  /** Milliseconds per sample to compute the scores. */
  readonly msPerSample: number;
  /** Milliseconds per sample of a forward run. */
  readonly forwardMsPerSample: number;
  /** Weighted layers in execution order, with one score per output channel. */
  readonly layers: readonly { readonly name: string; readonly scores: readonly number[] }[];
  /** One signed value for each sample and channel, if `perSample` is set. */
  readonly perSample?: SampleScores;
  /** Layers that another criterion scored, and layers whose channels all have the same score; absent if there are none. */
  readonly scoreRemarks?: readonly ScoreRemark[];
  /** The pictures, if `heatmaps` is set. */
  readonly heatmaps?: WrittenHeatmaps;
  /** The file of the scores, if `out` is set. */
  readonly out?: string;
}
