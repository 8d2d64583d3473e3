// Validation: the gap of a policy to the exact planner on requests that it never trains on.
import { exactPlanner, type Planner } from '../../plan/index.ts';
import type { PlanningInstance } from '../../plan/internal.ts';
import type { RequestSource } from './sources.ts';

/** Numbers of validation requests begin here; training never gets so far. */
export const VALIDATION_SEED = 100_000_000;

/** A request with the exact planner's objective. */
export interface ValidationRequest {
  readonly instance: PlanningInstance;
  readonly objective: number;
}

/** Search budget of a validation request, in labels. */
const LABELS = 400_000;

/** The request of a number; undefined when the exact planner has no plan for it. */
export async function validationRequest(
  source: RequestSource,
  number: number,
): Promise<ValidationRequest | undefined> {
  const instance = source.at(VALIDATION_SEED + number);
  const { objective, decisions } = await exactPlanner.plan(instance, { labels: LABELS });
  return decisions && { instance, objective };
}

/** Gaps of a planner on validation requests. */
export interface GapReport {
  /** Mean of (objective - exact) / exact over requests that it planned. */
  readonly mean: number;
  readonly worst: number;
  /** Requests without a plan. */
  readonly missed: number;
}

/** Plans all of them. */
export async function gapsOf(planner: Planner, requests: readonly ValidationRequest[]): Promise<GapReport> {
  let [sum, worst, planned] = [0, 0, 0];
  for (const { instance, objective } of requests) {
    const found = await planner.plan(instance);
    if (!found.decisions) continue;
    const gap = found.objective / objective - 1;
    planned++;
    sum += gap;
    worst = Math.max(worst, gap);
  }
  return { mean: sum / Math.max(1, planned), worst, missed: requests.length - planned };
}
