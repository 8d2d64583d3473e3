// Measures a classifier on samples: accuracy, recall of each class, and time.
import type { Dataset } from '../data/index.ts';
import { createSession, type EngineOptions, type Session, tensor } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { assertFiniteWeights, withSqueezeAxes } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { argmax, assertFiniteSamples, rowRange } from '../util/internal.ts';
import { assertScores, type Classifier, describeClassifier } from './classifier.ts';

/** How an evaluation runs; `batch` is 32 by default. */
export interface EvaluateModelOptions extends EngineOptions {
  /** Name of the model in error messages. */
  readonly name: string;
  /**
   * One class for each sample, such as the predictions of another model. They replace missing labels, so that accuracy
   * is agreement with that model.
   */
  readonly reference?: Int32Array | undefined;
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
  /** Share of samples whose predicted class is the expected one; with a class prior, the estimate for that prior. */
  readonly accuracy: number;
  /** Mean recall over the classes that have samples. */
  readonly balancedAccuracy: number;
  /** Recall of each class; NaN where the class has no sample. */
  readonly recall: readonly number[];
  /** The class with the highest score for each sample; the lowest index among equals. */
  readonly predictions: Int32Array;
  /** The scores of the classes, `[n, classes]`. */
  readonly logits: Float32Array;
  /** Mean milliseconds of inference alone, after a warm-up run. */
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
  const expected = expectedClasses(dataset, options);
  assertFit(classifier, dataset, options.name);
  assertFiniteWeights(model, options.name);
  assertFiniteSamples(dataset);
  const session = await createSession(withSqueezeAxes(model), {
    name: options.name,
    threads: options.threads ?? 1,
  });
  try {
    const { predictions, logits, milliseconds } = await predict(session, classifier, dataset, options);
    return {
      n: dataset.size,
      ...accuracies(predictions, expected, classifier.classes, options.classPrior),
      predictions,
      logits,
      msPerSample: milliseconds / dataset.size,
    };
  } finally {
    await session.release();
  }
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

/** Share of samples on which two lists of predictions are equal. */
export function agreementOf(a: Int32Array, b: Int32Array): number {
  return a.reduce((count, value, i) => count + (value === b[i] ? 1 : 0), 0) / a.length;
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
): Promise<{ predictions: Int32Array; logits: Float32Array; milliseconds: number }> {
  const batch = classifier.fixedBatch ?? options.batch ?? 32;
  const predictions = new Int32Array(dataset.size);
  const logits = new Float32Array(dataset.size * classifier.classes);
  const outputs = [classifier.output];
  await session.run(batchFeeds(classifier, dataset, 0, batch).feeds, outputs);
  let milliseconds = 0;
  for (let first = 0; first < dataset.size; first += batch) {
    const { feeds, count } = batchFeeds(classifier, dataset, first, batch);
    const start = performance.now();
    const result = await session.run(feeds, outputs);
    milliseconds += performance.now() - start;
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
    for (let i = 0; i < count; i++) {
      const whose = `${options.name}: the scores of sample ${first + i} of ${dataset.name}`;
      predictions[first + i] = argmax(scores.data, i * classifier.classes, classifier.classes, whose);
    }
    logits.set(scores.data.subarray(0, count * classifier.classes), first * classifier.classes);
    options.onProgress?.(first + count, dataset.size);
  }
  return { predictions, logits, milliseconds };
}

function expectedClasses(dataset: Dataset, options: EvaluateModelOptions): Int32Array {
  if (dataset.size === 0) throw new BedsideError('E_DATA', `${dataset.name} has no samples`);
  const expected = dataset.labels ?? options.reference;
  if (!expected) {
    throw new BedsideError('E_DATA', `${dataset.name} has no labels, so accuracy cannot be measured`, {
      hint: 'use labelled data: class folders, annotated records, or an .npz with labels (y)',
    });
  }
  return expected;
}

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
