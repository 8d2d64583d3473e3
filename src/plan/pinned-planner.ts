// Pinning: every later plan keeps the first plan, or its levels. For operators who want to run exactly what was tested.

import type { Planner, PlannerOptions, PlannerResult } from './planner.ts';
import { choiceIndex } from './problem/choice.ts';
import type { PlanningInstance, StageDecision } from './problem/instance.ts';
import { checkPlan } from './result/check-plan.ts';

/** The part of the first plan that is kept. `plan`: levels and devices; `levels`: levels alone. */
export type PinScope = 'plan' | 'levels';

/** A planner that keeps its first plan. A request that this plan does not fit gets none (status `unknown`). */
export class PinnedPlanner implements Planner {
  readonly name: string;
  readonly #inner: Planner;
  readonly #what: PinScope;
  #pinned: readonly StageDecision[] | undefined;
  /** By stage, the devices of the pinned plan by name. */
  #devices: readonly (readonly string[])[] = [];

  constructor(inner: Planner, what: PinScope) {
    this.#inner = inner;
    this.#what = what;
    this.name = inner.name;
  }

  async plan(instance: PlanningInstance, options?: PlannerOptions): Promise<PlannerResult> {
    const pinned = this.#pinned;
    if (!pinned) {
      const first = await this.#inner.plan(instance, options);
      if (first.decisions) {
        this.#pinned = first.decisions;
        this.#devices = first.decisions.map(({ set }, l) => namesOf(instance, l, set));
      }
      return first;
    }
    const bound = instance.weights.accuracy * (1 - instance.unprunedAccuracy);
    const none: PlannerResult = {
      ...{ status: 'unknown', objective: Number.POSITIVE_INFINITY, bound },
      stats: { labels: 0, seconds: 0 },
    };
    if (pinned.length !== instance.stages.length) return none;
    if (this.#what === 'levels') return this.#inner.plan(withLevels(instance, pinned), options);
    const decisions = pinned.map((decision, l) => ({
      ...decision,
      set:
        instance.stages[l]?.sets.findIndex((_, at) =>
          same(namesOf(instance, l, at), this.#devices[l] ?? []),
        ) ?? -1,
    }));
    if (decisions.some(({ set }) => set < 0)) return none;
    const { violations, objective } = checkPlan(instance, decisions);
    return violations.length > 0 ? none : { ...none, status: 'gap', decisions, objective };
  }
}

/** The instance with no other levels than those of a plan. */
function withLevels(instance: PlanningInstance, pinned: readonly StageDecision[]): PlanningInstance {
  const stages = instance.stages.map((stage, l) => {
    const before = l === 0 ? 0 : (pinned[l - 1]?.level ?? 0);
    const kept = choiceIndex(stage, before, pinned[l]?.inner ?? 0, pinned[l]?.level ?? 0);
    return { ...stage, allowed: stage.allowed.map((allowed, choice) => (choice === kept ? allowed : 0)) };
  });
  return { ...instance, stages };
}

function namesOf({ stages, devices }: PlanningInstance, l: number, set: number): string[] {
  return (stages[l]?.sets[set] ?? []).map((d) => devices[d]?.name ?? '');
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, at) => name === b[at]);
}
