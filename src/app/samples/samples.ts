// The samples that a use case reads: one set, or samples to score with and others to measure on.

import { type Dataset, openDataset, subset } from '../../data/index.ts';
import {
  areImages,
  countIdentical,
  type DatasetSplit,
  indicesOutside,
  isUnsplitArchive,
  LabelMap,
  selectIndices,
  selectSamples,
  shapeMisfit,
  sharedPatients,
  splitInTwo,
} from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { BedsideError, counted, must } from '../../util/index.ts';
import { contractForData } from '../network/contract.ts';
import { type DataOptions, DEFAULT_PER_CLASS } from '../options.ts';
import type { Journal } from '../reporter.ts';
import { type ClassPriorOptions, priorShares, samplesInPrior } from './class-prior.ts';

/** Which samples, where the options do not say. */
export interface DataDefaults {
  readonly split: DatasetSplit;
  readonly seed: number;
  /** At most this many of each class, if the data has labels and neither --per-class nor --limit is given. */
  readonly perClass?: number | undefined;
  /** Of files with several frames only this one, from 0. */
  readonly frame?: number | undefined;
}

/**
 * Reads the samples that the options ask for, as the model reads them.
 * @throws BedsideError as `openDataset`
 */
export async function loadSamples(
  network: Classifier,
  options: DataOptions,
  defaults: DataDefaults,
  journal: Journal,
): Promise<Dataset> {
  const contract = await contractForData(network, options);
  const classifier = { ...network, contract };
  const { perClass = options.limit === undefined ? defaults.perClass : undefined } = options;
  const open = (limit: number | undefined): Promise<Dataset> =>
    journal.during(`reading ${dataName(options.data)}`, async (progress) => {
      const selection = {
        perClass: limit,
        limit: options.limit,
        classFilter: options.classes,
        seed: defaults.seed,
      };
      if (typeof options.data !== 'string')
        return { ...selected(options.data, classifier, selection), splitBy: options.splitBy };
      return await openDataset(options.data, {
        ...selection,
        sampleShape: classifier.sampleShape,
        classes: classifier.classes,
        contract,
        task: classifier.task,
        outputShape: classifier.outputShape,
        inputs: classifier.inputs,
        output: `output '${classifier.output}' [${['batch', ...classifier.outputShape].join(', ')}]`,
        split: options.split ?? defaults.split,
        splitBy: options.splitBy,
        records: options.records,
        series: options.series,
        ...{ maxPixels: options.maxPixels, frame: defaults.frame },
        rate: options.samplingRate ?? contract?.signal?.samplingRate ?? classifier.samplingRate,
        skipBad: options.skipBad,
        onProgress: (done, total) => progress.update(done, total),
      });
    });
  const dataset = await open(perClass).catch(async (error: unknown) => {
    // A limit for each class that nobody asked for must not refuse data without labels.
    if (options.perClass !== undefined || perClass === undefined || !BedsideError.is(error, 'E_DATA'))
      throw error;
    const whole = await open(undefined).catch(() => undefined);
    if (!whole || whole.labels) throw error;
    const limit = perClass * classifier.classes;
    return subset(whole, selectIndices(whole.size, undefined, { limit, seed: defaults.seed }, whole.name));
  });
  remarkRead(dataset, journal);
  return dataset;
}

/** Chooses samples of a data set that is read already. */
function selected(
  dataset: Dataset,
  { sampleShape, classes, contract, inputs }: Classifier,
  selection: Parameters<typeof selectIndices>[2],
): Dataset {
  const { name, sampleShape: shape, classNames, labels } = dataset;
  if (shape.join() !== sampleShape.join()) throw shapeMisfit(sampleShape, `[${shape.join(', ')}]`, name);
  const map = LabelMap.named({ classes, contract }, classNames, name);
  const mapped = labels && map.apply(labels);
  const own = { ...dataset, ...(inputs && { inputs }), labels: mapped?.labels };
  const chosen = subset(own, selectSamples(own, selection, classes, name));
  return {
    ...chosen,
    classNames: map.classNames,
    passedOver: [...(dataset.passedOver ?? []), ...(mapped?.leftOut ?? [])],
    remarks: [...(dataset.remarks ?? []), ...map.remarks],
  };
}

