// Samples through a deployment, each answer compared with that of one machine at the same levels.
import type { Bundle } from '../../bundle/index.ts';
import { type Dataset, subset } from '../../data/index.ts';
import { tensor } from '../../engine/index.ts';
import {
  accuracies,
  agreement,
  type Classifier,
  measuresOf,
  predictedClasses,
} from '../../evaluate/internal.ts';
import type { FloatTensor } from '../../run/index.ts';
import {
  BedsideError,
  hasClasses,
  type MeasureName,
  must,
  TASK_MEASURES,
  type TaskKind,
} from '../../util/index.ts';
import { joinedRows } from '../../util/internal.ts';
import type { Deployment } from './deployment.ts';
import { SingleMachine } from './single-machine.ts';

/** How samples run. */
export interface InferRun {
  /** The network of the bundle, and what it is for. */
  readonly classifier: Classifier;
  /** Samples that run at the same time. */
  readonly together: number;
  /** Once aborted, no further sample is sent; running ones end. */
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

/** Answers of a run, and what happened meanwhile. */
export interface InferredSamples {
  /** Samples with a result. */
  readonly n: number;
  readonly task: TaskKind;
  /** The main measure of the task; without labels, agreement with the unpruned network. */
  readonly measure: MeasureName;
  /** Its value: for classes the share of right answers. NaN without any answer. */
  readonly accuracy: number;
  /** The class of each answer; empty for tasks without classes. */
  readonly predictions: Int32Array;
  /** The labels; without labels, the predictions of the unpruned network. Empty for tasks without classes. */
  readonly expected: Int32Array;
  /** Seconds of each request. */
  readonly seconds: readonly number[];
  /**
   * Largest difference between a score and that of one machine at the same levels; of values and embeddings as a share of
   * the largest one, if that is above 1.
   */
  readonly maxDifference: number;
  /** Plans that requests gave up because of lost devices. */
  readonly replanned: number;
  /** Uncertain answers that ran again unpruned. */
  readonly fallbacks: number;
  /** Uncertain answers that stood because no time was left, or the second run gave no result. */
  readonly unsure: number;
  /** Changes of the plan between requests. */
  readonly adapted: number;
  /** Requests without a result at their deadline; not counted in `n`. */
  readonly missed: number;
}

/**
 * Runs samples, `together` at a time.
 * @throws BedsideError E_DEADLINE when no sample had its result in time; other errors that end a request
 */
export async function inferSamples(
  deployment: Deployment,
  bundle: Bundle,
  dataset: Dataset,
  { classifier, together, signal, onProgress }: InferRun,
): Promise<InferredSamples> {
  const single = new SingleMachine(bundle);
  const unpruned = bundle.manifest.groups.map(() => 0);
  const labelled = (hasClasses(classifier.task) ? dataset.labels : dataset.targets) !== undefined;
  const answered: Answered = { samples: [], scores: [], reference: [] };
  const seconds: number[] = [];
  let [maxDifference, replanned, fallbacks, unsure, adapted] = [0, 0, 0, 0, 0];
  const missed: Error[] = [];
  try {
    for (let from = 0; from < dataset.size && !signal.aborted; from += together) {
      const inputs = inputsOf(dataset, from, Math.min(together, dataset.size - from));
      const found = await deployment.inferTogether(inputs);
      if (found.adapted) adapted++;
      onProgress(Math.min(from + together, dataset.size), dataset.size);
      for (const [at, answer] of found.answers.entries()) {
        if (answer instanceof BedsideError) {
          missed.push(answer);
          continue;
        }
        replanned += answer.replanned;
        if (answer.fallback === 'taken') fallbacks++;
        else if (answer.fallback !== 'none') unsure++;
        seconds.push(answer.seconds);
        const input = must(inputs[at], 'an input');
        const logits = answer.logits.data;
        const same = await single.run(answer.plan.levels, input, answer.plan);
        const off = largestDifference(logits, same);
        // Values have units of their own, so that no difference is small in itself.
        const scale = labelsOrMasks(classifier) ? 1 : Math.max(1, largestSize(same));
        maxDifference = Math.max(maxDifference, off / scale);
        answered.samples.push(from + at);
        answered.scores.push(logits);
        if (!labelled) answered.reference.push(await single.run(unpruned, input));
      }
    }
  } finally {
    await single.close();
  }
  if (answered.samples.length === 0 && missed[0]) throw missed[0];
  return {
    n: answered.samples.length,
    missed: missed.length,
    ...qualityOf(classifier, dataset, answered, labelled),
    ...{ seconds, maxDifference, replanned, fallbacks, unsure, adapted },
  };
}

/** Indices of samples with a result, their scores, and without labels those of the unpruned network. */
interface Answered {
  readonly samples: number[];
  readonly scores: Float32Array[];
  readonly reference: Float32Array[];
}

/** How good answers are by the main measure of the task; without labels, how far they agree with the unpruned network. */
function qualityOf(
  classifier: Classifier,
  dataset: Dataset,
  { samples, scores: rows, reference }: Answered,
  labelled: boolean,
): Pick<InferredSamples, 'task' | 'measure' | 'accuracy' | 'predictions' | 'expected'> {
  const { task, classes } = classifier;
  const scores = joinedRows(rows);
  const measure = labelled ? TASK_MEASURES[task][0] : 'agreement';
  const none = {
    task,
    measure,
    accuracy: Number.NaN,
    predictions: new Int32Array(0),
    expected: new Int32Array(0),
  };
  if (samples.length === 0) return none;
  if (!hasClasses(task)) {
    const { name, targets } = subset(dataset, samples);
    if (!labelled || !targets)
      return { ...none, accuracy: agreement(classifier, joinedRows(reference), scores) };
    const { measures } = measuresOf(classifier, scores, targets, name);
    return { ...none, accuracy: measures[measure] ?? Number.NaN };
  }
  const classesOf = (of: Float32Array): Int32Array =>
    predictedClasses(classifier, of, (row) => `the scores of sample ${samples[row]} of ${dataset.name}`);
  const predictions = classesOf(scores);
  const expected = labelled
    ? Int32Array.from(samples, (at) => dataset.labels?.[at] ?? 0)
    : classesOf(joinedRows(reference));
  return { ...none, accuracy: accuracies(predictions, expected, classes).accuracy, predictions, expected };
}

function inputsOf(dataset: Dataset, from: number, count: number): FloatTensor[] {
  const stride = dataset.samples.length / dataset.size;
  return Array.from({ length: count }, (_, at) => {
    const sample = dataset.samples.slice((from + at) * stride, (from + at + 1) * stride);
    return tensor(sample, [1, ...dataset.sampleShape]) as FloatTensor;
  });
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

function labelsOrMasks({ task }: Classifier): boolean {
  return task !== 'regression' && task !== 'embedding';
}

function largestSize(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
