// Samples of an operator's that people may pick to look at: a few of each class, as the network reads them.
import type { Bundle } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { hasClasses } from '../../util/index.ts';
import { classifierOf } from '../bundle/open-bundle.ts';
import type { Journal } from '../reporter.ts';
import { labelOf } from '../samples/preview.ts';
import { loadSamples } from '../samples/samples.ts';

/** Samples that are kept, and bytes of them. */
const MOST_SAMPLES = 240;
const MOST_BYTES = 64 * 2 ** 20;

/** Samples in memory, and what each is. */
export interface PickedSamples {
  readonly dataset: Dataset;
  readonly labels: readonly string[];
}

/**
 * Reads samples of a data set, by the split that accuracy is measured on.
 * @throws BedsideError as `openDataset`
 */
export async function pickedSamples(bundle: Bundle, data: string, journal: Journal): Promise<PickedSamples> {
  const classifier = classifierOf(bundle);
  const bytes = 4 * classifier.sampleShape.reduce((product, axis) => product * axis, 1);
  const most = Math.max(1, Math.min(MOST_SAMPLES, Math.floor(MOST_BYTES / bytes)));
  const perClass = Math.floor(most / classifier.classes);
  const isFew = hasClasses(classifier.task) && perClass > 0;
  const dataset = await loadSamples(
    classifier,
    { data, ...(isFew ? {} : { limit: most }) },
    { split: 'test', seed: 1, ...(isFew ? { perClass } : {}) },
    journal,
  );
  // Data whose classes have no names are called as the bundle calls them.
  const own = taskOf(bundle.manifest).labels ?? classifier.contract?.classes;
  const isNamed = dataset.classNames.some((name, i) => name !== String(i));
  const named = isNamed || !own ? dataset : { ...dataset, classNames: own };
  return { dataset, labels: Array.from({ length: dataset.size }, (_, i) => labelOf(named, i)) };
}
