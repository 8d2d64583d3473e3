// A network that reads plain numbers, for tests of what samples are drawn for it.
import type { Classifier } from '../../../evaluate/internal.ts';

/** A classifier of single labels, as it is described to whoever reads samples. */
export function numbersClassifier(sampleShape: readonly number[], classes: number): Classifier {
  return {
    ...{ input: 'x', sampleShape, output: 'y', task: 'single-label', taskSaid: false },
    ...{ outputShape: [classes], scores: classes, classes, probabilities: false, exclusive: true },
    fixedBatch: undefined,
  };
}
