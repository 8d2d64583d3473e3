// From candidate arcs to a reduced graph: arcs through which every path breaks some limit are removed, and the rest is
// numbered.
import { SEARCH_SLACK } from '../../problem/tolerances.ts';
import type { LayeredGraph } from './graph.ts';
import type { ReducedGraph } from './reduced-graph.ts';

/** Arcs of one layer, in the order in which they are found. */
export class ArcList {
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

/** Arcs of one layer with their costs, before any is removed because of a limit. */
export interface CandidateArcs {
  readonly list: ArcList;
  readonly to: Int32Array;
  readonly cost: Float64Array;
  readonly use: Float64Array;
  /** By arc and row, or empty where nothing is held. */
  readonly held: Float64Array;
  readonly alive: Uint8Array;
}

/**
 * Removes arcs through which every path breaks a limit. Each limit is looked at alone, at most five times over.
 * @returns false when no path is left
 */
export function filterArcs(
  candidates: readonly CandidateArcs[],
  states: readonly number[],
  m: number,
  capacity: Float64Array,
): boolean {
  const forward = states.map((n) => new Float64Array(n * m));
  const backward = states.map((n) => new Float64Array(n * m));
  for (let round = 0; ; round++) {
    least(candidates, forward, m, true);
    least(candidates, backward, m, false);
    let removed = 0;
    let left = 0;
    candidates.forEach(({ list, to, use, held, alive }, l) => {
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
            total <= (capacity[r] as number) + SEARCH_SLACK &&
            total + (held[k * m + r] ?? 0) <= 1 + SEARCH_SLACK;
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
function least(
  candidates: readonly CandidateArcs[],
  values: readonly Float64Array[],
  m: number,
  ahead: boolean,
): void {
  for (const table of values) table.fill(Number.POSITIVE_INFINITY);
  (values[ahead ? 0 : candidates.length] as Float64Array).fill(0);
  for (let at = 0; at < candidates.length; at++) {
    const l = ahead ? at : candidates.length - 1 - at;
    const { list, to, use, alive } = candidates[l] as CandidateArcs;
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

/** Numbers the remaining nodes and arcs, and drops limits that no remaining path can break. */
export function compact(
  graph: LayeredGraph,
  candidates: readonly CandidateArcs[],
  states: readonly number[],
  used: Int32Array,
  capacity: Float64Array,
  threshold: number,
): ReducedGraph | 'empty' {
  const m = used.length;
  const alive = connected(candidates, states);
  if (!alive) return 'empty';
  const numbers = alive.map((flags) => {
    let next = 0;
    return Int32Array.from(flags, (flag) => (flag ? next++ : -1));
  });
  const nodes = alive.map((flags) => flags.reduce((sum, flag) => sum + flag, 0));
  const most = new Float64Array(m);
  const [leastHeld, mostHeld] = [new Float64Array(m).fill(Number.POSITIVE_INFINITY), new Float64Array(m)];
  for (const { list, use, held, alive: kept } of candidates) {
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
  const arcs = candidates.map((layer, l) => {
    const { steps } = graph.layers[l] ?? { steps: new Int32Array(1) };
    const ids = [...layer.alive.keys()].filter((k) => layer.alive[k]);
    const from = numbers[l] as Int32Array;
    const start = new Int32Array((nodes[l] as number) + 1);
    for (const k of ids) {
      const at = (from[layer.list.from[k] as number] as number) + 1;
      start[at] = (start[at] as number) + 1;
    }
    for (let i = 1; i < start.length; i++) start[i] = (start[i] as number) + (start[i - 1] as number);
    const use = new Float64Array(ids.length * kept.length);
    const held = new Float64Array(ids.length * peaks.length);
    ids.forEach((k, at) => {
      kept.forEach((r, i) => {
        use[at * kept.length + i] = layer.use[k * m + r] as number;
      });
      peaks.forEach((row, i) => {
        held[at * peaks.length + i] = layer.held[k * m + (kept[row] as number)] as number;
      });
    });
    const pick = (values: Int32Array) => Int32Array.from(ids, (k) => values[k] as number);
    return {
      start,
      to: Int32Array.from(ids, (k) => (numbers[l + 1] as Int32Array)[layer.to[k] as number] as number),
      set: pick(layer.list.set),
      choice: pick(layer.list.choice),
      steps: Int32Array.from(ids, (k) => steps[layer.list.choice[k] as number] as number),
      cost: Float64Array.from(ids, (k) => layer.cost[k] as number),
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

/** Nodes on a path from the root to the end; arcs that are on none are switched off. Undefined without a path. */
function connected(
  candidates: readonly CandidateArcs[],
  states: readonly number[],
): Uint8Array[] | undefined {
  const ahead = states.map((n) => new Uint8Array(n));
  const both = states.map((n) => new Uint8Array(n));
  (ahead[0] as Uint8Array).fill(1);
  (both[states.length - 1] as Uint8Array).fill(1);
  candidates.forEach(({ list, to, alive }, l) => {
    const [from, into] = [ahead[l] as Uint8Array, ahead[l + 1] as Uint8Array];
    for (let k = 0; k < list.count; k++) {
      if (alive[k] && from[list.from[k] as number]) into[to[k] as number] = 1;
    }
  });
  if (!ahead[states.length - 1]?.[0]) return undefined;
  for (let l = candidates.length - 1; l >= 0; l--) {
    const { list, to, alive } = candidates[l] as CandidateArcs;
    const [from, into] = [both[l] as Uint8Array, both[l + 1] as Uint8Array];
    for (let k = 0; k < list.count; k++) {
      const on = alive[k] && ahead[l]?.[list.from[k] as number] && into[to[k] as number];
      alive[k] = on ? 1 : 0;
      if (on) from[list.from[k] as number] = 1;
    }
  }
  return both;
}
