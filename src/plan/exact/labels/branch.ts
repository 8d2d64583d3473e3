// Branch and bound for graphs on which label setting alone makes too many labels. A node is divided by 'device d is in
// the set of stage l', yes or no. Each side gets prices and tables of its own, loses the arcs that they rule out, and
// is searched again. The side with the least bound comes first.
import { arcsBelow, type TunedTables, tablesAround, tuneTables } from '../bounds/accuracy-dp.ts';
import { restrict } from '../bounds/arc-fixing.ts';
import { type ReducedPrices, tunePrices } from '../bounds/reduced-lagrangian.ts';
import { energyRow, memoryRow } from '../graph/constraints.ts';
import type { ReducedArcs, ReducedGraph } from '../graph/reduced-graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { SearchBudget } from '../search-budget.ts';
import { LabelSearch } from './labels.ts';

/** Passes and rounds of arc fixing with one price for loss. Below `FEW_ARCS` tables by steps of loss are as quick. */
const PRICE_PASSES = 30;
const PRICE_ROUNDS = 4;
const FEW_ARCS = 800;
/** Graphs with more arcs are divided before tables are made for them. */
export const MANY_ARCS = 40_000;
const TABLE_PASSES = 12;
const TABLE_ROUNDS = 3;
/** The round that leaves more than this share of the arcs is the last. */
const LITTLE_GAIN = 0.85;

/** A reduced graph with prices made for it. */
export interface Tightened {
  readonly reduced: ReducedGraph;
  readonly prices: ReducedPrices;
  /** Proven: no plan of the graph is better. */
  readonly bound: number;
  /** Cheapest paths under prices around these. */
  readonly paths: readonly Int32Array[];
  /** Absent where a graph is too large for tables: it is divided first. */
  readonly tuned: TunedTables | undefined;
}

/** No plan below the limit is left; the prices that prove it, by row of the whole graph. */
export interface Emptied {
  readonly prices: ReducedPrices | undefined;
}

/**
 * Improves the prices of a graph and removes the arcs that they rule out below the limit, until a round removes few:
 * first with one price for loss, then with tables by steps of loss.
 * @param mostArcs no tables for a graph with more arcs
 */
export function tighten(
  start: ReducedGraph,
  prices: ReducedPrices,
  incumbent: Incumbent,
  limit: number,
  budget: SearchBudget,
  mostArcs = Number.POSITIVE_INFINITY,
): Tightened | Emptied {
  let reduced = start;
  let from = prices;
  let coarse: Tightened | undefined;
  for (let round = 0; round < PRICE_ROUNDS && reduced.arcCount > FEW_ARCS; round++) {
    const found = tunePrices(reduced, from, incumbent, limit, PRICE_PASSES, budget);
    from = found.prices;
    const below = Math.min(limit, incumbent.objective);
    if (found.bound >= below) return { prices: everyRow(reduced, from.rows, from.step) };
    const { bound, paths } = found;
    coarse = { reduced, prices: from, bound, paths, tuned: undefined };
    if (budget.spent || found.kept > LITTLE_GAIN * reduced.arcCount) break;
    const next = restrict(reduced, (l, k) => found.keep[l]?.[k] === 1, below);
    if (next === 'empty') return { prices: undefined };
    from = { rows: carried(reduced, from.rows, next), step: from.step };
    reduced = next;
    coarse = undefined;
  }
  if (coarse && reduced.arcCount > mostArcs) return coarse;
  let rows = from.rows;
  for (let round = 0; ; round++) {
    const passes = round === 0 ? TABLE_PASSES : TABLE_PASSES / 2;
    const tuned = tuneTables(reduced, rows, incumbent, limit, passes, budget);
    const below = Math.min(limit, incumbent.objective);
    if (tuned.best.bound >= below) return { prices: everyRow(reduced, tuned.best.prices, from.step) };
    const best = { rows: tuned.best.prices, step: from.step };
    const tight = { reduced, prices: best, bound: tuned.best.bound, paths: tuned.paths, tuned };
    if (budget.spent || round >= TABLE_ROUNDS) return tight;
    const { keep, kept } = arcsBelow(reduced, tuned.best, below);
    budget.pass(reduced.arcCount * Math.ceil(tuned.best.width / 8));
    if (kept > LITTLE_GAIN * reduced.arcCount) return tight;
    const next = restrict(reduced, (l, k) => keep[l]?.[k] === 1, below);
    if (next === 'empty') return { prices: undefined };
    rows = carried(reduced, tuned.best.prices, next);
    reduced = next;
  }
}

/** Prices by row of the whole graph. */
export function everyRow({ rows, graph }: ReducedGraph, prices: Float64Array, step: number): ReducedPrices {
  const all = new Float64Array(1 + 2 * graph.instance.devices.length);
  rows.forEach((row, r) => {
    all[row] = prices[r] as number;
  });
  return { rows: all, step };
}

/** Prices of one graph's rows for those of another. */
function carried(from: ReducedGraph, prices: Float64Array, to: ReducedGraph): Float64Array {
  const byRow = new Map([...from.rows].map((row, at) => [row, prices[at] as number]));
  return Float64Array.from(to.rows, (row) => byRow.get(row) ?? 0);
}

