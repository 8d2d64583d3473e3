// Local samples in two: some rank and repair, others measure.
import { basename, resolve } from 'node:path';
import type { Bundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { disjointDraws } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { hasClasses } from '../../util/index.ts';
import { type DataOptions, DEFAULT_PER_CLASS } from '../options.ts';
import type { Journal } from '../reporter.ts';
import { dataName, hasNoSplits, loadSamples, remarkIdentical, remarkPatients } from './samples.ts';

/** Samples of each class to measure on, unless options say otherwise. */
export const DEFAULT_VALIDATION = 100;

/** Samples that rank and repair, and validation samples that measure. */
export interface LocalDraws {
  readonly calibration: Dataset;
  readonly validation: Dataset;
}

/** How the local samples are divided. `perClass` is the number of samples of each class that rank and repair. */
export interface DrawOptions extends DataOptions {
  /** Measure on at most this many samples of each class; default 100. */
  readonly validationPerClass?: number | undefined;
}

/**
 * Two draws from the local split (from everything, if the data has no splits) that share no sample.
 * @throws BedsideError as `openDataset`; E_DATA when there are too few samples for both
 */
export async function localDraws(
  classifier: Classifier,
  options: DrawOptions,
  seed: number,
  journal: Journal,
): Promise<LocalDraws> {
  const { perClass = DEFAULT_PER_CLASS, validationPerClass = DEFAULT_VALIDATION, ...rest } = options;
  const whole = options.split === undefined && (await hasNoSplits(options.data, options.splitBy));
  const split = whole ? 'all' : 'local';
  const limit = perClass + validationPerClass;
  const classes = drawnClasses(classifier);
  const chosen =
    hasClasses(classifier.task) || classifier.task === 'multi-label' ? {} : { limit: limit * classes };
  const all = await loadSamples(
    classifier,
    { ...chosen, ...rest },
    { split, seed, perClass: limit },
    journal,
  );
  const limits = { first: perClass, second: validationPerClass, classes };
  const [calibration, validation] = disjointDraws(all, limits, seed);
  remarkIdentical([calibration], validation, journal);
  remarkPatients([calibration], validation, journal);
  journal.note(
    `ranking and repairing on ${calibration.size} samples, measuring on ${validation.size} others`,
  );
  return { calibration, validation };
}

/**
 * How many classes limits count where samples have none: those of masks, and of values and embeddings 2 to 5, as the
 * number of values says nothing of how many samples are enough.
 */
function drawnClasses({ task, classes }: Classifier): number {
  return task === 'regression' || task === 'embedding' ? Math.min(5, Math.max(2, classes)) : classes;
}

/**
 * Says when samples that measure may be among those that ranked and repaired the bundle. The draws that packed it come again
 * only from the same data, seed and counts.
 */
export function remarkOtherDraws(
  { manifest: { provenance } }: Bundle,
  { calibration, validation }: LocalDraws,
  { data, seed }: Pick<DataOptions, 'data'> & { readonly seed: number },
  journal: Journal,
): void {
  const same =
    basename(resolve(provenance.dataset)) === basename(resolve(dataName(data))) &&
    provenance.seed === seed &&
    provenance.calibration === calibration.size &&
    provenance.validation === validation.size;
  if (same) return;
  journal.remark(
    'measured on other draws than the bundle was packed with: some of these samples may have ranked or repaired it; ' +
      `it was packed with --data ${provenance.dataset} --seed ${provenance.seed}, ` +
      `${provenance.calibration} samples that ranked and ${provenance.validation} that measured`,
  );
}