/**
 * Whether data has no local and test split: an archive of x and y, or a data set that is read already. Splits by patient
 * are drawn from any data that is read.
 */
export async function hasNoSplits(data: string | Dataset, splitBy?: 'patient'): Promise<boolean> {
  return typeof data !== 'string' || (splitBy === undefined && (await isUnsplitArchive(data)));
}

/** The name of data in messages. */
export function dataName(data: string | Dataset): string {
  return typeof data === 'string' ? data : data.name;
}

/** Samples to score channels with, and samples to measure on, with none in common. */
export interface TwoSets {
  readonly calibration: Dataset;
  readonly test: Dataset;
  /** Share of each class, when a mix is asked for; only its classes are in the samples. */
  readonly shares?: Float64Array | undefined;
}

/** Both sets, with the samples for scoring drawn several times. */
export interface DrawnSets extends TwoSets {
  /** `calibration` is the first. */
  readonly draws: readonly Dataset[];
}

/** Samples to score with, and samples to measure on. */
export interface TwoSetsOptions extends DataOptions, ClassPriorOptions {
  /** Measure on at most this many samples; default all. */
  readonly testLimit?: number | undefined;
}

/**
 * Reads both sets: calibration from the local split (or that of --split) and limited, the rest from the test split, without
 * samples of the calibration. Archives without splits are divided, whatever --split says: a third (by class and seed) for
 * calibration, the others for measuring.
 * @throws BedsideError as `openDataset`; as `priorShares` and `samplesInPrior`
 */
export async function loadTwoSets(
  classifier: Classifier,
  options: TwoSetsOptions,
  seed: number,
  journal: Journal,
): Promise<TwoSets> {
  const { calibration, test, shares } = await loadDraws(classifier, options, [seed], journal);
  return { calibration, test, shares };
}

/**
 * The same with one draw of samples for scoring for each seed. What is measured on does not depend on their number,
 * but where scoring draws from the same split, of which no sample that scores is measured on.
 * @throws BedsideError as `loadTwoSets`
 */
export async function loadDraws(
  classifier: Classifier,
  options: TwoSetsOptions,
  seeds: readonly number[],
  journal: Journal,
): Promise<DrawnSets> {
  const [seed = 1] = seeds;
  if (await hasNoSplits(options.data, options.splitBy)) {
    const { perClass, limit, split, ...rest } = options;
    const all = await loadSamples(classifier, rest, { split: 'all', seed }, journal);
    const [local, test] = splitInTwo(all, 1 / 3, seed);
    const wanted =
      perClass ?? (limit === undefined && (local.labels || local.targets) ? DEFAULT_PER_CLASS : undefined);
    journal.note('the data has no local and test split: a third was set apart for scoring');
    if (split !== undefined) journal.remark(`--split ${split} chose nothing: the data has no splits`);
    const draws = seeds.map((one) => {
      const selection = { perClass: wanted, limit, seed: one };
      return subset(local, selectSamples(local, selection, classifier.classes, local.name));
    });
    noteLeftOver(classifier, draws, journal);
    return drawnSets(draws, limited(test, options.testLimit, seed), options, journal);
  }
  const draws: Dataset[] = [];
  for (const one of seeds) {
    const defaults = { split: 'local', seed: one, perClass: DEFAULT_PER_CLASS } as const;
    draws.push(await loadSamples(classifier, options, defaults, journal));
  }
  const { split: _, perClass: __, limit: ___, testLimit, ...rest } = options;
  // Enough for the limit even if every sample for scoring is among them.
  const scoring = draws.reduce((sum, { size }) => sum + size, 0);
  const enough = testLimit === undefined ? {} : { limit: testLimit + scoring };
  const all = await loadSamples(classifier, { ...rest, ...enough }, { split: 'test', seed }, journal);
  const test = withoutUsed(all, draws, journal);
  noteLeftOver(classifier, draws, journal);
  return drawnSets(draws, limited(test, testLimit, seed), options, journal);
}

