// Arc fixing: the part of a graph that plans better than a threshold can use, arcs whose cheapest path under prices is not
// above it.
import { BOUND_TOLERANCE } from '../../problem/tolerances.ts';
import { ArcList, type CandidateArcs, compact, filterArcs } from '../graph/arc-filter.ts';
import { addUse, memoryRow } from '../graph/constraints.ts';
import type { GraphLayer } from '../graph/graph.ts';
import type { ReducedGraph } from '../graph/reduced-graph.ts';
import type { LagrangianPass, RowPrices } from './lagrangian-pass.ts';
import { offsetOf } from './root.ts';

export type Reduction = ReducedGraph | 'empty' | 'too large';

/** Fixes arcs. `pricing` is run anew at `prices`. */
export function fixArcs(
  pricing: LagrangianPass,
  prices: RowPrices,
  threshold: number,
  mostArcs: number,
): Reduction {
  const { graph } = pricing;
  pricing.run(prices);
  const arcs = keptArcs(pricing, threshold - offsetOf(graph, pricing.rows, prices), mostArcs);
  if (arcs === undefined) return 'too large';
  return assemble(pricing, arcs, threshold);
}

/** The part of a reduced graph that has only the arcs that `keep` says, and what they still lead to. */
export function restrict(
  reduced: ReducedGraph,
  keep: (layer: number, arc: number) => boolean,
  threshold: number,
): ReducedGraph | 'empty' {
  const { graph, rows, capacity, peaks, nodes } = reduced;
  const m = rows.length;
  const q = peaks.length;
  const drafts = reduced.arcs.map((arcs, l): CandidateArcs => {
    const list = new ArcList();
    const kept: number[] = [];
    for (let i = 0; i + 1 < arcs.start.length; i++) {
      for (let k = arcs.start[i] as number; k < (arcs.start[i + 1] as number); k++) {
        if (!keep(l, k)) continue;
        kept.push(k);
        list.push(i, arcs.set[k] as number, arcs.choice[k] as number);
      }
    }
    const use = new Float64Array(kept.length * m);
    const held = new Float64Array(q > 0 ? kept.length * m : 0);
    kept.forEach((k, at) => {
      use.set(arcs.use.subarray(k * m, (k + 1) * m), at * m);
      peaks.forEach((r, i) => {
        held[at * m + r] = arcs.held[k * q + i] as number;
      });
    });
    return {
      list,
      to: Int32Array.from(kept, (k) => arcs.to[k] as number),
      cost: Float64Array.from(kept, (k) => arcs.cost[k] as number),
      use,
      held,
      alive: new Uint8Array(kept.length).fill(1),
    };
  });
  if (!filterArcs(drafts, nodes, m, capacity)) return 'empty';
  return compact(graph, drafts, nodes, rows, capacity, threshold);
}

/** Arcs by layer whose cheapest path is at most `most`; undefined for more than `mostArcs`. */
function keptArcs(pricing: LagrangianPass, most: number, mostArcs: number): ArcList[] | undefined {
  // What has no path at all costs infinitely much, so is never kept.
  const limit = Math.min(most + BOUND_TOLERANCE * Math.abs(most), Number.MAX_VALUE);
  const { layers } = pricing.graph;
  const lists: ArcList[] = [];
  let reached = new Float64Array(1);
  let total = 0;
  for (let l = 0; l < layers.length; l++) {
    const layer = layers[l] as GraphLayer;
    const list = new ArcList();
    const next = new Float64Array(layer.states).fill(Number.POSITIVE_INFINITY);
    for (let state = 0; state < reached.length; state++) {
      const spent = reached[state] as number;
      if (spent < Number.POSITIVE_INFINITY) keepFrom(pricing, l, state, spent, limit, list, next);
    }
    total += list.count;
    if (total > mostArcs) return undefined;
    lists.push(list);
    reached = next;
  }
  return lists;
}

function keepFrom(
  pricing: LagrangianPass,
  l: number,
  state: number,
  spent: number,
  limit: number,
  list: ArcList,
  next: Float64Array,
): void {
  const layer = pricing.graph.layers[l] as GraphLayer;
  const count = layer.sets.length;
  const from = Math.floor(state / layer.levelsIn);
  const p = state - from * layer.levelsIn;
  const toGo = pricing.toGo[l] as Float64Array;
  const end = layer.start[p + 1] as number;
  for (let t = 0; t < count; t++) {
    const at = state * count + t;
    const base = spent + (layer.sent[state] as number) * pricing.bytePrice(l, from, t);
    const critical = layer.critical[at] as number;
    const arrival = layer.arrival[at] as number;
    if (!(base + pricing.nodePrice(l, t, critical, arrival, p) <= limit)) continue;
    for (let c = layer.start[p] as number; c < end; c++) {
      const value = base + pricing.choicePrice(l, t, critical, arrival, c);
      if (!(value <= limit)) continue;
      list.push(state, t, c);
      const to = t * layer.levels + (layer.out[c] as number);
      const here = value - (toGo[to] as number);
      if (here < (next[to] as number)) next[to] = here;
    }
  }
}

function assemble(pricing: LagrangianPass, lists: readonly ArcList[], threshold: number): Reduction {
  const { graph, rows } = pricing;
  const { layers, instance } = graph;
  const used = Int32Array.from([...rows.active.keys()].filter((r) => rows.active[r]));
  const m = used.length;
  const D = instance.devices.length;
  const scale = Float64Array.from(used, (row) => 1 / (rows.scale[row] as number));
  const holds = layers.some(({ activationBytes }) => activationBytes.some((bytes) => bytes > 0));
  const states = [1, ...layers.map((layer) => layer.states), 1];
  const home = new ArcList();
  const last = layers[layers.length - 1] as GraphLayer;
  for (let state = 0; state < last.states; state++) home.push(state, 0, 0);
  const raw = new Float64Array(rows.count);
  const drafts = [...lists, home].map((list, l): CandidateArcs => {
    const layer = layers[l];
    const n = list.count;
    const draft = {
      list,
      to: new Int32Array(n),
      cost: new Float64Array(n),
      use: new Float64Array(n * m),
      held: new Float64Array(holds ? n * m : 0),
      alive: new Uint8Array(n).fill(1),
    };
    for (let k = 0; k < n; k++) {
      const [set, choice] = [list.set[k] as number, list.choice[k] as number];
      raw.fill(0);
      draft.cost[k] = addUse(graph, l, list.from[k] as number, set, choice, raw);
      draft.to[k] = layer ? set * layer.levels + (layer.out[choice] as number) : 0;
      for (let r = 0; r < m; r++) {
        draft.use[k * m + r] = (raw[used[r] as number] as number) * (scale[r] as number);
      }
      if (!holds || !layer) continue;
      const devices = layer.sets[set] as readonly number[];
      for (let r = 0; r < m; r++) {
        const device = (used[r] as number) - memoryRow(0);
        if (device < 0 || device >= D || !devices.includes(device)) continue;
        draft.held[k * m + r] = (layer.activationBytes[choice] as number) * (scale[r] as number);
      }
    }
    return draft;
  });
  const capacity = Float64Array.from(used, (row) => rows.capacity[row] as number);
  if (!filterArcs(drafts, states, m, capacity)) return 'empty';
  return compact(graph, drafts, states, used, capacity, threshold);
}
