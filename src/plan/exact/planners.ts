// The exact search as planners that run in the calling thread. `WorkerPlanner` runs them in a thread of its own.
import type { Planner } from '../planner.ts';
import { type Effort, solve } from './solve.ts';

/** Searches until the plan is proven optimal or the budget ends; gives the plan and a proven bound. */
export const exactPlanner: Planner = searching('exact');

/** Stops at the first guided beam that finds a plan; gives it with the bound proven so far. */
export const beamPlanner: Planner = searching('beam');

function searching(effort: Effort): Planner {
  return {
    name: effort,
    async plan(instance, options) {
      return solve(instance, effort, options);
    },
  };
}
