// Summary of a planning strategy over the requests of an episode.

import { percentile } from '../util/internal.ts';
import type { Refusal, RequestOutcome } from './decision-request.ts';

/** Means over requests. Seconds, joules; null where nothing is counted. */
export interface WardSummary {
  readonly requests: number;
  /** How requests ended; each ended once. */
  readonly served: number;
  readonly late: number;
  readonly lost: number;
  readonly refused: number;
  readonly refusals: Readonly<Partial<Record<Refusal, number>>>;
  /** Requests whose plan broke a constraint on the fleet that its planner saw, by the independent checker. */
  readonly violations: number;
  /** By constraint, of those. */
  readonly violated: Readonly<Record<string, number>>;
  /** Over all requests: one without a result in time costs its whole deadline and the whole accuracy. */
  readonly objective: number | null;
  /** Over the requests that were served, as all below. */
  readonly objectiveServed: number | null;
  readonly latency: number | null;
  readonly latencyP50: number | null;
  readonly latencyP95: number | null;
  /** Mean relative distance of the latency from what the plan had said, the time to decide aside. */
  readonly latencyError: number | null;
  readonly energy: number | null;
  readonly accuracy: number | null;
  /** Milliseconds, over all requests that were planned. */
  readonly decisionMs: number | null;
}

/** Sums an episode up. */
export function summarise(outcomes: readonly RequestOutcome[]): WardSummary {
  const served = outcomes.filter(({ end }) => end === 'served');
  const count = (end: RequestOutcome['end']): number => outcomes.filter((o) => o.end === end).length;
  const planned = outcomes.filter(({ refusal }) => refusal !== 'no time');
  const latencies = served.map(({ latency }) => latency).sort((a, b) => a - b);
  const broken = outcomes.filter(({ violations }) => violations.length > 0);
  return {
    requests: outcomes.length,
    served: served.length,
    late: count('late'),
    lost: count('lost'),
    refused: count('refused'),
    refusals: counted(outcomes.flatMap(({ refusal }) => refusal ?? [])),
    violations: broken.length,
    violated: counted(
      broken.flatMap(({ violations }) => [...new Set(violations.map(({ constraint }) => constraint))]),
    ),
    objective: mean(outcomes, ({ objective }) => objective),
    objectiveServed: mean(served, ({ objective }) => objective),
    latency: mean(served, ({ latency }) => latency),
    latencyP50: known(percentile(latencies, 0.5)),
    latencyP95: known(percentile(latencies, 0.95)),
    latencyError: mean(served, ({ latency, queued, deciding, predicted }) =>
      Math.abs((latency - queued - deciding) / predicted.latency - 1),
    ),
    energy: mean(served, ({ energy }) => energy),
    accuracy: mean(served, ({ accuracy }) => accuracy),
    decisionMs: mean(planned, ({ deciding }) => 1000 * deciding),
  };
}

function mean(outcomes: readonly RequestOutcome[], of: (outcome: RequestOutcome) => number): number | null {
  if (outcomes.length === 0) return null;
  return outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
}

/** Null for none. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function counted<T extends string>(names: readonly T[]): Partial<Record<T, number>> {
  const counts: Partial<Record<T, number>> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
