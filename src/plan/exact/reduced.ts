// The part of a graph that plans better than a threshold can use: arcs whose cheapest path under prices is not above it.
// Root, layers and end are treated alike: arc layer l leads from node layer l to l + 1; node layer 0 is the root, the
// last the end. Limits that no path of it breaks are left out.
import type { Graph, Layer, Path } from './graph.ts';
import type { Prices, Pricing } from './pricing.ts';
import { offsetOf } from './root.ts';
import { addUse, memoryRow } from './rows.ts';

/** Arcs from one node layer to the next, ordered by where they start. */
export interface ReducedArcs {
  /** Of the node layer they start from: `start[i]` to `start[i + 1]`. */
  readonly start: Int32Array;
  readonly to: Int32Array;
  /** Set and choice in the graph's layer; of the result's way home: 0. */
  readonly set: Int32Array;
  readonly choice: Int32Array;
  readonly steps: Int32Array;
  /** Share of the objective without accuracy. */
  readonly cost: Float64Array;
  /** Shares of limits: `[arc * rows + row]`. */
  readonly use: Float64Array;
  /** Activations held, in shares of memory: `[arc * peaks + peak]`. */
  readonly held: Float64Array;
}

export interface ReducedGraph {
  readonly graph: Graph;
  /** Rows in use, as numbered by the graph, and the share of each that may add up. */
  readonly rows: Int32Array;
  readonly capacity: Float64Array;
  /** Memory rows, by position in `rows`, where activations differ from arc to arc. */
  readonly peaks: Int32Array;
  /** Nodes of every node layer, root and end included. */
  readonly nodes: readonly number[];
  readonly arcs: readonly ReducedArcs[];
  readonly arcCount: number;
  /** No plan outside of it is better than this. */
  readonly threshold: number;
}

export type Reduction = ReducedGraph | 'empty' | 'too large';

