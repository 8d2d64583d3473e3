// Heuristics as solutions. Their bound is the cost of what the unpruned network gets wrong: no plan costs less.
import { must } from '../../util/index.ts';
import type { PlanningInstance, Solution, StageDecision } from '../problem/instance.ts';
import { greedyPlans } from './greedy.ts';
import { heftPlans } from './heft.ts';
import { improve } from './improve.ts';
import { objectiveOf } from './partial.ts';
import { randomPlan } from './random.ts';
import { inSetsOf, onSource, unpruned } from './restrict.ts';

/** Stage by stage at several paces, then local search from each of those plans. */
export function solveGreedy(instance: PlanningInstance): Solution {
  const starts = new Map(greedyPlans(instance).map((plan) => [JSON.stringify(plan), plan]));
  return bestOf(
    instance,
    [...starts.values()].map((plan) => improve(instance, plan)),
  );
}

/** Earliest finish at each level. */
export function solveHeft(instance: PlanningInstance): Solution {
  return bestOf(instance, heftPlans(instance));
}

/** Everything unpruned on the source. */
export function solveLocal(instance: PlanningInstance): Solution {
  return bestOf(instance, [localPlan(instance)]);
}

/** A plan drawn by `seed`. */
export function solveRandom(instance: PlanningInstance, seed: number): Solution {
  const plan = randomPlan(instance, seed);
  return bestOf(instance, plan ? [plan] : []);
}

/** The decisions of `solveLocal`, whether they keep within the limits or not. */
export function localPlan({ stages, source }: PlanningInstance): StageDecision[] {
  return stages.map(({ sets, name }) => {
    const set = sets.findIndex((devices) => devices.length === 1 && devices[0] === source);
    return {
      set: must(set < 0 ? undefined : set, `stage ${name} cannot run on the source`),
      inner: 0,
      level: 0,
    };
  });
}

/** How a smaller program is solved. */
type Solve = (instance: PlanningInstance) => Promise<Solution>;

/** Best devices, nothing pruned. */
export function solveDistributeOnly(instance: PlanningInstance, solve: Solve): Promise<Solution> {
  return solveRestricted(instance, unpruned(instance), solve);
}

/** Best levels, everything on the source. */
export function solvePruneOnly(instance: PlanningInstance, solve: Solve): Promise<Solution> {
  return solveRestricted(instance, onSource(instance), solve);
}

async function solveRestricted(
  instance: PlanningInstance,
  restricted: PlanningInstance,
  solve: Solve,
): Promise<Solution> {
  const { decisions } = await solve(restricted);
  const plan = decisions && inSetsOf(instance, restricted, decisions);
  return bestOf(instance, plan ? [plan] : []);
}

/** The best of several plans. Without a plan the status is `unknown`: a heuristic proves nothing. */
function bestOf(instance: PlanningInstance, plans: readonly StageDecision[][]): Solution {
  const bound = instance.weights.accuracy * (1 - instance.unprunedAccuracy);
  let best: Solution = { status: 'unknown', objective: Number.POSITIVE_INFINITY, bound };
  for (const decisions of plans) {
    const objective = objectiveOf(instance, decisions);
    if (objective < best.objective) best = { status: 'gap', decisions, objective, bound };
  }
  return best;
}
