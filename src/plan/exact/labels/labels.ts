// Label setting on a reduced graph, layer by layer. A label is a way from the root to a node, with its cost, its steps
// of loss and its use of every limit. It is dropped when its bound reaches the threshold, when it cannot keep a limit
// any more, or when another label at its node is at least as good whatever follows. The search is exact when every
// other label is kept. With the best few of a layer it is the guided beam, guided by the bound itself.

import { LABEL_TOLERANCE, SEARCH_SLACK } from '../../problem/tolerances.ts';
import type { AccuracyTable } from '../bounds/accuracy-dp.ts';
import { type CompletionBounds, completionBounds } from '../bounds/completion-bounds.ts';
import { pathOf, type ReducedArcs, type ReducedGraph } from '../graph/reduced-graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { SearchBudget } from '../search-budget.ts';
import { Labels, orderBy, rootLabel } from './label-store.ts';

export interface LabelOptions {
  /** Labels kept in a layer; all by default. */
  readonly beam?: number | undefined;
  /** Labels whose bound is not below this are dropped. */
  readonly threshold: number;
  /** Labels made, at most; then the search stops. */
  readonly labels?: number | undefined;
}

export interface LabelResult {
  /** False when the budget or the memory ended the search. */
  readonly complete: boolean;
  /** Least bound of the labels that a beam left out: no plan below both this and the threshold was missed. */
  readonly dropped: number;
}

/** Comparisons for dominance, at most, for one label. */
const COMPARISONS = 600;
/** Labels kept in one layer, at most: a bound on memory. */
const MOST_IN_LAYER = 400_000;

/** Arcs into each node: their numbers and the nodes they come from. */
interface Incoming {
  readonly start: Int32Array;
  readonly arc: Int32Array;
  readonly from: Int32Array;
}

/** What extending the labels of one layer reads, and where it writes. */
interface LayerStep {
  readonly l: number;
  /** Labels of node layer `l`, where each node's begin, and those of the next layer. */
  readonly current: Labels;
  readonly first: Int32Array;
  readonly next: Labels;
  readonly tables: readonly AccuracyTable[];
  readonly layer: ReducedArcs;
  readonly into: Incoming;
  /** Least use of limits that is still to come at the next node layer. */
  readonly least: Float64Array;
  readonly leastHeld: Float64Array;
}

/** Searches a reduced graph, if need be several times. */
export class LabelSearch {
  readonly #graph: ReducedGraph;
  readonly #completion: CompletionBounds;
  /** By arc layer. */
  readonly #into: readonly Incoming[];
  /** The labels of one node while they are made. */
  readonly #bucket: Labels;

  constructor(graph: ReducedGraph) {
    this.#graph = graph;
    this.#completion = completionBounds(graph);
    this.#into = graph.arcs.map((arcs, l) => incoming(arcs, graph.nodes[l + 1] as number));
    this.#bucket = new Labels(graph.rows.length, graph.peaks.length);
  }

  /** Offers the plans below the threshold that it finds. The first table gives the order of labels. */
  run(
    tables: readonly AccuracyTable[],
    options: LabelOptions,
    incumbent: Incumbent,
    budget: SearchBudget,
  ): LabelResult {
    const graph = this.#graph;
    const { arcs, nodes } = graph;
    const beam = options.beam ?? Number.POSITIVE_INFINITY;
    const layers: Labels[] = [rootLabel(graph.rows.length, graph.peaks.length)];
    const last = budget.labels + (options.labels ?? Number.POSITIVE_INFINITY);
    let dropped = Number.POSITIVE_INFINITY;
    for (let l = 0; l < arcs.length; l++) {
      const current = layers[l] as Labels;
      let next = new Labels(graph.rows.length, graph.peaks.length);
      const step = this.#step(l, current, next, tables);
      for (let node = 0; node < (nodes[l + 1] as number); node++) {
        const limit = Math.min(options.threshold, incumbent.objective * (1 - LABEL_TOLERANCE));
        const made = this.#extend(step, node, limit);
        budget.labels += made;
        if (budget.spent || budget.labels > last || next.count > MOST_IN_LAYER)
          return { complete: false, dropped };
      }
      if (next.count > beam) {
        const cut = next.best(beam);
        dropped = Math.min(dropped, cut.dropped);
        next = cut.labels;
      }
      if (next.count === 0) return { complete: true, dropped };
      layers.push(next);
    }
    offerBest(graph, layers, incumbent);
    return { complete: true, dropped };
  }

