// What a request is asked with and what comes back, for everything that runs plans.
import type { FloatTensor } from '../../engine/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import type { TimedSegment } from '../protocol/spans.ts';

/** Another plan without the devices that are lost; undefined when there is none. */
export type Replan = (lost: ReadonlySet<string>) => Promise<RunPlan | undefined>;

/** Options of one inference request. */
export interface InferenceOptions {
  /** Seconds; default 60. */
  readonly deadline?: number | undefined;
  /** Without it, a lost device ends the request with E_LOST. */
  readonly replan?: Replan | undefined;
  /** Once aborted, the request ends here and on its devices, with E_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Whether devices say when they worked on it: then the result has a timeline. */
  readonly timed?: boolean | undefined;
  /** The span that the request is part of, as W3C Trace Context has it: its devices add theirs below it. */
  readonly traceparent?: string | undefined;
}

/** The result of a request. */
export interface InferenceResult {
  readonly logits: FloatTensor;
  /** Seconds from the request to its result. */
  readonly seconds: number;
  /** The plan that gave it, and how many plans were given up before. */
  readonly plan: RunPlan;
  readonly replanned: number;
  /** When each device worked on it; of requests that are timed. */
  readonly timeline?: readonly TimedSegment[] | undefined;
}

/** Runs plans on inputs. Implemented by the coordinator, and by components that wrap it, such as `Batcher`. */
export interface InferenceClient {
  /**
   * Runs a plan on an input of shape `[batch, …]`.
   * @throws BedsideError for a request without a result
   */
  infer(input: FloatTensor, plan: RunPlan, options?: InferenceOptions): Promise<InferenceResult>;
}

/** Seconds. */
export const DEFAULT_DEADLINE = 60;

/**
 * Milliseconds after which a request without a result ends: a little before its deadline, because timers may be late.
 * @param deadline seconds
 */
export function timeoutOf(deadline: number): number {
  return 1000 * deadline - Math.min(20, 50 * deadline);
}
