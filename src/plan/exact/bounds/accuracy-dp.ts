// Dynamic programming by accuracy on a reduced graph: the cheapest way from every node to the end, for every number of
// steps of loss made so far. Accuracy is exact here, both the floor and its concave term. Only the deadline and the
// limits of devices have prices.

import { PRICE_TOLERANCE, SLACK } from '../../problem/tolerances.ts';
import { pathOf, type ReducedArcs, type ReducedGraph } from '../graph/reduced-graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { SearchBudget } from '../search-budget.ts';
import { SubgradientSteps, TABLE_RULE } from './subgradient.ts';

/** The table of one set of prices. */
export interface AccuracyTable {
  /** By row of the reduced graph: the price of the whole limit. */
  readonly prices: Float64Array;
  /** Prices times capacities, summed. */
  readonly capacity: number;
  /** By arc layer: cost of each arc plus the price of what it uses. */
  readonly priced: readonly Float64Array[];
  /** By node layer: `[node * width + steps so far]`. */
  readonly toGo: readonly Float64Array[];
  readonly width: number;
  /** Proven lower bound of every plan in the graph. Infinity when no path keeps the floor. */
  readonly bound: number;
}

/** Makes the table by one pass from the end to the root. */
export function accuracyTable(reduced: ReducedGraph, prices: Float64Array): AccuracyTable {
  const { arcs, nodes, graph, capacity } = reduced;
  const width = graph.mostSteps + 1;
  const m = prices.length;
  const priced = arcs.map(({ cost, use }) => {
    const values = cost.slice();
    for (let k = 0; k < values.length; k++) {
      let value = values[k] as number;
      for (let r = 0; r < m; r++) value += (prices[r] as number) * (use[k * m + r] as number);
      values[k] = value;
    }
    return values;
  });
  const toGo: Float64Array[] = nodes.map(() => new Float64Array(0));
  toGo[nodes.length - 1] = graph.accuracy;
  for (let l = arcs.length - 1; l >= 0; l--) {
    const { start, to, steps } = arcs[l] as ReducedArcs;
    const cost = priced[l] as Float64Array;
    const next = toGo[l + 1] as Float64Array;
    const table = new Float64Array((nodes[l] as number) * width).fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i + 1 < start.length; i++) {
      const row = i * width;
      const end = start[i + 1] as number;
      for (let k = start[i] as number; k < end; k++) {
        const here = cost[k] as number;
        const lost = steps[k] as number;
        const base = (to[k] as number) * width + lost;
        for (let r = width - 1 - lost; r >= 0; r--) {
          const value = here + (next[base + r] as number);
          if (value < (table[row + r] as number)) table[row + r] = value;
        }
      }
    }
    toGo[l] = table;
  }
  let spare = 0;
  for (let r = 0; r < m; r++) spare += (prices[r] as number) * (capacity[r] as number);
  const bound = ((toGo[0] as Float64Array)[0] as number) - spare;
  return { prices, capacity: spare, priced, toGo, width, bound };
}

/** Arc numbers of the cheapest path; it keeps the accuracy floor. */
export function tablePath({ arcs }: ReducedGraph, { priced, toGo, width }: AccuracyTable): Int32Array {
  const path = new Int32Array(arcs.length);
  let node = 0;
  let lost = 0;
  arcs.forEach(({ start, to, steps }, l) => {
    let best = Number.POSITIVE_INFINITY;
    let arc = start[node] as number;
    const next = toGo[l + 1] as Float64Array;
    for (let k = arc; k < (start[node + 1] as number); k++) {
      const after = lost + (steps[k] as number);
      if (after >= width) continue;
      const value =
        ((priced[l] as Float64Array)[k] as number) + (next[(to[k] as number) * width + after] as number);
      if (value < best) {
        best = value;
        arc = k;
      }
    }
    path[l] = arc;
    lost += steps[arc] as number;
    node = to[arc] as number;
  });
  return path;
}

/** Prices by row of the whole graph, picked for the rows of a reduced one. */
export function reducedPrices({ rows }: ReducedGraph, all: Float64Array): Float64Array {
  return Float64Array.from(rows, (row) => all[row] as number);
}

/** Tables of a few subgradient steps. */
export interface TunedTables {
  readonly best: AccuracyTable;
  /** Other tables, for prices away from the best. */
  readonly others: readonly AccuracyTable[];
  /** The cheapest path of each pass, as arc numbers. Together they are close to a fractional optimum. */
  readonly paths: readonly Int32Array[];
}

/**
 * Raises the bound by subgradient steps on tables. Paths that keep every limit are offered as plans.
 * @param target the bound can rise to this at most
 * @param passes tables made, at most
 */
