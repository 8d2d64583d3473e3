// The Lagrangian on a reduced graph, with one price for all steps of loss: a pass touches every arc once, where a table
// by steps of loss (accuracy-dp.ts) touches it once a step. Large windows lose arcs by it before tables are made.

import { SLACK } from '../../problem/tolerances.ts';
import { pathOf, type ReducedArcs, type ReducedGraph } from '../graph/reduced-graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { SearchBudget } from '../search-budget.ts';
import { leastAccuracyTerm, REDUCED_RULE, SubgradientSteps } from './subgradient.ts';

/** Prices by row of a reduced graph, and of a step of loss. */
export interface ReducedPrices {
  readonly rows: Float64Array;
  readonly step: number;
}

/** The best prices of several passes, and the arcs that they leave below the limit. */
export interface TunedPrices {
  readonly prices: ReducedPrices;
  readonly bound: number;
  readonly keep: readonly Uint8Array[];
  readonly kept: number;
  /** The cheapest path of each pass. */
  readonly paths: readonly Int32Array[];
}

/** Raises the bound by subgradient steps, then fixes arcs. Paths that keep every limit are offered as plans. */
export function tunePrices(
  reduced: ReducedGraph,
  from: ReducedPrices,
  incumbent: Incumbent,
  target: number,
  passes: number,
  budget: SearchBudget,
): TunedPrices {
  const { arcs, capacity, graph } = reduced;
  const m = capacity.length;
  const most = graph.mostSteps;
  const width = Math.max(1, most);
  const prices = { rows: from.rows.slice(), step: from.step };
  const best = { rows: from.rows.slice(), step: from.step, bound: Number.NEGATIVE_INFINITY };
  const pass = new ReducedPass(reduced);
  const paths: Int32Array[] = [];
  const method = new SubgradientSteps(REDUCED_RULE, m + 1);
  const use = new Float64Array(m);
  for (let at = 0; at < passes; at++) {
    const bound = pass.run(prices);
    budget.pass(reduced.arcCount);
    if (bound > best.bound) {
      best.bound = bound;
      best.rows.set(prices.rows);
      best.step = prices.step;
      method.rose();
    } else if (method.stalled()) {
      prices.rows.set(best.rows);
      prices.step = best.step;
      if (method.exhausted) break;
      continue;
    }
    const reach = Math.min(target, incumbent.objective);
    if (best.bound >= reach || budget.spent) break;
    const path = pass.path();
    paths.push(path);
    use.fill(0);
    let cost = 0;
    let steps = 0;
    path.forEach((k, l) => {
      const layer = arcs[l] as ReducedArcs;
      cost += layer.cost[k] as number;
      steps += layer.steps[k] as number;
      for (let r = 0; r < m; r++) use[r] = (use[r] as number) + (layer.use[k * m + r] as number);
    });
    let fits = steps <= most;
    method.begin();
    for (let r = 0; r <= m; r++) {
      let slope: number;
      if (r < m) {
        slope = (use[r] as number) - (capacity[r] as number);
        if (slope > SLACK) fits = false;
        if ((prices.rows[r] as number) <= 0 && slope < 0) slope = 0;
      } else {
        const low = graph.accuracy[0] as number;
        const end = low < (graph.accuracy[most] as number) - prices.step * most ? 0 : most;
        slope = (steps - end) / width;
      }
      method.add(r, slope);
    }
    if (fits) incumbent.offer(pathOf(reduced, path), cost + (graph.accuracy[steps] as number));
    const aim = Number.isFinite(reach) ? reach : best.bound + REDUCED_RULE.aim * Math.abs(best.bound);
    const length = method.length(aim - bound, aim);
    if (length === undefined) break;
    const { direction } = method;
    for (let r = 0; r < m; r++) {
      prices.rows[r] = Math.max(0, (prices.rows[r] as number) + length * (direction[r] as number));
    }
    prices.step = Math.max(0, prices.step + (length * (direction[m] as number)) / width);
  }
  const kept = { rows: best.rows, step: best.step };
  pass.run(kept);
  return { prices: kept, bound: best.bound, paths, ...pass.below(Math.min(target, incumbent.objective)) };
}

