// Greedy planning: takes stage by stage the cheapest choice that keeps pace with the budgets.
import { must } from '../../util/index.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';
import { begin, extend, objectiveOf, overPace, type PartialPlan } from './partial.ts';

/** Weights of budgets that are used faster than stages pass, in the objective's unit. Each weight gives a plan. */
const PACES = [0, 1, 4] as const;

/**
 * Builds a plan from the first stage to the last without going back. A choice counts with its cost, and with a penalty
 * for every budget (deadline, accuracy, memory, energy) that is used faster than stages pass.
 * @param pace 0 looks at costs alone
 * @returns undefined when it runs into a limit
 */
export function greedyPlan(instance: PlanningInstance, pace: number): StageDecision[] | undefined {
  let partial = begin(instance);
  for (let l = 0; l < instance.stages.length; l++) {
    const next = bestStep(instance, partial, l, pace);
    if (!next) return undefined;
    partial = next;
  }
  // The result still has to return.
  const whole = [...partial.decisions];
  return Number.isFinite(objectiveOf(instance, whole)) ? whole : undefined;
}

/** The plans of all paces that lead to one. */
export function greedyPlans(instance: PlanningInstance): StageDecision[][] {
  return PACES.flatMap((pace) => {
    const plan = greedyPlan(instance, pace);
    return plan ? [plan] : [];
  });
}

function bestStep(
  instance: PlanningInstance,
  partial: PartialPlan,
  l: number,
  pace: number,
): PartialPlan | undefined {
  const stage = must(instance.stages[l], `stage ${l}`);
  const passed = (l + 1) / instance.stages.length;
  let best: PartialPlan | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (let set = 0; set < stage.sets.length; set++) {
    for (let inner = 0; inner < stage.inner; inner++) {
      for (let level = 0; level < stage.levelsOut; level++) {
        const next = extend(instance, partial, { set, inner, level });
        if (!next) continue;
        const score = next.cost + (pace > 0 ? pace * overPace(instance, next, passed) : 0);
        if (score < lowest) {
          lowest = score;
          best = next;
        }
      }
    }
  }
  return best;
}
