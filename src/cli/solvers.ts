// The table from names to planners.
import {
  beamPlanner,
  distributeOnlyPlanner,
  exactPlanner,
  greedyPlanner,
  heftPlanner,
  highsPlanner,
  localPlanner,
  type Planner,
  type PlanningInstance,
  pruneOnlyPlanner,
  type Solution,
} from '../plan/index.ts';
import { must } from '../util/index.ts';
import { policyPlanner } from './policy.ts';

/** Planners by name. */
const PLANNERS = {
  exact: exactPlanner,
  beam: beamPlanner,
  highs: highsPlanner,
  greedy: greedyPlanner,
  heft: heftPlanner,
  'distribute-only': distributeOnlyPlanner(exactPlanner),
  'prune-only': pruneOnlyPlanner(exactPlanner),
  local: localPlanner,
  policy: policyPlanner(),
} as const satisfies Record<string, Planner>;

export type SolverName = keyof typeof PLANNERS;

export const SOLVERS = Object.keys(PLANNERS) as readonly SolverName[];

/** The planner of a name. */
export function plannerOf(name: SolverName): Planner {
  return must(PLANNERS[name], `planner ${name}`);
}

/** Any plan there is, or a proof that there is none, as the diagnosis of infeasible requests asks for. */
export function anyPlan(instance: PlanningInstance): Promise<Solution> {
  return exactPlanner.plan(instance, { gap: 1, labels: 100_000 });
}
