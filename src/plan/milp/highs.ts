// HiGHS (npm `highs`, WebAssembly) on the linear program: for small instances, and to check the exact planner.
import type { ModelData } from 'highs';
import { BedsideError } from '../../util/index.ts';
import { loadOptional } from '../../util/internal.ts';
import { buildLayeredGraph, type LayeredGraph } from '../exact/graph/graph.ts';
import { Incumbent } from '../exact/incumbent.ts';
import type { Planner, PlannerOptions, PlannerResult } from '../planner.ts';
import type { PlanningInstance } from '../problem/instance.ts';
import { DEFAULT_GAP, HIGHS_TOLERANCE } from '../problem/tolerances.ts';
import type { LinearProgram } from './linear-program.ts';
import { writeLp } from './lp-writer.ts';
import { buildModel, type PlanningModel, pathOfValues } from './model.ts';

/** HiGHS reads this as infinity. */
const INFINITE = 1e30;
/** Longest time limit in seconds; HiGHS refuses infinity. */
const LONGEST = 1e9;

/**
 * HiGHS on the whole program. Budgets in labels mean nothing to it; `seconds` is its time limit. It does not report
 * progress and cannot be stopped.
 */
export const highsPlanner: Planner = {
  name: 'highs',
  async plan(instance, options = {}) {
    const started = performance.now();
    const graph = buildLayeredGraph(instance);
    const result = graph ? await solveModel(graph, options) : proven();
    return { ...result, stats: { ...result.stats, seconds: (performance.now() - started) / 1000 } };
  },
};

/** The whole program in the CPLEX LP format; undefined when no stage can run at all. */
export function exportLp(instance: PlanningInstance): string | undefined {
  const graph = buildLayeredGraph(instance);
  if (!graph) return undefined;
  const { stages, devices, deadline } = instance;
  const head = [
    `Placement of ${stages.length} stages on ${devices.length} devices; deadline ${deadline} s.`,
    'run: a stage runs on these devices and its output has this level. send: its output goes to the next.',
    'work: it computes at this choice of levels. time: seconds until its last member is done.',
    'lost: steps of accuracy loss. held: largest activations. Limits are scaled to 1.',
  ];
  return writeLp(buildModel(graph).program, head.join('\n'));
}

function proven(): PlannerResult {
  const bound = Number.POSITIVE_INFINITY;
  return { status: 'infeasible', objective: bound, bound, stats: { labels: 0, seconds: 0 } };
}

async function solveModel(graph: LayeredGraph, options: PlannerOptions): Promise<PlannerResult> {
  const highs = await loadHighs();
  const built = buildModel(graph);
  const model = highs.createModel(modelData(built.program, highs.constants.objectiveSense.minimize));
  try {
    model.options.set({
      output_flag: false,
      time_limit: Math.min(options.seconds ?? LONGEST, LONGEST),
      mip_rel_gap: options.gap ?? DEFAULT_GAP,
      mip_abs_gap: 1e-12,
      mip_feasibility_tolerance: HIGHS_TOLERANCE,
      primal_feasibility_tolerance: HIGHS_TOLERANCE,
    });
    const { modelStatus } = highs.constants;
    const infeasible = [modelStatus.infeasible, modelStatus.unboundedOrInfeasible] as number[];
    model.run();
    if (infeasible.includes(model.getModelStatus())) {
      // HiGHS 1.15's presolve calls some feasible programs infeasible.
      model.options.set({ presolve: 'off' });
      model.clearSolver();
      model.run();
    }
    const status = model.getModelStatus();
    if (infeasible.includes(status)) return proven();
    if (status !== modelStatus.optimal && status !== modelStatus.timeLimit) {
      throw new BedsideError('E_INTERNAL', `HiGHS ended with status ${status}`, {
        hint: 'use the exact planner',
      });
    }
    const bound = Number(model.info.get('mip_dual_bound'));
    return answer(graph, built, status === modelStatus.optimal, bound, values(model.getSolution().colValue));
  } finally {
    model.dispose();
  }
}

/** By the package's types the loader is one `default` deeper: they describe its CommonJS build. */
type Loader = typeof import('highs')['default'];

let loaded: ReturnType<Loader> | undefined;

/** Compiled once; models share nothing but the code. */
function loadHighs(): ReturnType<Loader> {
  loaded ??= loadOptional('the MILP planner', () => import('highs')).then(({ default: load }) =>
    (load as unknown as Loader)(),
  );
  return loaded;
}

/** The plan, priced again: a solution within HiGHS's tolerance may break a limit. */
function answer(
  graph: LayeredGraph,
  model: PlanningModel,
  optimal: boolean,
  bound: number,
  columns: ArrayLike<number> | undefined,
): PlannerResult {
  const incumbent = new Incumbent(graph);
  if (columns) incumbent.offer(pathOfValues(graph, model, columns), Number.NEGATIVE_INFINITY);
  const { objective, decisions } = incumbent;
  const stats = { labels: 0, seconds: 0 };
  if (!decisions) return { status: 'unknown', objective, bound, stats };
  const status = optimal ? 'optimal' : 'gap';
  return { status, decisions, objective, bound: Math.min(bound, objective), stats };
}

function values(columns: ArrayLike<number> | undefined | null): ArrayLike<number> | undefined {
  return columns && columns.length > 0 ? columns : undefined;
}

function modelData(
  { columns, rows, nonZeros }: LinearProgram,
  sense: ModelData['sense'] & number,
): ModelData {
  const starts = new Int32Array(rows.length + 1);
  const indices = new Int32Array(nonZeros);
  const entries = new Float64Array(nonZeros);
  let at = 0;
  rows.forEach((row, r) => {
    row.columns.forEach((column, i) => {
      indices[at] = column;
      entries[at++] = row.values[i] ?? 0;
    });
    starts[r + 1] = at;
  });
  const finite = (value: number): number => Math.max(-INFINITE, Math.min(INFINITE, value));
  return {
    numCols: columns.length,
    numRows: rows.length,
    sense,
    colCost: Float64Array.from(columns, ({ cost }) => cost),
    colLower: new Float64Array(columns.length),
    colUpper: Float64Array.from(columns, ({ upper }) => finite(upper)),
    rowLower: Float64Array.from(rows, ({ lower }) => finite(lower)),
    rowUpper: Float64Array.from(rows, ({ upper }) => finite(upper)),
    matrix: {
      format: 'csr',
      numRows: rows.length,
      numCols: columns.length,
      starts,
      indices,
      values: entries,
    },
    integrality: Int32Array.from(columns, ({ integer }) => Number(integer)),
  };
}