/** How much work a node gets before it is divided. */
export interface NodeShare {
  readonly labels: number;
  /** Labels that its beam keeps a layer. */
  readonly beam: number;
  /** Arcs of a graph that gets tables, at most. */
  readonly tableArcs: number;
}

const NODE_SHARE: NodeShare = { labels: 40_000, beam: 200, tableArcs: MANY_ARCS };

/** Result of branching. */
export interface Branched {
  /** No plan of the graph is better than this, or than the incumbent. */
  readonly bound: number;
  readonly nodes: number;
}

/** Searches a graph for plans below the limit until none is left or the budget ends. */
export function branchAndBound(
  root: Tightened,
  limit: number,
  incumbent: Incumbent,
  budget: SearchBudget,
  report: (bound: number) => void,
  share: NodeShare = NODE_SHARE,
): Branched {
  const open: Tightened[] = [root];
  let nodes = 0;
  while (open.length > 0) {
    let at = 0;
    for (let i = 1; i < open.length; i++) {
      if ((open[i] as Tightened).bound < (open[at] as Tightened).bound) at = i;
    }
    const node = open[at] as Tightened;
    const below = Math.min(limit, incumbent.objective);
    if (node.bound >= below) break;
    if (budget.spent) return { bound: node.bound, nodes };
    open.splice(at, 1);
    nodes++;
    report(node.bound);
    if (searched(node, below, incumbent, budget, share)) continue;
    if (budget.spent) return { bound: node.bound, nodes };
    const split = branching(node);
    for (const side of [0, 1] as const) {
      const part = restrict(
        node.reduced,
        (l, k) => l !== split.layer || split.has[k] === side,
        Math.min(limit, incumbent.objective),
      );
      if (part === 'empty') continue;
      const prices = { rows: carried(node.reduced, node.prices.rows, part), step: node.prices.step };
      const child = tighten(part, prices, incumbent, limit, budget, share.tableArcs);
      if ('tuned' in child) open.push({ ...child, bound: Math.max(node.bound, child.bound) });
    }
  }
  return { bound: limit, nodes };
}

/** Whether label setting settles a node within its share of labels. */
function searched(
  { reduced, tuned }: Tightened,
  below: number,
  incumbent: Incumbent,
  budget: SearchBudget,
  share: NodeShare,
): boolean {
  if (!tuned) return false;
  const search = new LabelSearch(reduced);
  const near = [tuned.best, ...tuned.others.slice(-3)];
  const beam = search.run(near, { threshold: below, beam: share.beam }, incumbent, budget);
  const reach = Math.min(below, incumbent.objective);
  if (beam.complete && beam.dropped >= reach) return true;
  const tables = [...near, ...tablesAround(reduced, tuned.best, budget)];
  const options = { threshold: reach, labels: share.labels };
  return search.run(tables, options, incumbent, budget).complete;
}

interface Branching {
  readonly layer: number;
  /** By arc of the layer: 1 where the device is in the arc's set. */
  readonly has: Uint8Array;
}

/** The device and stage on which the cheapest paths disagree most, weighed by the prices of the device's limits. */
function branching({ reduced, prices, paths }: Tightened): Branching {
  const { graph, arcs, rows } = reduced;
  const { layers, instance } = graph;
  const D = instance.devices.length;
  const m = rows.length;
  const price = new Map([...rows].map((row, r) => [row, prices.rows[r] as number]));
  const position = new Map([...rows].map((row, r) => [row, r]));
  let best: Branching | undefined;
  let most = -1;
  layers.forEach((layer, l) => {
    const { set, use, to } = arcs[l] as ReducedArcs;
    for (let d = 0; d < D; d++) {
      const has = Uint8Array.from(set, (s) => Number(layer.sets[s]?.includes(d)));
      const with1 = has.reduce((sum, flag) => sum + flag, 0);
      if (with1 === 0 || with1 === to.length) continue;
      let on = 0;
      let used = 0;
      for (const path of paths) {
        const k = path[l] as number;
        if (!has[k]) continue;
        on++;
        for (const row of [memoryRow(d), energyRow(d, D)]) {
          const r = position.get(row);
          if (r !== undefined) used += (price.get(row) as number) * (use[k * m + r] as number);
        }
      }
      const share = on / Math.max(1, paths.length);
      const weight = on > 0 ? used / on : 0;
      // Where no limit has a price, any disagreement; where none disagrees, any device.
      const score = Math.min(share, 1 - share) * (weight + 1e-6) + 1e-12 * Math.min(with1, to.length - with1);
      if (score > most) {
        most = score;
        best = { layer: l, has };
      }
    }
  });
  return best ?? byHalves(reduced);
}

/** For graphs in which every stage has one set left: divides the layer with most arcs in two. */
function byHalves({ arcs }: ReducedGraph): Branching {
  let layer = 0;
  arcs.forEach(({ to }, l) => {
    if (to.length > (arcs[layer] as ReducedArcs).to.length) layer = l;
  });
  const { length } = (arcs[layer] as ReducedArcs).to;
  return { layer, has: Uint8Array.from({ length }, (_, k) => Number(2 * k >= length)) };
}
