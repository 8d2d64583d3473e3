// How near planners come to the optimum, and how soon: the same request, decided by each.
import { plannerOf, type SolverName } from '../../app/index.ts';
import type { BundleManifest } from '../../bundle/index.ts';
import { buildProblem, type Fleet, type PlanRequest } from '../../plan/index.ts';
import { formatPercent, formatSeconds, median } from '../../util/index.ts';
import { table } from '../terminal/tables.ts';

/** One planner's decision. */
export interface DeciderRow {
  readonly solver: SolverName;
  /** Infinity without a plan. */
  readonly objective: number;
  /** In the median, once it is warm. */
  readonly seconds: number;
}

const DECIDERS = ['exact', 'beam', 'policy', 'greedy'] as const satisfies readonly SolverName[];
const RUNS = 5;

/** Decides a request by each planner. */
export async function compareDeciders(
  manifest: BundleManifest,
  fleet: Fleet,
  request: PlanRequest,
): Promise<DeciderRow[]> {
  const { instance } = buildProblem(manifest, fleet, request);
  const rows: DeciderRow[] = [];
  for (const solver of DECIDERS) {
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

/** The rows for people; gaps to the first. */
export function decidersTable(rows: readonly DeciderRow[]): string {
  const best = rows[0]?.objective ?? Number.NaN;
  return table(
    ['planner', '>objective', '>above exact', '>time to decide'],
    rows.map(({ solver, objective, seconds }) => [
      solver,
      Number.isFinite(objective) ? objective.toFixed(4) : 'no plan',
      Number.isFinite(objective) ? formatPercent(objective / best - 1) : '',
      formatSeconds(seconds),
    ]),
  );
}