export function tuneTables(
  reduced: ReducedGraph,
  from: Float64Array,
  incumbent: Incumbent,
  target: number,
  passes: number,
  budget: SearchBudget,
): TunedTables {
  const m = from.length;
  const { arcs, capacity } = reduced;
  const prices = from.slice();
  const method = new SubgradientSteps(TABLE_RULE, m);
  const tables: AccuracyTable[] = [];
  const paths: Int32Array[] = [];
  let best: AccuracyTable | undefined;
  for (let pass = 0; pass < passes; pass++) {
    const table = accuracyTable(reduced, prices.slice());
    budget.pass(reduced.arcCount * Math.ceil(table.width / 8));
    if (table.bound === Number.POSITIVE_INFINITY) return { best: table, others: [], paths };
    if (!best || table.bound > best.bound) {
      if (best) tables.push(best);
      best = table;
      method.rose();
    } else {
      tables.push(table);
      if (method.stalled()) {
        prices.set(best.prices);
        if (method.exhausted) break;
      }
    }
    const path = tablePath(reduced, table);
    paths.push(path);
    const slope = new Float64Array(m);
    let cost = 0;
    let steps = 0;
    path.forEach((k, l) => {
      const layer = arcs[l] as ReducedArcs;
      cost += layer.cost[k] as number;
      steps += layer.steps[k] as number;
      for (let r = 0; r < m; r++) slope[r] = (slope[r] as number) + (layer.use[k * m + r] as number);
    });
    let fits = true;
    method.begin();
    for (let r = 0; r < m; r++) {
      let value = (slope[r] as number) - (capacity[r] as number);
      if (value > SLACK) fits = false;
      if ((prices[r] as number) <= 0 && value < 0) value = 0;
      method.add(r, value);
    }
    if (fits) incumbent.offer(pathOf(reduced, path), cost + (reduced.graph.accuracy[steps] as number));
    const reach = Math.min(target, incumbent.objective);
    const aim = Number.isFinite(reach) ? reach : best.bound + TABLE_RULE.aim * Math.abs(best.bound);
    const length = method.length(aim - table.bound, aim);
    if (length === undefined || best.bound >= reach || budget.spent) break;
    const { direction } = method;
    for (let r = 0; r < m; r++)
      prices[r] = Math.max(0, (prices[r] as number) + length * (direction[r] as number));
  }
  return { best: best as AccuracyTable, others: tables, paths };
}

/**
 * Tables for prices away from the best: each price above zero is doubled and lowered on its own. They give better
 * bounds for labels that have used up a limit early, or hardly any of it.
 */
export function tablesAround(
  reduced: ReducedGraph,
  { prices }: AccuracyTable,
  budget: SearchBudget,
): AccuracyTable[] {
  const tables: AccuracyTable[] = [];
  prices.forEach((price, r) => {
    if (price <= PRICE_TOLERANCE) return;
    for (const factor of [2, 0.3]) {
      const other = prices.slice();
      other[r] = price * factor;
      tables.push(accuracyTable(reduced, other));
      budget.pass(reduced.arcCount * Math.ceil((tables[0]?.width ?? 1) / 8));
    }
  });
  return tables;
}

/**
 * Marks every arc that lies on a path whose price is below `limit` and that keeps the floor. `kept` counts the marks.
 */
export function arcsBelow(
  { arcs, nodes }: ReducedGraph,
  table: AccuracyTable,
  limit: number,
): { readonly keep: readonly Uint8Array[]; readonly kept: number } {
  const { width, priced, toGo } = table;
  const most = limit + table.capacity;
  let reached = new Float64Array(width).fill(Number.POSITIVE_INFINITY);
  reached[0] = 0;
  let kept = 0;
  const keep = arcs.map(({ start, to, steps }, l) => {
    const flags = new Uint8Array(to.length);
    const next = new Float64Array((nodes[l + 1] as number) * width).fill(Number.POSITIVE_INFINITY);
    const cost = priced[l] as Float64Array;
    const rest = toGo[l + 1] as Float64Array;
    for (let i = 0; i + 1 < start.length; i++) {
      const row = i * width;
      for (let k = start[i] as number; k < (start[i + 1] as number); k++) {
        const here = cost[k] as number;
        const lost = steps[k] as number;
        const base = (to[k] as number) * width + lost;
        let below = 0;
        for (let r = 0; r < width - lost; r++) {
          const value = here + (reached[row + r] as number);
          if (value + (rest[base + r] as number) < most) {
            below = 1;
            if (value < (next[base + r] as number)) next[base + r] = value;
          }
        }
        flags[k] = below;
        kept += below;
      }
    }
    reached = next;
    return flags;
  });
  return { keep, kept };
}
