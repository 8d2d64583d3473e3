// The result of `compare`.
import type { Dataset } from '../../data/index.ts';
import type { CriteriaComparison } from '../../prune/index.ts';
import type { CompareRow, ScoreRemark } from '../../prune/internal.ts';
import { hasClasses, largest, smallest, type TaskKind } from '../../util/index.ts';
import type { Int8Base } from '../quantize/pruned-int8.ts';
import type { Said } from '../reporter.ts';
import type { CalibrationSources } from '../samples/calibration-sources.ts';

/** Facts about the labels of the test samples. */
export interface LabelFacts {
  /** Without labels, accuracy is agreement with the unpruned network. */
  readonly labelled: boolean;
  /** Whether some class has less than half the samples of another; accuracy alone then says little. */
  readonly imbalanced: boolean;
}

/** Measurements of the unpruned network. */
export type BaseMeasurements = Omit<CriteriaComparison['base'], 'predictions' | 'logits'>;

/** Measurements of every criterion at every ratio. */
export interface Comparison extends LabelFacts, Said {
  readonly task: TaskKind;
  readonly base: BaseMeasurements;
  /** The unpruned network in eight bits, where pruned ones are measured so. */
  readonly int8Base?: Int8Base;
  /** In the order of the criteria, then of the calibration sources, then by ascending ratio. */
  readonly rows: readonly CompareRow[];
  /** Seconds that scoring took, by criterion. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Layers that another criterion scored, and layers whose channels all have the same score; absent if there are none. */
  readonly scoreRemarks?: readonly ScoreRemark[];
  /** Number of samples that score. */
  readonly calibration: number;
  /** Number of samples that measure. */
  readonly test: number;
  readonly classNames: readonly string[];
  /** The share of each class, if a class prior is given. */
  readonly classMix?: readonly number[];
  /** Descriptions of the calibration sources, if they are compared. */
  readonly mixes?: CalibrationSources['words'];
  /** The page, if one is written. */
  readonly report?: string;
}

/** Whether a data set has labels, and whether its classes are imbalanced. */
export function labelFacts(
  { labels, targets }: Pick<Dataset, 'labels' | 'targets'>,
  task: TaskKind = 'single-label',
): LabelFacts {
  if (!hasClasses(task)) return { labelled: targets !== undefined, imbalanced: false };
  if (!labels) return { labelled: false, imbalanced: false };
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const present = [...counts.values()];
  return { labelled: true, imbalanced: smallest(present) * 2 < largest(present) };
}
