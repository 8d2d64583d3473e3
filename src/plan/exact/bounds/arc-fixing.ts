// Arc fixing: an arc whose cheapest path under prices costs more than a threshold is in no plan below the threshold.
// What remains is the reduced graph.
import { BOUND_TOLERANCE } from '../../problem/tolerances.ts';
import { ArcList, type CandidateArcs, compact, filterArcs } from '../graph/arc-filter.ts';
import { addUse, memoryRow } from '../graph/constraints.ts';
import type { GraphLayer } from '../graph/graph.ts';
import type { ReducedGraph } from '../graph/reduced-graph.ts';
import type { LagrangianPass, RowPrices } from './lagrangian-pass.ts';
import { offsetOf } from './root.ts';

export type Reduction = ReducedGraph | 'empty' | 'too large';

/**
 * Reduces a graph to the arcs that a plan below the threshold can use. Runs `pass` at `prices`.
 * @param mostArcs more arcs than these are too large a graph
 */
export function fixArcs(
  pass: LagrangianPass,
  prices: RowPrices,
  threshold: number,
  mostArcs: number,
): Reduction {
  const { graph } = pass;
  pass.run(prices);
  const arcs = keptArcs(pass, threshold - offsetOf(graph, pass.constraints, prices), mostArcs);
  if (arcs === undefined) return 'too large';
  return assemble(pass, arcs, threshold);
}

/** A reduced graph with the arcs for which `keep` is true, less those that are on no path any more. */
export function restrict(
  reduced: ReducedGraph,
  keep: (layer: number, arc: number) => boolean,
  threshold: number,
): ReducedGraph | 'empty' {
  const { graph, rows, capacity, peaks, nodes } = reduced;
  const m = rows.length;
  const q = peaks.length;
  const candidates = reduced.arcs.map((arcs, l): CandidateArcs => {
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
  if (!filterArcs(candidates, nodes, m, capacity)) return 'empty';
  return compact(graph, candidates, nodes, rows, capacity, threshold);
}

/** By layer, the arcs whose cheapest path costs at most `most`; undefined when there are more than `mostArcs`. */
function keptArcs(pass: LagrangianPass, most: number, mostArcs: number): ArcList[] | undefined {
  // An arc without any path costs infinitely much and is never kept.
  const limit = Math.min(most + BOUND_TOLERANCE * Math.abs(most), Number.MAX_VALUE);
  const { layers } = pass.graph;
  const lists: ArcList[] = [];
  let reached = new Float64Array(1);
  let total = 0;
  for (let l = 0; l < layers.length; l++) {
    const layer = layers[l] as GraphLayer;
    const list = new ArcList();
    const next = new Float64Array(layer.states).fill(Number.POSITIVE_INFINITY);
    const fixed = { l, spent: reached, limit, list, next };
    for (let state = 0; state < reached.length; state++) {
      if ((reached[state] as number) < Number.POSITIVE_INFINITY) keepFrom(pass, fixed, state);
    }
    total += list.count;
    if (total > mostArcs) return undefined;
    lists.push(list);
    reached = next;
  }
  return lists;
}

/** A layer whose arcs are being fixed. */
interface FixedLayer {
  readonly l: number;
  /** By state before the layer: the cheapest way there. */
  readonly spent: Float64Array;
  readonly limit: number;
  /** Arcs that are kept, and the cheapest way to each state of the layer by them. */
  readonly list: ArcList;
  readonly next: Float64Array;
}

/** Keeps the arcs from one state whose cheapest path is within the limit. */
function keepFrom(pass: LagrangianPass, { l, spent, limit, list, next }: FixedLayer, state: number): void {
  const layer = pass.graph.layers[l] as GraphLayer;
  const count = layer.sets.length;
  const from = Math.floor(state / layer.levelsIn);
  const p = state - from * layer.levelsIn;
  const toGo = pass.toGo[l] as Float64Array;
  const end = layer.start[p + 1] as number;
  for (let t = 0; t < count; t++) {
    const at = state * count + t;
    const base = (spent[state] as number) + (layer.sent[state] as number) * pass.bytePrice(l, from, t);
    const critical = layer.critical[at] as number;
    const arrival = layer.arrival[at] as number;
    if (!(base + pass.nodePrice(l, t, critical, arrival, p) <= limit)) continue;
    for (let c = layer.start[p] as number; c < end; c++) {
      const value = base + pass.choicePrice(l, t, critical, arrival, c);
      if (!(value <= limit)) continue;
      list.push(state, t, c);
      const to = t * layer.levels + (layer.out[c] as number);
      const here = value - (toGo[to] as number);
      if (here < (next[to] as number)) next[to] = here;
    }
  }
}

function assemble(pass: LagrangianPass, lists: readonly ArcList[], threshold: number): Reduction {
  const { graph, constraints } = pass;
  const { layers, instance } = graph;
  const used = Int32Array.from([...constraints.active.keys()].filter((r) => constraints.active[r]));
  const m = used.length;
  const D = instance.devices.length;
  const scale = Float64Array.from(used, (row) => 1 / (constraints.scale[row] as number));
  const holds = layers.some(({ activationBytes }) => activationBytes.some((bytes) => bytes > 0));
  const states = [1, ...layers.map((layer) => layer.states), 1];
  const home = new ArcList();
  const last = layers[layers.length - 1] as GraphLayer;
  for (let state = 0; state < last.states; state++) home.push(state, 0, 0);
  const raw = new Float64Array(constraints.count);
  const candidates = [...lists, home].map((list, l): CandidateArcs => {
    const layer = layers[l];
    const n = list.count;
    const arcs = {
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
      arcs.cost[k] = addUse(graph, l, list.from[k] as number, set, choice, raw);
      arcs.to[k] = layer ? set * layer.levels + (layer.out[choice] as number) : 0;
      for (let r = 0; r < m; r++) {
        arcs.use[k * m + r] = (raw[used[r] as number] as number) * (scale[r] as number);
      }
      if (!holds || !layer) continue;
      const devices = layer.sets[set] as readonly number[];
      for (let r = 0; r < m; r++) {
        const device = (used[r] as number) - memoryRow(0);
        if (device < 0 || device >= D || !devices.includes(device)) continue;
        arcs.held[k * m + r] = (layer.activationBytes[choice] as number) * (scale[r] as number);
      }
    }
    return arcs;
  });
  const capacity = Float64Array.from(used, (row) => constraints.capacity[row] as number);
  if (!filterArcs(candidates, states, m, capacity)) return 'empty';
  return compact(graph, candidates, states, used, capacity, threshold);
}
