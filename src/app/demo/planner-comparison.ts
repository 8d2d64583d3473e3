// Planners compared on one request: how close each comes to the optimum, and how soon.
import type { BundleManifest } from '../../bundle/index.ts';
import { buildProblem, type Fleet, type PlanRequest } from '../../plan/index.ts';
import { median } from '../../util/index.ts';
import { plannerOf, type SolverName } from '../planners.ts';

/** One planner's plan. */
export interface ComparedPlanner {
  readonly solver: SolverName;
  /** Infinity without a plan. */
  readonly objective: number;
  /** Median time of a warm planner. */
  readonly seconds: number;
}

const COMPARED = ['exact', 'beam', 'policy', 'greedy'] as const satisfies readonly SolverName[];
const RUNS = 5;

/** Plans one request with each planner. */
export async function comparePlanners(
  manifest: BundleManifest,
  fleet: Fleet,
  request: PlanRequest,
): Promise<ComparedPlanner[]> {
  const { instance } = buildProblem(manifest, fleet, request);
  const rows: ComparedPlanner[] = [];
  for (const solver of COMPARED) {
    const planner = plannerOf(solver);
    const { objective } = await planner.plan(instance);
    const seconds: number[] = [];
    while (seconds.length < RUNS) {
      const start = performance.now();
      await planner.plan(instance);
      seconds.push((performance.now() - start) / 1000);
    }
    rows.push({ solver, objective, seconds: median(seconds) });
  }
  return rows;
}