  /** All labels at one node that are not dominated, appended to `next`; returns how many were made. */
  #extend(step: LayerStep, node: number, limit: number): number {
    const { l, current, first, layer, into, tables } = step;
    const m = this.#graph.rows.length;
    const guide = tables[0] as AccuracyTable;
    const { width } = guide;
    const priced = guide.priced[l] as Float64Array;
    const toGo = guide.toGo[l + 1] as Float64Array;
    const bucket = this.#bucket;
    bucket.count = 0;
    let made = 0;
    for (let e = into.start[node] as number; e < (into.start[node + 1] as number); e++) {
      const arc = into.arc[e] as number;
      const from = into.from[e] as number;
      const lost = layer.steps[arc] as number;
      const cost = layer.cost[arc] as number;
      const price = (priced[arc] as number) - guide.capacity;
      const end = first[from + 1] as number;
      for (let x = first[from] as number; x < end; x++) {
        const steps = (current.steps[x] as number) + lost;
        if (steps >= width) continue;
        const spent = (current.priced[x] as number) + price;
        let bound = spent + (toGo[node * width + steps] as number);
        if (!(bound < limit)) continue;
        made++;
        const at = bucket.grow();
        if (!this.#useUp(step, x, arc, node, at)) continue;
        const { use } = bucket;
        let fits = true;
        const total = (current.cost[x] as number) + cost;
        for (let t = 1; t < tables.length; t++) {
          const other = tables[t] as AccuracyTable;
          let value =
            total - other.capacity + ((other.toGo[l + 1] as Float64Array)[node * width + steps] as number);
          for (let r = 0; r < m; r++) value += (other.prices[r] as number) * (use[at * m + r] as number);
          if (value > bound) bound = value;
          if (!(bound < limit)) {
            fits = false;
            break;
          }
        }
        if (!fits) continue;
        bucket.node[at] = node;
        bucket.steps[at] = steps;
        bucket.cost[at] = total;
        // The capacity is taken off once, in the price of the arc; the label itself carries none.
        bucket.priced[at] = spent + guide.capacity;
        bucket.bound[at] = bound;
        bucket.parent[at] = x;
        bucket.arc[at] = arc;
        bucket.count++;
      }
    }
    this.#keep(l + 1, node, step.next);
    return made;
  }

  /**
   * Writes into the bucket, at `at`, what a label uses of every limit after one more arc; false when some limit cannot
   * be kept any more.
   */
  #useUp(
    { current, layer, least, leastHeld }: LayerStep,
    x: number,
    arc: number,
    node: number,
    at: number,
  ): boolean {
    const { rows, peaks, capacity } = this.#graph;
    const [m, q] = [rows.length, peaks.length];
    const { use, peak } = this.#bucket;
    for (let r = 0; r < m; r++) {
      const value = (current.use[x * m + r] as number) + (layer.use[arc * m + r] as number);
      use[at * m + r] = value;
      if (value + (least[node * m + r] as number) > (capacity[r] as number) + SEARCH_SLACK) return false;
    }
    for (let i = 0; i < q; i++) {
      const r = peaks[i] as number;
      const held = layer.held[arc * q + i] as number;
      const before = current.use[x * m + r] as number;
      const weight = layer.use[arc * m + r] as number;
      const value = Math.max(current.peak[x * q + i] as number, before + held) + weight;
      peak[at * q + i] = value;
      const reach = Math.max(value, before + weight + (leastHeld[node * q + i] as number));
      if (reach + (least[node * m + r] as number) > 1 + SEARCH_SLACK) return false;
    }
    return true;
  }

  #step(l: number, current: Labels, next: Labels, tables: readonly AccuracyTable[]): LayerStep {
    return {
      ...{ l, current, next, tables },
      first: firstByNode(current, this.#graph.nodes[l] as number),
      layer: this.#graph.arcs[l] as ReducedArcs,
      into: this.#into[l] as Incoming,
      least: this.#completion.least[l + 1] as Float64Array,
      leastHeld: this.#completion.leastHeld[l + 1] as Float64Array,
    };
  }

  /** Appends the labels of a bucket that none of the others dominates. */
  #keep(l: number, node: number, next: Labels): void {
    const bucket = this.#bucket;
    const n = bucket.count;
    if (n === 0) return;
    const begin = next.count;
    if (n === 1) {
      next.copy(bucket, 0);
      return;
    }
    const order = orderBy(bucket.bound, n);
    const contested = this.#contested(l, node, bucket);
    const accuracy = this.#graph.graph.accuracy;
    const width = accuracy.length;
    const fewest = (this.#completion.leastSteps[l] as Int32Array)[node] as number;
    const mostSteps = (this.#completion.mostSteps[l] as Int32Array)[node] as number;
    for (let at = 0; at < n; at++) {
      const y = order[at] as number;
      const steps = bucket.steps[y] as number;
      const cost = bucket.cost[y] as number;
      // Accuracy is concave: fewer steps are worth least at the far end of what may still be lost, more steps cost most
      // at the near end.
      const far = Math.min(mostSteps, width - 1 - steps);
      const costFar = cost + (accuracy[steps + far] as number) + LABEL_TOLERANCE;
      const costNear = cost + (accuracy[steps + fewest] as number) + LABEL_TOLERANCE;
      let dominated = false;
      const stop = Math.min(next.count, begin + COMPARISONS);
      for (let z = begin; z < stop; z++) {
        const other = next.steps[z] as number;
        if (other <= steps) {
          if ((next.cost[z] as number) + (accuracy[other + far] as number) > costFar) continue;
        } else {
          if (other + mostSteps >= width) continue;
          if ((next.cost[z] as number) + (accuracy[other + fewest] as number) > costNear) continue;
        }
        if (this.#usesNoMore(next, z, y, contested, l, node)) {
          dominated = true;
          break;
        }
      }
      if (!dominated) next.copy(bucket, y);
    }
  }

  /** Rows that some label of the bucket could still break. */
  #contested(l: number, node: number, bucket: Labels): number[] {
    const m = this.#graph.rows.length;
    const contested: number[] = [];
    for (let r = 0; r < m; r++) {
      for (let x = 0; x < bucket.count; x++) {
        if (!this.#safe(l, node, bucket, x, r)) {
          contested.push(r);
          break;
        }
      }
    }
    return contested;
  }

  /** Whether nothing that can follow makes a label break a row. */
  #safe(l: number, node: number, labels: Labels, x: number, r: number): boolean {
    const { rows, peaks, capacity } = this.#graph;
    const m = rows.length;
    const use = labels.use[x * m + r] as number;
    const most = (this.#completion.most[l] as Float64Array)[node * m + r] as number;
    const i = peaks.indexOf(r);
    if (i < 0) return use + most <= (capacity[r] as number) + SEARCH_SLACK;
    const held = (this.#completion.mostHeld[l] as Float64Array)[node * peaks.length + i] as number;
    const peak = labels.peak[x * peaks.length + i] as number;
    return Math.max(peak, use + held) + most <= 1 + SEARCH_SLACK;
  }

  /** Whether a kept label uses no more of any contested limit than one of the bucket, or cannot break it. */
  #usesNoMore(
    kept: Labels,
    z: number,
    y: number,
    contested: readonly number[],
    l: number,
    node: number,
  ): boolean {
    const bucket = this.#bucket;
    const { rows, peaks } = this.#graph;
    const m = rows.length;
    const q = peaks.length;
    for (let at = 0; at < contested.length; at++) {
      const r = contested[at] as number;
      let more = (kept.use[z * m + r] as number) > (bucket.use[y * m + r] as number) + LABEL_TOLERANCE;
      if (!more && q > 0) {
        const i = peaks.indexOf(r);
        more =
          i >= 0 && (kept.peak[z * q + i] as number) > (bucket.peak[y * q + i] as number) + LABEL_TOLERANCE;
      }
      if (more && !this.#safe(l, node, kept, z, r)) return false;
    }
    return true;
  }
}

