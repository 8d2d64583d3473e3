// Measures a network, or a bundle at chosen levels, on labelled samples.
import { type Classifier, describeClassifier, evaluateModel } from '../evaluate/internal.ts';
import { type Model, modelCosts } from '../onnx/index.ts';
import type { Uncounted } from '../onnx/internal.ts';
import { BedsideError } from '../util/index.ts';
import {
  type BundleSource,
  isBundle,
  type LevelFields,
  type LevelOptions,
  levelFields,
  networkAtLevels,
} from './bundle-levels.ts';
import { type ClassPriorOptions, priorShares, samplesInPrior } from './class-prior.ts';
import { type NetworkSource, networkOf } from './network.ts';
import { loadBundle } from './open-bundle.ts';
import type { DataOptions, EngineOptions } from './options.ts';
import { type Journal, journalOf, type Reporter, type Said } from './reporter.ts';
import { loadSamples } from './samples.ts';

/** Options of `evaluate`: the level vector of a bundle, and the samples (by default from the test split). */
export interface EvaluateOptions extends DataOptions, ClassPriorOptions, EngineOptions, LevelOptions {
  readonly seed?: number | undefined;
}

/** The result of `evaluate`. */
export interface EvaluateResult extends Said, Partial<LevelFields> {
  /** Number of samples. */
  readonly n: number;
  /** Share of samples whose predicted class is the label; with a class prior, as it would be with that prior. */
  readonly accuracy: number;
  /** Mean recall over the classes that have samples. */
  readonly balancedAccuracy: number;
  /** Recall of each class; NaN for a class without samples. */
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
  /** Samples of each class. */
  readonly perClass: readonly number[];
  /** Samples computed together. */
  readonly batch: number;
}

/**
 * Measures accuracy, recall of each class and time. The network of a bundle is put together at the levels asked for, with
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
  const { name, model, classifier, facts } = await subjectOf(network, options, journal);
  const loaded = await loadSamples(classifier, options, { split: 'test', seed }, journal);
  const shares = classPrior && priorShares(classPrior, loaded.classNames);
  const dataset = shares ? samplesInPrior(loaded, shares) : loaded;
  const {
    predictions: _,
    logits: __,
    ...found
  } = await journal.during('evaluating', (progress) =>
    evaluateModel(model, dataset, {
      name,
      batch,
      threads,
      classPrior: shares,
      onProgress: (done, total) => progress.update(done, total),
    }),
  );
  const perClass = new Array<number>(classifier.classes).fill(0);
  for (const label of dataset.labels ?? []) perClass[label] = (perClass[label] ?? 0) + 1;
  return {
    ...found,
    ...facts,
    classNames: dataset.classNames,
    ...(shares ? { classMix: Array.from(shares) } : {}),
    perClass,
    batch: classifier.fixedBatch ?? batch,
    ...journal.said(),
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
    const { name, original, classifier, costs } = await networkOf(source as NetworkSource, options, journal);
    assertWholeNetwork(name, options);
    const { macs, uncounted } = costs;
    return { name, model: original, classifier, facts: { macs, uncounted } };
  }
  const bundle = await loadBundle(source as BundleSource, journal);
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
