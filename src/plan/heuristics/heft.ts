// Heterogeneous earliest finish time (Topcuoglu, Hariri and Wu, IEEE TPDS 13, 2002) on a chain: one level for all
// groups, every stage on the devices where it ends first; the best of all levels.
import { must } from '../../util/index.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';
import { begin, extend, objectiveOf, type PartialPlan } from './partial.ts';

/** The plans of all levels that have one. */
export function heftPlans(instance: PlanningInstance): StageDecision[][] {
  const most = Math.max(...instance.stages.map((stage) => Math.max(stage.levelsOut, stage.inner)));
  const plans: StageDecision[][] = [];
  for (let level = 0; level < most; level++) {
    const plan = earliestFinish(instance, level / Math.max(1, most - 1));
    if (plan) plans.push(plan);
  }
  return plans;
}

/** @param depth the level as a fraction of the last, for all groups */
function earliestFinish(instance: PlanningInstance, depth: number): StageDecision[] | undefined {
  let partial = begin(instance);
  for (const stage of instance.stages) {
    const level = Math.round(depth * (stage.levelsOut - 1));
    const inner = Math.round(depth * (stage.inner - 1));
    let best: PartialPlan | undefined;
    for (let set = 0; set < stage.sets.length; set++) {
      const next = extend(instance, partial, { set, inner, level });
      if (next && (!best || next.seconds < best.seconds)) best = next;
    }
    if (!best) return undefined;
    partial = must(best, 'a step');
  }
  // The result still has to return.
  const whole = [...partial.decisions];
  return Number.isFinite(objectiveOf(instance, whole)) ? whole : undefined;
}
