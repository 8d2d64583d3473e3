// Every plan of a small instance, one after another, evaluated on its own.
import { planCosts } from '../problem/cost.ts';
import type { PlanningInstance, Solution, StageDecision } from '../problem/instance.ts';

/** The best plan by looking at all of them; `status` is `optimal` or `infeasible`. */
export function bruteForce(instance: PlanningInstance): Solution {
  let objective = Number.POSITIVE_INFINITY;
  let decisions: StageDecision[] | undefined;
  const plan: StageDecision[] = [];
  const extend = (l: number): void => {
    const stage = instance.stages[l];
    if (!stage) {
      const costs = planCosts(instance, plan);
      if (costs.feasible && costs.objective < objective) {
        objective = costs.objective;
        decisions = plan.slice();
      }
      return;
    }
    for (let set = 0; set < stage.sets.length; set++) {
      for (let inner = 0; inner < stage.inner; inner++) {
        for (let level = 0; level < stage.levelsOut; level++) {
          plan[l] = { set, inner, level };
          extend(l + 1);
        }
      }
    }
  };
  extend(0);
  return { status: decisions ? 'optimal' : 'infeasible', decisions, objective, bound: objective };
}
