// The Lagrangian root: prices of all limits and of accuracy loss that make the cheapest path's price a good lower bound,
// by deflected subgradient steps of Polyak's length. Its paths that keep every limit are the first plans.

import { type Constraints, pathUse } from '../graph/constraints.ts';
import type { GraphPath, LayeredGraph } from '../graph/graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { LagrangianPass, RowPrices } from './lagrangian-pass.ts';

/** What the root found. */
export interface Root {
  /** Proven lower bound; Infinity when there is no path at all. */
  readonly bound: number;
  readonly prices: RowPrices;
  readonly passes: number;
}

export interface RootOptions {
  readonly passes: number;
  readonly from?: RowPrices | undefined;
  /** Called once a pass; true stops. */
  readonly stop?: (() => boolean) | undefined;
  /** Without a plan, how far above the bound steps aim, relative; 3 % by default. */
  readonly aim?: number | undefined;
  /** A bound above this proves that there is no plan. */
  readonly upperBound: number;
}

/** Share of the old direction in the new one, and when a step is halved. */
const DEFLECTION = 0.3;
const PATIENCE = 5;
const SHRINK = 0.6;
const LEAST_STEP = 2e-3;
/** Without a plan, where the steps aim: this much above the bound. */
const AIM = 0.03;

/** What a path's price must be corrected by to bound the objective: accuracy is concave, so an end of its range is least. */
export function offsetOf(graph: LayeredGraph, rows: Constraints, prices: RowPrices): number {
  const last = graph.mostSteps;
  const low = graph.accuracy[0] as number;
  const high = (graph.accuracy[last] as number) - prices.step * last;
  let capacity = 0;
  for (let r = 0; r < rows.count; r++) {
    if (rows.active[r]) capacity += (prices.rows[r] as number) * (rows.capacity[r] as number);
  }
  return Math.min(low, high) - capacity;
}

/** Maximises the bound. The pricing is left as the last pass made it. */
export function lagrangianRoot(pricing: LagrangianPass, incumbent: Incumbent, options: RootOptions): Root {
  const { graph, rows } = pricing;
  const most = graph.mostSteps;
  const width = Math.max(1, most);
  const price = options.from
    ? { rows: options.from.rows.slice(), step: options.from.step }
    : { rows: new Float64Array(rows.count), step: firstStep(graph) };
  const best = { bound: Number.NEGATIVE_INFINITY, rows: price.rows.slice(), step: price.step };
  const path: GraphPath = {
    set: new Int32Array(graph.layers.length),
    choice: new Int32Array(graph.layers.length),
  };
  const direction = new Float64Array(rows.count + 1);
  const use = new Float64Array(rows.count);
  let factor = 1.2;
  let since = 0;
  let fresh = true;
  let passes = 0;
  while (passes < options.passes) {
    passes++;
    const cheapest = pricing.run(price);
    if (cheapest === Number.POSITIVE_INFINITY || !pricing.path(path)) {
      return { bound: Number.POSITIVE_INFINITY, prices: price, passes };
    }
    const bound = cheapest + offsetOf(graph, rows, price);
    use.fill(0);
    const { steps, cost } = pathUse(graph, path, use);
    if (steps <= most && fits(rows, use)) incumbent.offer(path, cost + (graph.accuracy[steps] as number));
    if (bound > best.bound + 1e-9 * Math.abs(bound)) {
      best.bound = bound;
      best.rows.set(price.rows);
      best.step = price.step;
      since = 0;
    } else if (++since > PATIENCE) {
      factor *= SHRINK;
      since = 0;
      price.rows.set(best.rows);
      price.step = best.step;
      fresh = true;
      if (factor < LEAST_STEP) break;
      continue;
    }
    if (best.bound > options.upperBound || incumbent.objective - best.bound <= 1e-9 * Math.abs(best.bound))
      break;
    if (options.stop?.()) break;
    const target = Number.isFinite(incumbent.objective)
      ? incumbent.objective
      : best.bound + (options.aim ?? AIM) * Math.max(Math.abs(best.bound), 1e-6);
    let norm = 0;
    for (let r = 0; r < rows.count; r++) {
      let slope = 0;
      if (rows.active[r]) {
        slope = (use[r] as number) / (rows.scale[r] as number) - (rows.capacity[r] as number);
        if ((price.rows[r] as number) <= 0 && slope < 0) slope = 0;
      }
      norm += deflect(direction, r, slope, fresh);
    }
    const low = graph.accuracy[0] as number;
    const end = low < (graph.accuracy[most] as number) - price.step * most ? 0 : most;
    norm += deflect(direction, rows.count, (steps - end) / width, fresh);
    fresh = false;
    if (norm < 1e-14) break;
    const length = (factor * Math.max(1e-6 * Math.abs(bound), target - bound)) / norm;
    for (let r = 0; r < rows.count; r++) {
      price.rows[r] = Math.max(0, (price.rows[r] as number) + length * (direction[r] as number));
    }
    price.step = Math.max(0, price.step + (length * (direction[rows.count] as number)) / width);
  }
  return { bound: best.bound, prices: { rows: best.rows, step: best.step }, passes };
}

/** The slope of the accuracy term where nothing is lost. */
function firstStep({ accuracy, mostSteps }: LayeredGraph): number {
  return mostSteps === 0 ? 0 : (accuracy[1] as number) - (accuracy[0] as number);
}

function deflect(direction: Float64Array, at: number, slope: number, fresh: boolean): number {
  const value = fresh ? slope : (1 - DEFLECTION) * slope + DEFLECTION * (direction[at] as number);
  direction[at] = value;
  return value * value;
}

function fits(rows: Constraints, use: Float64Array): boolean {
  for (let r = 0; r < rows.count; r++) {
    if (rows.active[r] && (use[r] as number) > (rows.scale[r] as number) * (1 + 1e-9)) return false;
  }
  return true;
}
