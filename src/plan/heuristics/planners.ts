// The heuristics as planners.

import type { Planner, PlannerResult } from '../planner.ts';
import type { PlanningInstance, Solution } from '../problem/instance.ts';
import {
  solveDistributeOnly,
  solveGreedy,
  solveHeft,
  solveLocal,
  solvePruneOnly,
  solveRandom,
} from './solutions.ts';

/** Stage by stage the cheapest choice that keeps pace with the budgets, then local search. */
export const greedyPlanner: Planner = immediate('greedy', solveGreedy);

/** Earliest finish at each level (Topcuoglu, Hariri and Wu, 2002). */
export const heftPlanner: Planner = immediate('heft', solveHeft);

/** Everything unpruned on the source. */
export const localPlanner: Planner = immediate('local', solveLocal);

/** Any plan within the limits, drawn by `seed`; the same one for the same instance. */
export function randomPlanner(seed: number): Planner {
  return immediate('random', (instance) => solveRandom(instance, seed));
}

/** Nothing pruned; the devices chosen by `inner`. */
export function distributeOnlyPlanner(inner: Planner): Planner {
  return restricted('distribute-only', inner, solveDistributeOnly);
}

/** Everything on the source; the levels chosen by `inner`. */
export function pruneOnlyPlanner(inner: Planner): Planner {
  return restricted('prune-only', inner, solvePruneOnly);
}

function immediate(name: string, solve: (instance: PlanningInstance) => Solution): Planner {
  return {
    name,
    async plan(instance) {
      const start = performance.now();
      const solution = solve(instance);
      return { ...solution, stats: { labels: 0, seconds: (performance.now() - start) / 1000 } };
    },
  };
}

function restricted(
  name: string,
  inner: Planner,
  solve: (
    instance: PlanningInstance,
    by: (smaller: PlanningInstance) => Promise<Solution>,
  ) => Promise<Solution>,
): Planner {
  return {
    name,
    async plan(instance, { warm: _, ...options } = {}) {
      // What an earlier plan of the whole program left does not fit the smaller one.
      let stats: PlannerResult['stats'] = { labels: 0, seconds: 0 };
      const solution = await solve(instance, async (smaller) => {
        const result = await inner.plan(smaller, options);
        stats = result.stats;
        return result;
      });
      return { ...solution, stats };
    },
  };
}
