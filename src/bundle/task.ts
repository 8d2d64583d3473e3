// What a bundle says of its network's task, and what follows from it.
import { MEASURE_WORDS, TASK_MEASURES, type TaskKind } from '../util/index.ts';
import type { BundleManifest, BundleMeasure, BundleTask } from './manifest.ts';

/** The parts of a manifest that tell its task. */
export type Tasked = Pick<BundleManifest, 'task'> & {
  readonly model: Pick<BundleManifest['model'], 'output'>;
};

/** The task of a bundle; one that does not say it tells the class of a single label. */
export function taskOf({ task, model }: Tasked): BundleTask {
  const { classes } = model.output;
  return task ?? { kind: 'single-label', outputShape: [classes], classes };
}

/** The number of classes or labels that recall is told of: none for values and embeddings. */
export function recallsOf(tasked: Tasked): number {
  const { kind, classes } = taskOf(tasked);
  return kind === 'regression' || kind === 'embedding' ? 0 : classes;
}

/**
 * The measure of variants on labelled samples: the mean of the classes' recalls where a sample has one class, and the
 * task's main measure otherwise.
 */
export function labelledMeasure(kind: TaskKind): BundleMeasure {
  const [main] = TASK_MEASURES[kind];
  return main === 'accuracy' ? 'balanced' : (main as BundleMeasure);
}

/** What a bundle's measure is called in words, where it is not accuracy, the mean recall or agreement; else `accuracy`. */
export function figureWord({ measure }: Pick<BundleManifest['accuracy'], 'measure'>): string {
  return measure === 'balanced' || measure === 'agreement' ? 'accuracy' : MEASURE_WORDS[measure];
}

/** The same with what it is exactly: `balanced accuracy` for the mean of the classes' recalls, or `agreement`. */
export function measureTerm({ measure }: Pick<BundleManifest['accuracy'], 'measure'>): string {
  if (measure === 'agreement') return 'agreement';
  return measure === 'balanced' ? MEASURE_WORDS.balancedAccuracy : MEASURE_WORDS[measure];
}
