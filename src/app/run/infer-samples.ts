// Samples through a deployment, each answer compared with that of one machine at the same levels.
import type { Bundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { tensor } from '../../engine/index.ts';
import type { FloatTensor } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { argmax } from '../../util/internal.ts';
import type { Deployment } from './deployment.ts';
import { SingleMachine } from './single-machine.ts';

/** How samples run. */
export interface InferRun {
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
  readonly predictions: Int32Array;
  /** The labels; without labels, the predictions of the unpruned network. */
  readonly expected: Int32Array;
  /** Seconds of each request. */
  readonly seconds: readonly number[];
  /** Largest difference between a score and that of one machine at the same levels. */
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
  { together, signal, onProgress }: InferRun,
): Promise<InferredSamples> {
  const single = new SingleMachine(bundle);
  const unpruned = bundle.manifest.groups.map(() => 0);
  const [predictions, expected, seconds]: [number[], number[], number[]] = [[], [], []];
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
        const same = await single.run(answer.plan.levels, input);
        maxDifference = Math.max(maxDifference, largestDifference(logits, same));
        predictions.push(argmax(logits));
        expected.push(dataset.labels?.[from + at] ?? argmax(await single.run(unpruned, input)));
      }
    }
  } finally {
    await single.close();
  }
  if (predictions.length === 0 && missed[0]) throw missed[0];
  return {
    n: predictions.length,
    missed: missed.length,
    predictions: Int32Array.from(predictions),
    expected: Int32Array.from(expected),
    ...{ seconds, maxDifference, replanned, fallbacks, unsure, adapted },
  };
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
