// Measures a network, or a bundle at chosen levels, on labelled samples, by the measures of its task.
import type { Dataset } from '../data/index.ts';
import type { Evaluation, LabelMeasures, Measures } from '../evaluate/index.ts';
import { type Classifier, describeClassifier, describeLeftOut, evaluateModel } from '../evaluate/internal.ts';
import { type Model, modelCosts } from '../onnx/index.ts';
import type { Uncounted } from '../onnx/internal.ts';
import { BedsideError, hasClasses, type TaskKind } from '../util/index.ts';
import { thresholdOf, usesThreshold } from '../util/internal.ts';
import {
  assertBundleOutput,
  type BundleSource,
  isBundle,
  type LevelFields,
  type LevelOptions,
  levelFields,
  networkAtLevels,
} from './bundle/bundle-levels.ts';
import { loadBundle } from './bundle/open-bundle.ts';
import type { NetworkSource } from './network/network.ts';
import { networkForData } from './network/task.ts';
import type { DataOptions, EngineOptions } from './options.ts';
import { type Journal, journalOf, type Reporter, type Said } from './reporter.ts';
import {
  assertPriorApplies,
  type ClassPriorOptions,
  priorShares,
  samplesInPrior,
} from './samples/class-prior.ts';
import { assertPreviewFolder, type WrittenPreview, writePreview } from './samples/preview.ts';
import { loadSamples } from './samples/samples.ts';

/** Options of `evaluate`: the level vector of a bundle, and the samples (by default from the test split). */
export interface EvaluateOptions extends DataOptions, ClassPriorOptions, EngineOptions, LevelOptions {
  readonly seed?: number | undefined;
  /** A folder for pictures of a few samples as the network reads them; it is made if it is missing. */
  readonly preview?: string | undefined;
}

/** The result of `evaluate`. */
export interface EvaluateResult extends Said, Partial<LevelFields> {
  /** Number of samples. */
  readonly n: number;
  readonly task: TaskKind;
  /** The measures of the task by name, the main one first (docs/tasks.md). NaN where the samples do not allow one. */
  readonly measures: Measures;
  /** The same for each label, class of a mask, or value, where there are several. */
  readonly byLabel?: readonly (Omit<LabelMeasures, 'label'> & { readonly label: string })[];
  /** The score above which something counts as found, where a threshold decides. */
  readonly threshold?: number;
  /**
   * Share of samples whose predicted class is the label; with a class prior, as it would be with that prior. Of tasks
   * without classes the main measure.
   */
  readonly accuracy: number;
  /** Mean recall over the classes that have samples. Of tasks without classes the main measure. */
  readonly balancedAccuracy: number;
  /** Recall of each class; NaN for a class without samples. Empty for tasks without classes. */
  readonly recall: readonly number[];
  /** Mean time of inference alone, after a warm-up run. */
  readonly msPerSample: number;
  readonly macs: number;
  /** Nodes whose multiply-accumulates are not known and count as 0. */
  readonly uncounted: readonly Uncounted[];
  readonly classNames: readonly string[];
  /** The share of each class, if a class prior was given. */
  readonly classMix?: readonly number[];
  /** For a bundle: its identity, its name, and the number of parameters at these levels. */
  readonly bundle?: string;
  readonly name?: string;
  readonly parameters?: number;
  /** Samples of each class; empty for tasks without classes. */
  readonly perClass: readonly number[];
  /** Samples computed together. */
  readonly batch: number;
  /** The pictures that were written, if they were asked for. */
  readonly preview?: WrittenPreview;
}

/**
 * Measures the task's measures, recall of each class and time. The network of a bundle is put together at the levels asked for, with
 * the correction that was stored if these levels have been measured.
 * @throws BedsideError E_USAGE for levels of a network that is no bundle; E_LEVELS; E_DATA without labels; as `networkOf`,
 *   `loadBundle` and `loadSamples`
 */
