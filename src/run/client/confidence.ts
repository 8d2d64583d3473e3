// The confidence of a result. A request with an uncertain result runs again on the unpruned network, if there is time.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import type { InferenceClient, InferenceOptions, InferenceResult } from './coordinator.ts';

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
  /** Confidence of this result, in [0, 1]. */
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

/**
 * Runs one sample. Runs it again on the unpruned network if the margin is too small and the deadline allows. If the
 * second run fails, the first result is returned with its small margin: an uncertain result is better than none.
 * @throws as `InferenceClient.infer`
 */
export async function inferWithFallback(
  client: InferenceClient,
  input: FloatTensor,
  plan: RunPlan,
  options: InferenceOptions & { readonly deadline: number },
  fallback?: Fallback,
): Promise<FallbackResult> {
  const start = performance.now();
  const first = await client.infer(input, plan, options);
  const margin = marginOf(first.logits.data);
  const unpruned = first.plan.levels.every((level) => level === 0);
  if (!fallback || unpruned || margin >= fallback.margin) return { ...first, margin, fallback: 'none' };
  const left = options.deadline - (performance.now() - start) / 1000;
  if (fallback.seconds > left) return { ...first, margin, fallback: 'late' };
  try {
    const again = await client.infer(input, fallback.plan, { deadline: left });
    const seconds = (performance.now() - start) / 1000;
    return {
      ...again,
      seconds,
      replanned: first.replanned + again.replanned,
      margin: marginOf(again.logits.data),
      fallback: 'taken',
    };
  } catch (error) {
    if (!BedsideError.is(error)) throw error;
    return { ...first, seconds: (performance.now() - start) / 1000, margin, fallback: 'failed' };
  }
}
