// Decision time: the seconds of planning that a ward counts against the deadline.
import type { PlannerResult } from '../plan/index.ts';
import type { PlanningInstance } from '../plan/internal.ts';
import type { DecisionTime } from './planning-strategy.ts';

/**
 * `counted`: from what was looked at, so that runs repeat; `measured`: by the clock; `none`: planning takes no time.
 */
export const DECISION_TIMES = ['counted', 'measured', 'none'] as const;

export type DecisionTimeKind = (typeof DECISION_TIMES)[number];

/** Seconds of a planner: for a request, for each choice of its instance, and for each label that it made. */
export interface DecisionRate {
  readonly base: number;
  readonly perChoice: number;
  readonly perLabel: number;
}

/** Choices of all stages: sets of devices times levels in, inside and out. */
export function choicesOf({ stages }: PlanningInstance): number {
  return stages.reduce(
    (sum, { sets, levelsIn, inner, levelsOut }) => sum + sets.length * levelsIn * inner * levelsOut,
    0,
  );
}

/** The rule of a kind. `rate` is used by `counted`. */
export function decisionTime(kind: DecisionTimeKind, rate: DecisionRate): DecisionTime {
  switch (kind) {
    case 'counted':
      return (instance, { stats }) =>
        rate.base + rate.perChoice * choicesOf(instance) + rate.perLabel * stats.labels;
    case 'measured':
      return (_, { stats }: PlannerResult) => stats.seconds;
    case 'none':
      return () => 0;
    default:
      return kind satisfies never;
  }
}
