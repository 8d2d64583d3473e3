// Exact planning: one search, or one for each level where all cuts keep one level.

import type { PlannerResult } from '../planner.ts';
import type { PlanningInstance } from '../problem/instance.ts';
import { buildLayeredGraph } from './graph/graph.ts';
import { atLevel, commonLevels, onLevel, withLevel } from './per-level.ts';
import { concluded, type Effort, Search, type SolveOptions, spentOf } from './search.ts';
import { SearchBudget } from './search-budget.ts';

export type { Effort, SolveOptions } from './search.ts';

/** Labels of `exact` and of `beam` by default. */
export const DEFAULT_LABELS = { exact: 4_000_000, beam: 400_000 } as const;

/** Solves an instance. */
export function solve(instance: PlanningInstance, effort: Effort, options: SolveOptions = {}): PlannerResult {
  const budget = new SearchBudget(
    options.labels ?? DEFAULT_LABELS[effort],
    options.seconds ?? Number.POSITIVE_INFINITY,
    options.signal,
  );
  const levels = commonLevels(instance);
  if (levels !== undefined) return solveLevels(instance, levels, effort, options, budget);
  const graph = buildLayeredGraph(instance);
  return graph ? new Search(graph, effort, options, budget).run() : impossible(budget);
}

function impossible(budget: SearchBudget): PlannerResult {
  const bound = Number.POSITIVE_INFINITY;
  return {
    status: 'infeasible',
    objective: bound,
    bound,
    stats: { labels: budget.labels, seconds: budget.seconds },
  };
}

/** Solves each common level alone, in the order of their bounds, until no other can be better. */
function solveLevels(
  instance: PlanningInstance,
  levels: number,
  effort: Effort,
  options: SolveOptions,
  budget: SearchBudget,
): PlannerResult {
  const searches = Array.from({ length: levels }, (_, level) => {
    const graph = buildLayeredGraph(atLevel(instance, level));
    // A plan of the whole instance is one of this level alone, if it is of this level.
    const old = options.warm?.decisions;
    const warm = { ...options.warm, decisions: old && onLevel(instance, old, level) };
    return graph && { level, search: new Search(graph, effort, { ...options, warm }, budget) };
  }).filter((entry) => entry !== undefined);
  for (const { search } of searches) search.root();
  searches.sort((a, b) => a.search.bound - b.search.bound || a.level - b.level);
  let best: PlannerResult = impossible(budget);
  let bound = Number.POSITIVE_INFINITY;
  for (const { level, search } of searches) {
    search.limitTo(best.objective);
    const result = search.run();
    bound = Math.min(bound, result.bound);
    if (result.decisions && result.objective < best.objective) {
      best = { ...result, decisions: withLevel(instance, result.decisions, level) };
    }
  }
  return {
    ...best,
    ...concluded(best.objective, bound, options.gap),
    stats: { ...best.stats, ...spentOf(budget) },
  };
}
