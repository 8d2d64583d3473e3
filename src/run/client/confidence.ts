// How sure an answer is, and what is done about one that is not: the request runs again unpruned, if there is time.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import type { InferenceClient, InferenceOptions, InferenceResult } from './coordinator.ts';

/** When a request runs again, and how. */
export interface Fallback {
  /** Least margin of an answer that is sure enough, in [0, 1]. */
  readonly margin: number;
  /** A plan with every group at level 0. */
  readonly plan: RunPlan;
  /** What it is predicted to take; it runs only if that much is left until the deadline. */
  readonly seconds: number;
}

/** An answer, with what was done about its confidence. */
export interface FallbackResult extends InferenceResult {
  /** Of the answer that is given. */
  readonly margin: number;
  /** `taken`: unpruned; `late`, `failed`: wanted, but there was no time left, or it had no result in time. */
  readonly fallback: 'none' | 'taken' | 'late' | 'failed';
}

/**
 * The difference between the two largest class probabilities of one sample, in [0, 1]. Outputs that already are
 * probabilities (none negative, their sum 1) are taken as such, others as logits.
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
 * Runs one sample, and again unpruned when the margin of its answer is too small and the deadline allows. Without a result
 * of the second run, the answer of the first is given: an unsure answer is better than none, and it says that it is.
 * @throws as `Asker.infer`
 */
export async function inferWithFallback(
  asker: InferenceClient,
  input: FloatTensor,
  plan: RunPlan,
  options: InferenceOptions & { readonly deadline: number },
  fallback?: Fallback,
): Promise<FallbackResult> {
  const start = performance.now();
  const first = await asker.infer(input, plan, options);
  const margin = marginOf(first.logits.data);
  const unpruned = first.plan.levels.every((level) => level === 0);
  if (!fallback || unpruned || margin >= fallback.margin) return { ...first, margin, fallback: 'none' };
  const left = options.deadline - (performance.now() - start) / 1000;
  if (fallback.seconds > left) return { ...first, margin, fallback: 'late' };
  try {
    const again = await asker.infer(input, fallback.plan, { deadline: left });
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
