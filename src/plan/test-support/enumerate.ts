// Every plan of a small instance, one after another: the slowest solver there is, and the surest.

import type { PlanningInstance, Solution, StageDecision } from '../problem/instance.ts';
import { checkPlan } from '../result/check-plan.ts';

/** The best plan by looking at all of them, each judged by the independent checker. */
export function solveByEnumeration(instance: PlanningInstance): Solution {
  let best: Solution = {
    status: 'infeasible',
    objective: Number.POSITIVE_INFINITY,
    bound: Number.POSITIVE_INFINITY,
  };
  const decisions: StageDecision[] = [];
  const visit = (l: number): void => {
    const stage = instance.stages[l];
    if (!stage) {
      const { objective, violations } = checkPlan(instance, decisions);
      if (violations.length === 0 && objective < best.objective) {
        best = { status: 'optimal', decisions: [...decisions], objective, bound: objective };
      }
      return;
    }
    for (let set = 0; set < stage.sets.length; set++) {
      for (let inner = 0; inner < stage.inner; inner++) {
        for (let level = 0; level < stage.levelsOut; level++) {
          decisions.push({ set, inner, level });
          visit(l + 1);
          decisions.pop();
        }
      }
    }
  };
  visit(0);
  return best;
}