export async function evaluate(
  network: NetworkSource | BundleSource,
  options: EvaluateOptions,
  reporter?: Reporter | Journal,
): Promise<EvaluateResult> {
  const journal = journalOf(reporter);
  const { seed = 1, batch = 32, threads, classPrior } = options;
  if (options.preview !== undefined) await assertPreviewFolder(options.preview);
  const { name, model, classifier, facts } = await subjectOf(network, options, journal);
  if (classPrior) assertPriorApplies(classifier, name);
  const loaded = await loadSamples(classifier, options, { split: 'test', seed }, journal);
  const preview = options.preview && (await writePreview(options.preview, loaded, classifier, name));
  if (preview) journal.note(`${preview.samples} samples as the network reads them: ${preview.index}`);
  const shares = classPrior && priorShares(classPrior, loaded.classNames);
  const dataset = shares ? samplesInPrior(loaded, shares) : loaded;
  const found = await journal.during('evaluating', (progress) =>
    evaluateModel(model, dataset, {
      name,
      batch,
      threads,
      classPrior: shares,
      onProgress: (done, total) => progress.update(done, total),
    }),
  );
  for (const line of describeLeftOut(found, dataset.classNames)) journal.remark(line);
  return {
    ...measuredFields(classifier, found, dataset),
    ...facts,
    classNames: dataset.classNames,
    ...(shares ? { classMix: Array.from(shares) } : {}),
    perClass: hasClasses(classifier.task) ? samplesOfClasses(classifier.classes, dataset) : [],
    batch: classifier.fixedBatch ?? batch,
    ...(preview ? { preview } : {}),
    ...journal.said(),
  };
}

function samplesOfClasses(classes: number, { labels }: Dataset): number[] {
  const perClass = new Array<number>(classes).fill(0);
  for (const label of labels ?? []) perClass[label] = (perClass[label] ?? 0) + 1;
  return perClass;
}

/** The measurements, with the names of labels. */
function measuredFields(
  classifier: Classifier,
  { n, task, measures, byLabel, accuracy, balancedAccuracy, recall, msPerSample }: Evaluation,
  { classNames }: Dataset,
) {
  return {
    n,
    task,
    measures,
    ...{ accuracy, balancedAccuracy, recall },
    ...(usesThreshold(classifier) ? { threshold: thresholdOf(classifier) } : {}),
    ...(byLabel
      ? { byLabel: byLabel.map((row) => ({ ...row, label: classNames[row.label] ?? String(row.label) })) }
      : {}),
    msPerSample,
  };
}

/** The network to evaluate, and the facts that go into its result beside the measurements. */
interface Subject {
  readonly name: string;
  readonly model: Model;
  readonly classifier: Classifier;
  readonly facts: Pick<EvaluateResult, 'macs' | 'uncounted' | 'bundle' | 'name' | 'parameters'> &
    Partial<LevelFields>;
}

async function subjectOf(
  source: NetworkSource | BundleSource,
  options: EvaluateOptions,
  journal: Journal,
): Promise<Subject> {
  if (!(await isBundle(source))) {
    const network = await networkForData(source as NetworkSource, options.data, options, journal);
    const { name, original, classifier, costs } = network;
    assertWholeNetwork(name, options);
    const { macs, uncounted } = costs;
    return { name, model: original, classifier, facts: { macs, uncounted } };
  }
  const bundle = await loadBundle(source as BundleSource, journal);
  assertBundleOutput(bundle, options.output);
  const at = networkAtLevels(bundle, options);
  const { macs, parameters, uncounted } = modelCosts(at.model);
  return {
    name: bundle.dir,
    model: at.model,
    classifier: describeClassifier(at.model, bundle.dir),
    facts: {
      macs,
      uncounted,
      ...{ bundle: bundle.sha256, name: bundle.manifest.name, ...levelFields(at), parameters },
    },
  };
}

/** @throws BedsideError E_USAGE for levels of a network that has none */
function assertWholeNetwork(name: string, { levels, ratio }: LevelOptions): void {
  if (levels === undefined && ratio === undefined) return;
  throw new BedsideError('E_USAGE', `levels need a bundle, and ${name} is a model`, {
    hint: 'make a bundle with `pack`; a model is made smaller by `prune`',
  });
}
