// What goes between a planner's worker thread and the thread that started it.
import type { Effort } from '../exact/solve.ts';
import type { PlannerResult, PlanProgress, SearchOptions } from '../planner.ts';
import type { PlanningInstance } from '../problem/instance.ts';

/** One request. `stop` is shared: the worker, busy, cannot receive a message. */
export interface PlanTask {
  readonly id: number;
  readonly effort: Effort;
  readonly instance: PlanningInstance;
  readonly options: Omit<SearchOptions, 'onProgress'>;
  readonly stop: Int32Array<SharedArrayBuffer>;
}

export type PlanReply =
  | { readonly id: number; readonly progress: PlanProgress }
  | { readonly id: number; readonly result: PlannerResult }
  | { readonly id: number; readonly error: string };