/** The tables of a pass; they are used again for the next. */
class ReducedPass {
  readonly #reduced: ReducedGraph;
  readonly #priced: readonly Float64Array[];
  readonly #toGo: readonly Float64Array[];
  #offset = 0;

  constructor(reduced: ReducedGraph) {
    this.#reduced = reduced;
    this.#priced = reduced.arcs.map(({ to }) => new Float64Array(to.length));
    this.#toGo = reduced.nodes.map((n) => new Float64Array(n));
  }

  /** Fills the tables from the end to the root; returns the bound. */
  run({ rows: prices, step }: ReducedPrices): number {
    const { arcs, capacity, graph } = this.#reduced;
    const m = capacity.length;
    const counting = [...prices.keys()].filter((r) => (prices[r] as number) > 0);
    for (let l = arcs.length - 1; l >= 0; l--) {
      const { start, to, steps, cost, use } = arcs[l] as ReducedArcs;
      const priced = this.#priced[l] as Float64Array;
      const toGo = this.#toGo[l] as Float64Array;
      const next = this.#toGo[l + 1] as Float64Array;
      for (let i = 0; i + 1 < start.length; i++) {
        let best = Number.POSITIVE_INFINITY;
        const end = start[i + 1] as number;
        for (let k = start[i] as number; k < end; k++) {
          let value = (cost[k] as number) + step * (steps[k] as number);
          for (let c = 0; c < counting.length; c++) {
            const r = counting[c] as number;
            value += (prices[r] as number) * (use[k * m + r] as number);
          }
          priced[k] = value;
          const rest = value + (next[to[k] as number] as number);
          if (rest < best) best = rest;
        }
        toGo[i] = best;
      }
    }
    const most = graph.mostSteps;
    const [low, high] = [graph.accuracy[0] as number, graph.accuracy[most] as number];
    this.#offset = leastAccuracyTerm(low, high, most, step);
    for (let r = 0; r < m; r++) this.#offset -= (prices[r] as number) * (capacity[r] as number);
    return ((this.#toGo[0] as Float64Array)[0] as number) + this.#offset;
  }

  path(): Int32Array {
    let node = 0;
    return Int32Array.from(this.#reduced.arcs, ({ start, to }, l) => {
      const priced = this.#priced[l] as Float64Array;
      const next = this.#toGo[l + 1] as Float64Array;
      let arc = start[node] as number;
      let best = Number.POSITIVE_INFINITY;
      for (let k = arc; k < (start[node + 1] as number); k++) {
        const value = (priced[k] as number) + (next[to[k] as number] as number);
        if (value < best) {
          best = value;
          arc = k;
        }
      }
      node = to[arc] as number;
      return arc;
    });
  }

  /** Marks arcs on a path below the limit. */
  below(limit: number): Pick<TunedPrices, 'keep' | 'kept'> {
    const { arcs, nodes } = this.#reduced;
    const most = limit - this.#offset;
    let kept = 0;
    let reached = new Float64Array(1);
    const keep = arcs.map(({ start, to }, l) => {
      const flags = new Uint8Array(to.length);
      const priced = this.#priced[l] as Float64Array;
      const rest = this.#toGo[l + 1] as Float64Array;
      const next = new Float64Array(nodes[l + 1] as number).fill(Number.POSITIVE_INFINITY);
      for (let i = 0; i + 1 < start.length; i++) {
        for (let k = start[i] as number; k < (start[i + 1] as number); k++) {
          const value = (reached[i] as number) + (priced[k] as number);
          const j = to[k] as number;
          if (!(value + (rest[j] as number) < most)) continue;
          flags[k] = 1;
          kept++;
          if (value < (next[j] as number)) next[j] = value;
        }
      }
      reached = next;
      return flags;
    });
    return { keep, kept };
  }
}