/** Where each node's labels begin; labels stand in the order of their nodes. */
function firstByNode({ node, count }: Labels, nodes: number): Int32Array {
  const first = new Int32Array(nodes + 1);
  for (let x = 0; x < count; x++) {
    const at = (node[x] as number) + 1;
    first[at] = (first[at] as number) + 1;
  }
  for (let i = 1; i <= nodes; i++) first[i] = (first[i] as number) + (first[i - 1] as number);
  return first;
}

function incoming(arcs: ReducedArcs, nodes: number): Incoming {
  const start = new Int32Array(nodes + 1);
  for (const node of arcs.to) start[node + 1] = (start[node + 1] as number) + 1;
  for (let i = 1; i <= nodes; i++) start[i] = (start[i] as number) + (start[i - 1] as number);
  const next = start.slice();
  const arc = new Int32Array(arcs.to.length);
  const from = new Int32Array(arcs.to.length);
  for (let i = 0; i + 1 < arcs.start.length; i++) {
    for (let k = arcs.start[i] as number; k < (arcs.start[i + 1] as number); k++) {
      const at = next[arcs.to[k] as number] as number;
      next[arcs.to[k] as number] = at + 1;
      arc[at] = k;
      from[at] = i;
    }
  }
  return { start, arc, from };
}

/** Offers the best plan among labels at the end. */
function offerBest(graph: ReducedGraph, layers: readonly Labels[], incumbent: Incumbent): void {
  const end = layers[layers.length - 1] as Labels;
  const { accuracy } = graph.graph;
  const objective = Float64Array.from(
    { length: end.count },
    (_, x) => (end.cost[x] as number) + (accuracy[end.steps[x] as number] as number),
  );
  for (const best of orderBy(objective, end.count)) {
    if (!((objective[best] as number) < incumbent.objective)) return;
    const numbers = new Int32Array(layers.length - 1);
    for (let l = layers.length - 1, x = best; l >= 1; l--) {
      const labels = layers[l] as Labels;
      numbers[l - 1] = labels.arc[x] as number;
      x = labels.parent[x] as number;
    }
    if (incumbent.offer(pathOf(graph, numbers), objective[best] as number)) return;
  }
}
