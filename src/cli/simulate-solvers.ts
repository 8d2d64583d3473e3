// How planners take part in a ward: by name, with what their planning counts against deadlines.
import {
  type Decider,
  type DecisionRate,
  type DecisionTimeKind,
  decisionTime,
  freshDecider,
  staleDecider,
} from '../learn/index.ts';
import { randomPlanner } from '../plan/index.ts';
import { plannerOf } from './solvers.ts';

/**
 * Seconds for each choice of an instance and for each label made: least squares over 220 requests of the four presets with
 * three bundles, 2 virtual cores of a server (docs/ward.md).
 */
const RATES = {
  exact: { perChoice: 5.2e-7, perLabel: 7.2e-7 },
  beam: { perChoice: 4.7e-7, perLabel: 7.2e-7 },
  greedy: { perChoice: 3.4e-6, perLabel: 0 },
  heft: { perChoice: 1e-7, perLabel: 0 },
  'distribute-only': { perChoice: 9.1e-8, perLabel: 7.1e-6 },
  'prune-only': { perChoice: 2e-7, perLabel: 8.1e-7 },
  local: { perChoice: 1.5e-9, perLabel: 0 },
  random: { perChoice: 3.2e-8, perLabel: 0 },
} as const satisfies Record<string, DecisionRate>;

/** Seconds for which `exact-stale` uses a plan. */
export const STALE_SECONDS = 10;

/** What may be simulated. */
export const SIMULATED = [
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

export type SimulatedName = (typeof SIMULATED)[number];

/** The planner of a name, as it takes part in a ward. */
export function deciderOf(name: SimulatedName, kind: DecisionTimeKind, seed: number): Decider {
  switch (name) {
    case 'exact-stale':
      return staleDecider(plannerOf('exact'), decisionTime(kind, RATES.exact), STALE_SECONDS, name);
    case 'static':
      return staleDecider(
        plannerOf('exact'),
        decisionTime(kind, RATES.exact),
        Number.POSITIVE_INFINITY,
        name,
      );
    case 'random':
      return freshDecider(randomPlanner(seed), decisionTime(kind, RATES.random));
    default:
      return freshDecider(plannerOf(name), decisionTime(kind, RATES[name]));
  }
}
