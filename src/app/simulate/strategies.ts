// Planners as they take part in a simulated ward: by name, with the time that a decision of each counts against deadlines.

import { randomPlanner } from '../../plan/internal.ts';
import {
  type DecisionRate,
  type DecisionTimeKind,
  decisionTime,
  freshStrategy,
  type PlanningStrategy,
  staleStrategy,
} from '../../simulate/index.ts';
import { plannerOf } from '../planners.ts';

/**
 * Seconds for a request, for each choice of its instance and for each label made: least squares, none below 0, over 220
 * requests of the four presets for three bundles, on 2 virtual cores of a server (docs/ward.md).
 */
const RATES = {
  policy: { base: 1.8e-3, perChoice: 1e-7, perLabel: 0 },
  exact: { base: 7.7e-3, perChoice: 5.2e-8, perLabel: 8.5e-7 },
  beam: { base: 6e-3, perChoice: 9.3e-8, perLabel: 8.4e-7 },
  greedy: { base: 0, perChoice: 1.7e-6, perLabel: 0 },
  heft: { base: 0, perChoice: 2.3e-7, perLabel: 0 },
  'distribute-only': { base: 6.9e-4, perChoice: 1.2e-7, perLabel: 2e-5 },
  'prune-only': { base: 1.8e-3, perChoice: 0, perLabel: 6.3e-6 },
  local: { base: 2.3e-5, perChoice: 2.6e-9, perLabel: 0 },
  random: { base: 4.9e-4, perChoice: 8.9e-9, perLabel: 0 },
} as const satisfies Record<string, DecisionRate>;

/** Seconds for which `exact-stale` uses a plan. */
export const STALE_SECONDS = 10;

/** The names of all planners that a ward can be simulated with. */
export const SIMULATED_SOLVERS = [
  'policy',
  'exact',
  'exact-stale',
  'beam',
  'greedy',
  'heft',
  'static',
  'distribute-only',
  'prune-only',
  'local',
  'random',
] as const;

/** A planner, by the name that simulations give it. */
export type SimulatedSolver = (typeof SIMULATED_SOLVERS)[number];

/** The cost of a planner's decisions, and their settings. */
export interface StrategyOptions {
  readonly decisionTime: DecisionTimeKind;
  /** Of `random`. */
  readonly seed: number;
  /** File of the policy, for `policy`; the shipped one if absent. */
  readonly policy?: string | undefined;
}

/** The planner of a name, with when it plans and what that costs. */
export function strategyOf(
  name: SimulatedSolver,
  { decisionTime: kind, seed, policy }: StrategyOptions,
): PlanningStrategy {
  switch (name) {
    case 'policy':
      return freshStrategy(plannerOf('policy', policy), decisionTime(kind, RATES.policy));
    case 'exact-stale':
      return staleStrategy(plannerOf('exact'), decisionTime(kind, RATES.exact), STALE_SECONDS, name);
    case 'static':
      return staleStrategy(
        plannerOf('exact'),
        decisionTime(kind, RATES.exact),
        Number.POSITIVE_INFINITY,
        name,
      );
    case 'random':
      return freshStrategy(randomPlanner(seed), decisionTime(kind, RATES.random));
    default:
      return freshStrategy(plannerOf(name), decisionTime(kind, RATES[name]));
  }
}
