// The interface of all planners. Their table by name is app/planners.ts.
import type { PlanningInstance, Solution, StageDecision } from './problem/instance.ts';

/**
 * Prices of an instance's limits, as the Lagrangian root left them: how much the objective would gain if a limit were
 * doubled, to first order. A later request of the same fleet and bundle starts from them.
 */
export interface Multipliers {
  readonly time: number;
  /** By device. */
  readonly memory: readonly number[];
  readonly energy: readonly number[];
  /** Price of one step of accuracy loss. */
  readonly step: number;
}

/** Results of an earlier, similar request to start from. */
export interface WarmStart {
  readonly multipliers?: Multipliers | undefined;
  /** Its plan; used where it is a plan of this instance too. */
  readonly decisions?: readonly StageDecision[] | undefined;
}

/** How far a planner has come. */
export interface PlanProgress {
  readonly phase: 'root' | 'beam' | 'labels' | 'branch';
  /** Objective of the best plan so far; Infinity without one. */
  readonly objective: number;
  /** Proven so far. */
  readonly bound: number;
  readonly labels: number;
}

/** Budgets and starting points. A planner that has no use for one ignores it. */
export interface PlannerOptions extends SearchOptions {
  /** Stops the search; the best plan so far is returned. */
  readonly signal?: AbortSignal | undefined;
}

/** The options that can be sent to another thread. */
export interface SearchOptions {
  /**
   * Budget: labels made, a pass over the arcs of a graph counted in proportion. The same budget gives the same answer
   * on any machine.
   */
  readonly labels?: number | undefined;
  /** Safety stop in seconds. It is no budget: the answer then depends on the machine. */
  readonly seconds?: number | undefined;
  /** Relative gap at which a plan counts as optimal; 1e-6 by default. */
  readonly gap?: number | undefined;
  readonly warm?: WarmStart | undefined;
  readonly onProgress?: ((progress: PlanProgress) => void) | undefined;
}

/** How much work a planner did. */
export interface PlanStats {
  readonly labels: number;
  readonly seconds: number;
  /** Bound of the Lagrangian root, and the seconds it took. */
  readonly rootBound?: number | undefined;
  readonly rootSeconds?: number | undefined;
  /** The plan of the guided beam, before any proof. */
  readonly beamObjective?: number | undefined;
  readonly beamSeconds?: number | undefined;
  /** Arcs of the whole graph, and how many a proof had to look at. */
  readonly arcs?: number | undefined;
  readonly arcsLeft?: number | undefined;
  /** Nodes of branch and bound. */
  readonly nodes?: number | undefined;
}

/** A planner's answer. */
export interface PlannerResult extends Solution {
  readonly stats: PlanStats;
  readonly multipliers?: Multipliers | undefined;
}

/**
 * Solves one instance, in the calling thread unless it says otherwise. Deterministic unless stopped by `seconds` or
 * `signal`.
 */
export interface Planner {
  readonly name: string;
  plan(instance: PlanningInstance, options?: PlannerOptions): Promise<PlannerResult>;
}
