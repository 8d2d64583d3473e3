// The search as planners, in the calling thread.
import type { Planner } from '../planner.ts';
import { type Effort, solve } from './solve.ts';

/** Searches until the plan is proven, or the budget ends: the plan and a proven bound are returned then. */
export const exactPlanner: Planner = searching('exact');

/** The guided beam: the plan of the first beam that finds one, with the bound of the root and the grid. */
export const beamPlanner: Planner = searching('beam');

function searching(effort: Effort): Planner {
  return {
    name: effort,
    async plan(instance, options) {
      return solve(instance, effort, options);
    },
  };
}
