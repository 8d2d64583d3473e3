// Measures a network on samples: the measures of its task, recall of each class, and time.
import type { Dataset } from '../data/index.ts';
import { createSession, type EngineOptions, type Session, tensor } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { assertFiniteWeights, withSqueezeAxes } from '../onnx/internal.ts';
import {
  BedsideError,
  hasClasses,
  MEASURE_WORDS,
  must,
  TASK_MEASURES,
  type TaskKind,
} from '../util/index.ts';
import { assertFiniteRows, assertFiniteSamples, predictedClasses, rowRange } from '../util/internal.ts';
import { assertScores, type Classifier, describeClassifier } from './classifier.ts';
import { agreement } from './measures/agreement.ts';
import {
  binaryMeasures,
  type LabelMeasures,
  type Measured,
  type Measures,
  mainMeasure,
  measuresOf,
} from './measures/measures.ts';

/** How an evaluation runs; `batch` is 32 by default. */
export interface EvaluateModelOptions extends EngineOptions {
  /** Name of the model in error messages. */
  readonly name: string;
  /**
   * What takes the place of missing labels: the scores of another network `[n, ...]`, or one class for each sample, so
   * that agreement with it is measured; or `own`, the network's own answers, for a network that is itself the reference.
   */
  readonly reference?: Float32Array | Int32Array | 'own' | undefined;
  /**
   * How often each class occurs, non-negative: accuracy is then estimated for that prior instead of the samples' own;
   * see `accuracies`.
   */
  readonly classPrior?: ArrayLike<number> | undefined;
  /** Called with the number of samples done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The result of an evaluation. */
export interface Evaluation {
  /** Number of samples. */
  readonly n: number;
  readonly task: TaskKind;
  /** The measures of the task, the main one first; agreement alone where there are no labels. */
  readonly measures: Measures;
  /** The same by label, class of a mask, or value, where there are several. */
  readonly byLabel?: readonly LabelMeasures[];
  /** The labels that a mean leaves out, by measure. */
  readonly leftOut: Measured['leftOut'];
  /**
   * Share of samples whose predicted class is the expected one; with a class prior, the estimate for that prior. Of
   * tasks without classes the main measure.
   */
  readonly accuracy: number;
  /** Mean recall over the classes that have samples. Of tasks without classes the main measure. */
  readonly balancedAccuracy: number;
  /** Recall of each class; NaN where the class has no sample. Empty for tasks without classes. */
  readonly recall: readonly number[];
  /**
   * The class with the highest score for each sample, the lowest index among equals; 0 or 1 of a binary task. Empty for
   * tasks without classes.
   */
  readonly predictions: Int32Array;
  /** The scores, `[n, ...outputShape]`. */
  readonly logits: Float32Array;
  /** Mean milliseconds of inference alone, without a first batch that warms up. */
  readonly msPerSample: number;
}

/**
 * Runs a model over all samples. Its session exists only while this runs.
 * @throws BedsideError E_DATA when there are neither labels nor reference predictions, or no samples
 * @throws BedsideError E_DATA_FIT when the samples' shape is not the model's
 * @throws BedsideError E_MODEL for weights, E_DATA for samples, E_NOT_FINITE for scores that are NaN or infinite
 * @throws BedsideError as `describeClassifier`, `assertScores` and `createSession`
 */
export async function evaluateModel(
  model: Model,
  dataset: Dataset,
  options: EvaluateModelOptions,
): Promise<Evaluation> {
  const classifier = describeClassifier(model, options.name);
  assertMeasurable(classifier, dataset, options);
  assertFit(classifier, dataset, options.name);
  assertFiniteWeights(model, options.name);
  assertFiniteSamples(dataset);
  const session = await createSession(withSqueezeAxes(model), {
    name: options.name,
    threads: options.threads ?? 1,
  });
  try {
    const { logits, msPerSample } = await predict(session, classifier, dataset, options);
    return {
      n: dataset.size,
      task: classifier.task,
      ...quality(classifier, logits, dataset, options),
      logits,
      msPerSample,
    };
  } finally {
    await session.release();
  }
}

/** The measures of scores against the data's labels or targets; without them, against the reference. */
function quality(
  classifier: Classifier,
  logits: Float32Array,
  dataset: Dataset,
  { name, reference, classPrior }: EvaluateModelOptions,
): Omit<Evaluation, 'n' | 'task' | 'logits' | 'msPerSample'> {
  const whose = (i: number): string => `${name}: the scores of sample ${i} of ${dataset.name}`;
  if (hasClasses(classifier.task)) {
    const predictions = predictedClasses(classifier, logits, whose);
    const others = reference === 'own' ? predictions : reference;
    const classes = others instanceof Float32Array ? predictedClasses(classifier, others, whose) : others;
    const expected = must(dataset.labels ?? classes, 'labels, or a reference');
    const found = accuracies(predictions, expected, classifier.classes, classPrior);
    const { accuracy, balancedAccuracy } = found;
    const more = classifier.task === 'binary' ? binaryMeasures(classifier, logits, expected) : {};
    const measures: Measures = dataset.labels
      ? { accuracy, balancedAccuracy, ...more }
      : { agreement: accuracy };
    return { ...found, predictions, measures, leftOut: {} };
  }
  assertFiniteRows(logits, dataset.size, classifier.scores, whose);
  const measured = measuredOf(classifier, logits, dataset, reference);
  const { value } = mainMeasure(measured.measures);
  return {
    ...measured,
    accuracy: value,
    balancedAccuracy: value,
    recall: [],
    predictions: new Int32Array(0),
  };
}

function measuredOf(
  classifier: Classifier,
  logits: Float32Array,
  { targets, name }: Dataset,
  reference: EvaluateModelOptions['reference'],
): Measured {
  if (targets) return measuresOf(classifier, logits, targets, name);
  const others = reference instanceof Float32Array ? reference : logits;
  return { measures: { agreement: agreement(classifier, others, logits) }, leftOut: {} };
}

/**
 * Accuracy, mean recall over the classes that occur, and recall of each class (NaN where the class does not occur).
 * With a class prior, accuracy is the sum of prior x recall, and the mean recall is over the classes of the prior.
 * @param classPrior one non-negative share for each class, normalised here
 * @throws BedsideError E_DATA when the prior has a class that does not occur
 */
export function accuracies(
  predictions: Int32Array,
  expected: Int32Array,
  classes: number,
  classPrior?: ArrayLike<number>,
): Pick<Evaluation, 'accuracy' | 'balancedAccuracy' | 'recall'> {
  const { right, total } = classCounts(predictions, expected, classes);
  const recall = Array.from(total, (count, label) => (right[label] ?? 0) / count);
  if (classPrior) return { ...accuraciesForPrior(recall, classPrior), recall };
  const present = recall.filter((value) => !Number.isNaN(value));
  return {
    accuracy: sum(right) / expected.length,
    balancedAccuracy: sum(present) / present.length,
    recall,
  };
}

/** The number of samples of each class, and how many of them are predicted right. */
export function classCounts(
  predictions: Int32Array,
  expected: Int32Array,
  classes: number,
): { readonly right: Float64Array; readonly total: Float64Array } {
  const right = new Float64Array(classes);
  const total = new Float64Array(classes);
  expected.forEach((label, i) => {
    total[label] = (total[label] ?? 0) + 1;
    if (predictions[i] === label) right[label] = (right[label] ?? 0) + 1;
  });
  return { right, total };
}

function accuraciesForPrior(recall: readonly number[], classPrior: ArrayLike<number>) {
  const total = sum(classPrior);
  const local = recall.flatMap((value, label) => {
    const share = (classPrior[label] ?? 0) / total;
    if (share > 0 && Number.isNaN(value)) {
      throw new BedsideError(
        'E_DATA',
        `the class prior has class ${label}, but no sample to measure on does`,
        {
          hint: 'measure on more samples, or leave the class out of the prior',
        },
      );
    }
    return share > 0 ? [{ share, value }] : [];
  });
  return {
    accuracy: sum(local.map(({ share, value }) => share * value)),
    balancedAccuracy: sum(local.map(({ value }) => value)) / local.length,
  };
}

/**
 * One batch of the dataset as the model reads it. A fixed batch size is filled up with zeros at the end.
 * @returns the feeds, and how many of the batch are samples
 */
export function batchFeeds(classifier: Classifier, dataset: Dataset, first: number, batch: number) {
  const count = Math.min(batch, dataset.size - first);
  const samples = rowRange(dataset.samples, dataset.size, first, count);
  const { fixedBatch } = classifier;
  if (fixedBatch === undefined || fixedBatch === count) {
    return { feeds: { [classifier.input]: tensor(samples, [count, ...classifier.sampleShape]) }, count };
  }
  const filled = new Float32Array((fixedBatch * samples.length) / count);
  filled.set(samples);
  return { feeds: { [classifier.input]: tensor(filled, [fixedBatch, ...classifier.sampleShape]) }, count };
}

async function predict(
  session: Session,
  classifier: Classifier,
  dataset: Dataset,
  options: EvaluateModelOptions,
): Promise<{ logits: Float32Array; msPerSample: number }> {
  const batch = classifier.fixedBatch ?? options.batch ?? 32;
  const logits = new Float32Array(dataset.size * classifier.scores);
  const outputs = [classifier.output];
  // The first batch warms the engine up; a single one runs twice.
  const single = dataset.size <= batch;
  if (single) await session.run(batchFeeds(classifier, dataset, 0, batch).feeds, outputs);
  let [milliseconds, timed] = [0, 0];
  for (let first = 0; first < dataset.size; first += batch) {
    const { feeds, count } = batchFeeds(classifier, dataset, first, batch);
    const start = performance.now();
    const result = await session.run(feeds, outputs);
    if (single || first > 0) {
      milliseconds += performance.now() - start;
      timed += count;
    }
    const scores = must(result[classifier.output], `no output ${classifier.output}`);
    if (scores.type !== 'float32') {
      throw new BedsideError(
        'E_UNSUPPORTED',
        `${options.name}: output '${classifier.output}' is not float32`,
        {
          hint: 'bedside needs the scores of the classes, not the chosen class',
        },
      );
    }
    assertScores(scores, feeds[classifier.input]?.dims[0] ?? batch, classifier, options.name);
    logits.set(scores.data.subarray(0, count * classifier.scores), first * classifier.scores);
    options.onProgress?.(first + count, dataset.size);
  }
  return { logits, msPerSample: milliseconds / timed };
}

function assertMeasurable(
  { task }: Classifier,
  { size, name, labels, targets }: Dataset,
  { reference }: EvaluateModelOptions,
): void {
  if (size === 0) throw new BedsideError('E_DATA', `${name} has no samples`);
  if (reference !== undefined || (hasClasses(task) ? labels : targets)) return;
  const [measure] = TASK_MEASURES[task];
  throw new BedsideError('E_DATA', `${name} has no labels, so ${MEASURE_WORDS[measure]} cannot be measured`, {
    hint: LABELLED[task],
  });
}

const LABELS = 'use labelled data: class folders, annotated records, or an .npz with labels (y)';

/** What labelled data of each task is. */
const LABELLED: { readonly [T in TaskKind]: string } = {
  'single-label': LABELS,
  binary: LABELS,
  'multi-label': 'use an .npz with <split>_labels [N, labels] of 0 and 1',
  regression: 'use an .npz with <split>_labels of one value for each score',
  segmentation: 'use an .npz with masks in <split>_labels: [N, 1, ...] of 0 and 1, or of class numbers',
  embedding: 'use an .npz with the wanted vectors in <split>_labels; `prune` measures agreement without them',
};

function assertFit(classifier: Classifier, dataset: Dataset, name: string): void {
  const [model, data] = [classifier.sampleShape.join(', '), dataset.sampleShape.join(', ')];
  if (model === data) return;
  throw new BedsideError('E_DATA_FIT', `${name} reads samples of [${model}], ${dataset.name} has [${data}]`, {
    hint: 'use the data the model was trained for, or a model for this data',
  });
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0);
}