/** Fixes arcs. `pricing` is run anew at `prices`. */
export function reduceGraph(
  pricing: Pricing,
  prices: Prices,
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
  const drafts = reduced.arcs.map((arcs, l): Draft => {
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
  if (!thin(drafts, nodes, m, capacity)) return 'empty';
  return compact(graph, drafts, nodes, rows, capacity, threshold);
}

/** Arcs of one layer as they are found. */
class ArcList {
  count = 0;
  from = new Int32Array(256);
  set = new Int32Array(256);
  choice = new Int32Array(256);

  push(from: number, set: number, choice: number): void {
    if (this.count === this.from.length) {
      this.from = doubled(this.from);
      this.set = doubled(this.set);
      this.choice = doubled(this.choice);
    }
    this.from[this.count] = from;
    this.set[this.count] = set;
    this.choice[this.count++] = choice;
  }
}

function doubled(values: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(values.length * 2);
  larger.set(values);
  return larger;
}

/** Arcs by layer whose cheapest path is at most `most`; undefined for more than `mostArcs`. */
function keptArcs(pricing: Pricing, most: number, mostArcs: number): ArcList[] | undefined {
  // What has no path at all costs infinitely much, so is never kept.
  const limit = Math.min(most + 1e-9 * Math.abs(most), Number.MAX_VALUE);
  const { layers } = pricing.graph;
  const lists: ArcList[] = [];
  let reached = new Float64Array(1);
  let total = 0;
  for (let l = 0; l < layers.length; l++) {
    const layer = layers[l] as Layer;
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
  pricing: Pricing,
  l: number,
  state: number,
  spent: number,
  limit: number,
  list: ArcList,
  next: Float64Array,
): void {
  const layer = pricing.graph.layers[l] as Layer;
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

/** Arcs with what they cost, before limits have thinned them out. */
interface Draft {
  readonly list: ArcList;
  readonly to: Int32Array;
  readonly cost: Float64Array;
  readonly use: Float64Array;
  /** By arc and row, or empty where nothing is held. */
  readonly held: Float64Array;
  readonly alive: Uint8Array;
}

function assemble(pricing: Pricing, lists: readonly ArcList[], threshold: number): Reduction {
  const { graph, rows } = pricing;
  const { layers, instance } = graph;
  const used = Int32Array.from([...rows.active.keys()].filter((r) => rows.active[r]));
  const m = used.length;
  const D = instance.devices.length;
  const scale = Float64Array.from(used, (row) => 1 / (rows.scale[row] as number));
  const holds = layers.some(({ activationBytes }) => activationBytes.some((bytes) => bytes > 0));
  const states = [1, ...layers.map((layer) => layer.states), 1];
  const home = new ArcList();
  const last = layers[layers.length - 1] as Layer;
  for (let state = 0; state < last.states; state++) home.push(state, 0, 0);
  const raw = new Float64Array(rows.count);
  const drafts = [...lists, home].map((list, l): Draft => {
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
  if (!thin(drafts, states, m, capacity)) return 'empty';
  return compact(graph, drafts, states, used, capacity, threshold);
}

const TOLERANCE = 9e-10;

/**
 * Removes arcs through which every path breaks a limit, looking at each limit alone, until none is left; false when that
 * leaves no path.
 */
function thin(
  drafts: readonly Draft[],
  states: readonly number[],
  m: number,
  capacity: Float64Array,
): boolean {
  const forward = states.map((n) => new Float64Array(n * m));
  const backward = states.map((n) => new Float64Array(n * m));
  for (let round = 0; ; round++) {
    least(drafts, forward, m, true);
    least(drafts, backward, m, false);
    let removed = 0;
    let left = 0;
    drafts.forEach(({ list, to, use, held, alive }, l) => {
      const [ahead, behind] = [forward[l] as Float64Array, backward[l + 1] as Float64Array];
      left = 0;
      for (let k = 0; k < list.count; k++) {
        if (!alive[k]) continue;
        const [i, j] = [(list.from[k] as number) * m, (to[k] as number) * m];
        let fits = true;
        for (let r = 0; r < m; r++) {
          const total = (ahead[i + r] as number) + (use[k * m + r] as number) + (behind[j + r] as number);
          // Finite also says that the arc is on a path at all.
          fits &&=
            total <= (capacity[r] as number) + TOLERANCE && total + (held[k * m + r] ?? 0) <= 1 + TOLERANCE;
        }
        if (m === 0) fits = true;
        if (fits) left++;
        else {
          alive[k] = 0;
          removed++;
        }
      }
    });
    if (left === 0) return false;
    if (removed === 0 || round >= 4) return true;
  }
}

/** The least use of every row from the root to each node, or from each node to the end; Infinity without a way. */
function least(drafts: readonly Draft[], values: readonly Float64Array[], m: number, ahead: boolean): void {
  for (const table of values) table.fill(Number.POSITIVE_INFINITY);
  (values[ahead ? 0 : drafts.length] as Float64Array).fill(0);
  for (let at = 0; at < drafts.length; at++) {
    const l = ahead ? at : drafts.length - 1 - at;
    const { list, to, use, alive } = drafts[l] as Draft;
    const source = values[ahead ? l : l + 1] as Float64Array;
    const target = values[ahead ? l + 1 : l] as Float64Array;
    for (let k = 0; k < list.count; k++) {
      if (!alive[k]) continue;
      const [from, into] = ahead
        ? [list.from[k] as number, to[k] as number]
        : [to[k] as number, list.from[k] as number];
      for (let r = 0; r < m; r++) {
        const value = (source[from * m + r] as number) + (use[k * m + r] as number);
        if (value < (target[into * m + r] as number)) target[into * m + r] = value;
      }
    }
  }
}

/** Numbers what is left, and drops rows that no path of it can break. */
function compact(
  graph: Graph,
  drafts: readonly Draft[],
  states: readonly number[],
  used: Int32Array,
  capacity: Float64Array,
  threshold: number,
): ReducedGraph | 'empty' {
  const m = used.length;
  const alive = connected(drafts, states);
  if (!alive) return 'empty';
  const numbers = alive.map((flags) => {
    let next = 0;
    return Int32Array.from(flags, (flag) => (flag ? next++ : -1));
  });
  const nodes = alive.map((flags) => flags.reduce((sum, flag) => sum + flag, 0));
  const most = new Float64Array(m);
  const [leastHeld, mostHeld] = [new Float64Array(m).fill(Number.POSITIVE_INFINITY), new Float64Array(m)];
  for (const { list, use, held, alive: kept } of drafts) {
    const here = new Float64Array(m);
    for (let k = 0; k < list.count; k++) {
      if (!kept[k]) continue;
      for (let r = 0; r < m; r++) {
        const value = use[k * m + r] as number;
        if (value > (here[r] as number)) here[r] = value;
        const bytes = held[k * m + r] ?? 0;
        if (value > 0 || bytes > 0) {
          if (bytes < (leastHeld[r] as number)) leastHeld[r] = bytes;
          if (bytes > (mostHeld[r] as number)) mostHeld[r] = bytes;
        }
      }
    }
    for (let r = 0; r < m; r++) most[r] = (most[r] as number) + (here[r] as number);
  }
  // Memory: as little is left as the least activations of what is still here leave.
  const left = Float64Array.from(capacity, (share, r) => {
    const activations = leastHeld[r] as number;
    return Number.isFinite(activations) ? Math.min(share, 1 - activations) : share;
  });
  const kept = [...used.keys()].filter((r) => {
    const total = most[r] as number;
    return total > (left[r] as number) || total + (mostHeld[r] as number) > 1;
  });
  const peaks = kept.flatMap((r, at) => ((mostHeld[r] as number) > (leastHeld[r] as number) ? [at] : []));
  const arcs = drafts.map((draft, l) => {
    const { steps } = graph.layers[l] ?? { steps: new Int32Array(1) };
    const ids = [...draft.alive.keys()].filter((k) => draft.alive[k]);
    const from = numbers[l] as Int32Array;
    const start = new Int32Array((nodes[l] as number) + 1);
    for (const k of ids) {
      const at = (from[draft.list.from[k] as number] as number) + 1;
      start[at] = (start[at] as number) + 1;
    }
    for (let i = 1; i < start.length; i++) start[i] = (start[i] as number) + (start[i - 1] as number);
    const use = new Float64Array(ids.length * kept.length);
    const held = new Float64Array(ids.length * peaks.length);
    ids.forEach((k, at) => {
      kept.forEach((r, i) => {
        use[at * kept.length + i] = draft.use[k * m + r] as number;
      });
      peaks.forEach((row, i) => {
        held[at * peaks.length + i] = draft.held[k * m + (kept[row] as number)] as number;
      });
    });
    const pick = (values: Int32Array) => Int32Array.from(ids, (k) => values[k] as number);
    return {
      start,
      to: Int32Array.from(ids, (k) => (numbers[l + 1] as Int32Array)[draft.to[k] as number] as number),
      set: pick(draft.list.set),
      choice: pick(draft.list.choice),
      steps: Int32Array.from(ids, (k) => steps[draft.list.choice[k] as number] as number),
      cost: Float64Array.from(ids, (k) => draft.cost[k] as number),
      use,
      held,
    };
  });
  return {
    graph,
    rows: Int32Array.from(kept, (r) => used[r] as number),
    capacity: Float64Array.from(kept, (r) => left[r] as number),
    peaks: Int32Array.from(peaks),
    nodes,
    arcs,
    arcCount: arcs.reduce((sum, { to }) => sum + to.length, 0),
    threshold,
  };
}

/** Nodes on a path from the root to the end; arcs that are not are switched off. Undefined without a path. */
function connected(drafts: readonly Draft[], states: readonly number[]): Uint8Array[] | undefined {
  const ahead = states.map((n) => new Uint8Array(n));
  const both = states.map((n) => new Uint8Array(n));
  (ahead[0] as Uint8Array).fill(1);
  (both[states.length - 1] as Uint8Array).fill(1);
  drafts.forEach(({ list, to, alive }, l) => {
    const [from, into] = [ahead[l] as Uint8Array, ahead[l + 1] as Uint8Array];
    for (let k = 0; k < list.count; k++) {
      if (alive[k] && from[list.from[k] as number]) into[to[k] as number] = 1;
    }
  });
  if (!ahead[states.length - 1]?.[0]) return undefined;
  for (let l = drafts.length - 1; l >= 0; l--) {
    const { list, to, alive } = drafts[l] as Draft;
    const [from, into] = [both[l] as Uint8Array, both[l + 1] as Uint8Array];
    for (let k = 0; k < list.count; k++) {
      const on = alive[k] && ahead[l]?.[list.from[k] as number] && into[to[k] as number];
      alive[k] = on ? 1 : 0;
      if (on) from[list.from[k] as number] = 1;
    }
  }
  return both;
}

/** Arc numbers, one for each arc layer, as a path of the graph. */
export function pathOf({ arcs, graph }: ReducedGraph, numbers: Int32Array): Path {
  const L = graph.layers.length;
  const at = (l: number) => arcs[l] as ReducedArcs;
  return {
    set: Int32Array.from({ length: L }, (_, l) => at(l).set[numbers[l] as number] as number),
    choice: Int32Array.from({ length: L }, (_, l) => at(l).choice[numbers[l] as number] as number),
  };
}
