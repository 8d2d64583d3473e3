// The confidence of a result. A request with an uncertain result runs again on the unpruned network, if there is time.
import type { BundleTask } from '../../bundle/internal.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { shifted } from '../protocol/spans.ts';
import type { InferenceClient, InferenceOptions, InferenceResult } from './inference.ts';

/** When a request runs again, and with which plan. */
export interface Fallback {
  /** Smallest margin of a result that is certain enough, in [0, 1]. */
  readonly margin: number;
  /** A plan with every group at level 0. */
  readonly plan: RunPlan;
  /** Predicted seconds of that plan. It runs only if so much time is left until the deadline. */
  readonly seconds: number;
}

/** A result, its confidence, and whether the fallback was used. */
export interface FallbackResult extends InferenceResult {
  /** Confidence of this result, in [0, 1]; see `confidenceOf`. NaN where answers of the task have none. */
  readonly margin: number;
  /**
   * `none`: not needed. `taken`: this is the result of the unpruned network. `late`: needed, but too little time was
   * left. `failed`: needed, but it gave no result in time.
   */
  readonly fallback: 'none' | 'taken' | 'late' | 'failed';
}

/**
 * The difference between the two largest class probabilities of one sample, in [0, 1]. Outputs that are non-negative
 * and sum to 1 are read as probabilities, all others as logits.
 */
export function marginOf(output: ArrayLike<number>): number {
  const values = Array.from(output);
  const sum = values.reduce((a, b) => a + b, 0);
  const areProbabilities = Math.abs(sum - 1) < 1e-3 && values.every((value) => value >= 0);
  const [first = 0, second = Number.NEGATIVE_INFINITY] = values.toSorted((a, b) => b - a);
  if (areProbabilities) return first - Math.max(0, second);
  const total = values.reduce((all, value) => all + Math.exp(value - first), 0);
  return (1 - Math.exp(second - first)) / total;
}

/** What the confidence of an answer depends on. */
export type AnswerKind = Pick<BundleTask, 'kind' | 'outputShape' | 'threshold' | 'probabilities'>;

/**
 * The confidence of one sample's answer, in [0, 1]. For one label it is `marginOf`. A label of its own has the
 * probability p, of which the threshold is one half, and the confidence |2 p - 1|. Of several labels the least sure one
 * counts, of a mask the mean over its positions. Values and embeddings have none: undefined.
 */
export function confidenceOf(task: AnswerKind, output: ArrayLike<number>): number | undefined {
  const [channels = 1] = task.outputShape;
  switch (task.kind) {
    case 'single-label':
      return marginOf(output);
    case 'binary':
    case 'multi-label':
      return Array.from(output).reduce((least, value) => Math.min(least, ownMargin(task, value)), 1);
    case 'segmentation':
      return task.threshold === undefined
        ? meanMargin(output, channels)
        : Array.from(output).reduce((sum, value) => sum + ownMargin(task, value), 0) / output.length;
    default:
      return undefined;
  }
}

/** Refuses a fallback for a task whose answers have no confidence. @throws BedsideError E_UNSUPPORTED */
export function assertConfidence({ kind }: AnswerKind): void {
  if (kind !== 'regression' && kind !== 'embedding') return;
  const what = kind === 'regression' ? 'values' : 'embeddings';
  throw new BedsideError(
    'E_UNSUPPORTED',
    `no answer is uncertain: the network gives ${what}, not probabilities`,
    {
      hint: 'leave out --fallback-margin; it is for classes, labels and masks',
    },
  );
}

/** The distance of a label's logit from its threshold, as |2 p - 1| of the probability that it stands for. */
function ownMargin({ threshold = 0, probabilities = false }: AnswerKind, value: number): number {
  if (!probabilities) return Math.tanh(Math.abs(value - threshold) / 2);
  // The odds of p over those of the threshold; p may be 0 or 1.
  const [yes, no] = [value * (1 - threshold), (1 - value) * threshold];
  return Math.min(1, Math.abs(yes - no) / Math.max(Number.MIN_VALUE, yes + no));
}

/** The mean over positions of the margin between the two likeliest classes, from `[classes, ...positions]`. */
function meanMargin(output: ArrayLike<number>, classes: number): number {
  const positions = output.length / classes;
  const own = new Float64Array(classes);
  let sum = 0;
  for (let at = 0; at < positions; at++) {
    for (let c = 0; c < classes; c++) own[c] = output[c * positions + at] as number;
    sum += marginOf(own);
  }
  return sum / positions;
}

/** Single labels, for callers that do not say what their network is for. */
const ONE_LABEL: AnswerKind = { kind: 'single-label', outputShape: [] };

/**
 * Runs one sample. Runs it again on the unpruned network if the margin is too small and the deadline allows. If the
 * second run fails, the first result is returned with its small margin: an uncertain result is better than none.
 * @param task what the network is for; default one label
 * @throws as `InferenceClient.infer`
 */
export async function inferWithFallback(
  client: InferenceClient,
  input: FloatTensor,
  plan: RunPlan,
  options: InferenceOptions & { readonly deadline: number },
  fallback?: Fallback,
  task: AnswerKind = ONE_LABEL,
): Promise<FallbackResult> {
  const start = performance.now();
  const first = await client.infer(input, plan, options);
  const margin = confidenceOf(task, first.logits.data) ?? Number.NaN;
  const unpruned = first.plan.levels.every((level) => level === 0);
  if (!fallback || unpruned || !(margin < fallback.margin)) return { ...first, margin, fallback: 'none' };
  const left = options.deadline - (performance.now() - start) / 1000;
  if (fallback.seconds > left) return { ...first, margin, fallback: 'late' };
  const begun = (performance.now() - start) / 1000;
  try {
    const { signal, timed, traceparent } = options;
    const again = await client.infer(input, fallback.plan, {
      ...{ deadline: left, signal, timed, traceparent },
    });
    // Both runs took time.
    const timeline = again.timeline && [...(first.timeline ?? []), ...shifted(again.timeline, begun)];
    const seconds = (performance.now() - start) / 1000;
    return {
      ...again,
      ...(timeline ? { timeline } : {}),
      seconds,
      replanned: first.replanned + again.replanned,
      margin: confidenceOf(task, again.logits.data) ?? Number.NaN,
      fallback: 'taken',
    };
  } catch (error) {
    if (!BedsideError.is(error)) throw error;
    return { ...first, seconds: (performance.now() - start) / 1000, margin, fallback: 'failed' };
  }
}