/** Says how many samples a batch that the model fixes leaves over: scoring runs whole batches. */
export function noteLeftOver(
  { fixedBatch, scoredOpen }: Classifier,
  draws: readonly Dataset[],
  journal: Journal,
): void {
  const [draw] = draws;
  const left = fixedBatch === undefined || scoredOpen || !draw ? 0 : draw.size % fixedBatch;
  if (left === 0 || left === draw?.size) return;
  journal.remark(
    `the model fixes a batch of ${fixedBatch}: ${left} of ${draw?.size} samples for scoring are left over, and not scored with`,
  );
}

function drawnSets(
  draws: readonly Dataset[],
  test: Dataset,
  { classPrior }: TwoSetsOptions,
  journal: Journal,
): DrawnSets {
  remarkIdentical(draws, test, journal);
  remarkPatients(draws, test, journal);
  const shares = classPrior && priorShares(classPrior, test.classNames);
  const chosen = shares ? draws.map((draw) => (draw.labels ? samplesInPrior(draw, shares) : draw)) : draws;
  const measured = shares && test.labels ? samplesInPrior(test, shares) : test;
  return { calibration: must(chosen[0], 'a draw of samples'), draws: chosen, test: measured, shares };
}

function limited(dataset: Dataset, limit: number | undefined, seed: number): Dataset {
  if (limit === undefined || limit >= dataset.size) return dataset;
  return subset(dataset, selectIndices(dataset.size, dataset.labels, { limit, seed }, dataset.name));
}

/**
 * The samples that remain for measuring after the scoring samples are taken away. Both may come from one split.
 * @throws BedsideError E_DATA when nothing is left
 */
export function withoutUsed(test: Dataset, draws: readonly Dataset[], journal: Journal): Dataset {
  const rest = indicesOutside(test, draws);
  if (rest.length === test.size) return test;
  const what = areImages(test) ? 'images' : 'samples';
  if (rest.length === 0) {
    throw new BedsideError(
      'E_DATA',
      `${test.name} has too few ${what}: all ${test.size} are used for scoring`,
      {
        hint: areImages(test)
          ? 'score on fewer with --per-class or --limit, or give the data local and test folders'
          : 'score on fewer with --per-class or --limit, or leave out --split',
      },
    );
  }
  journal.note(`${test.size - rest.length} ${what} that scoring uses are left out of the measurement`);
  return subset(test, rest);
}

/** Says how many samples that measure have the very numbers of one that scores: copies, which measure nothing new. */
export function remarkIdentical(scoring: readonly Dataset[], measured: Dataset, journal: Journal): void {
  const count = countIdentical(measured, scoring);
  if (count === 0) return;
  journal.remark(
    `${count} of ${measured.size} samples that are measured on are copies, number for number, of samples that score`,
  );
}

/** Says how many patients that are measured on are scored with too: the network knows them. */
export function remarkPatients(scoring: readonly Dataset[], measured: Dataset, journal: Journal): void {
  const found = sharedPatients(measured, scoring);
  // Data of one patient alone is of that patient on purpose.
  if (!found || found.shared === 0 || found.all === 1) return;
  journal.remark(
    `${found.shared} of ${found.all} patients that are measured on are scored with too, so measures may be lower for new ` +
      'patients; --split-by patient keeps them apart (docs/data.md says whose a sample is)',
  );
}

// More lines than these help nobody.
const MOST_NAMED = 20;
const MOST_EXAMPLES = 5;

/** Says what of the data was not read, and what was assumed to read the rest. */
function remarkRead(
  { skipped, passedOver = [], remarks = [], rate, leads }: Dataset,
  journal: Journal,
): void {
  for (const { path, reason } of skipped.slice(0, MOST_NAMED)) journal.note(`skipped ${path}: ${reason}`);
  if (skipped.length > 0) {
    const examples = skipped.slice(0, MOST_EXAMPLES).map(({ path }) => path);
    journal.skip({ reason: 'images that cannot be read', count: skipped.length, examples });
  }
  for (const entry of passedOver) journal.skip(entry);
  for (const remark of remarks) journal.remark(remark);
  if (rate === undefined || leads === undefined) return;
  const told = Object.entries(leads).map(([lead, count]) => `${lead} (${counted(count, 'record')})`);
  journal.note(`lead ${told.join(', ')}, ${rate} samples a second`);
  journal.signals({ rate, leads });
}
