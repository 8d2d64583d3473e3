// The Lagrangian root: prices of all limits and of accuracy loss that make the cheapest path's price a good lower bound,
// by deflected subgradient steps of Polyak's length. Its paths that keep every limit are the first plans.

import { BOUND_TOLERANCE, SLACK_FACTOR } from '../../problem/tolerances.ts';
import { type Constraints, pathUse } from '../graph/constraints.ts';
import type { GraphPath, LayeredGraph } from '../graph/graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { LagrangianPass, RowPrices } from './lagrangian-pass.ts';
import { leastAccuracyTerm, ROOT_RULE, SubgradientSteps } from './subgradient.ts';

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

/** What a path's price must be corrected by to bound the objective: accuracy is concave, so an end of its range is least. */
export function offsetOf(graph: LayeredGraph, rows: Constraints, prices: RowPrices): number {
  const last = graph.mostSteps;
  const [low, high] = [graph.accuracy[0] as number, graph.accuracy[last] as number];
  let capacity = 0;
  for (let r = 0; r < rows.count; r++) {
    if (rows.active[r]) capacity += (prices.rows[r] as number) * (rows.capacity[r] as number);
  }
  return leastAccuracyTerm(low, high, last, prices.step) - capacity;
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
  const steps = new SubgradientSteps(ROOT_RULE, rows.count + 1);
  const use = new Float64Array(rows.count);
  let passes = 0;
  while (passes < options.passes) {
    passes++;
    const cheapest = pricing.run(price);
    if (cheapest === Number.POSITIVE_INFINITY || !pricing.path(path)) {
      return { bound: Number.POSITIVE_INFINITY, prices: price, passes };
    }
    const bound = cheapest + offsetOf(graph, rows, price);
    use.fill(0);
    const { steps: lost, cost } = pathUse(graph, path, use);
    if (lost <= most && fits(rows, use)) incumbent.offer(path, cost + (graph.accuracy[lost] as number));
    if (bound > best.bound + BOUND_TOLERANCE * Math.abs(bound)) {
      best.bound = bound;
      best.rows.set(price.rows);
      best.step = price.step;
      steps.rose();
    } else if (steps.stalled()) {
      price.rows.set(best.rows);
      price.step = best.step;
      if (steps.exhausted) break;
      continue;
    }
    const { objective } = incumbent;
    if (best.bound > options.upperBound) break;
    if (objective - best.bound <= BOUND_TOLERANCE * Math.abs(best.bound)) break;
    if (options.stop?.()) break;
    const target = Number.isFinite(objective)
      ? objective
      : best.bound + (options.aim ?? ROOT_RULE.aim) * Math.max(Math.abs(best.bound), 1e-6);
    steps.begin();
    for (let r = 0; r < rows.count; r++) {
      let slope = 0;
      if (rows.active[r]) {
        slope = (use[r] as number) / (rows.scale[r] as number) - (rows.capacity[r] as number);
        if ((price.rows[r] as number) <= 0 && slope < 0) slope = 0;
      }
      steps.add(r, slope);
    }
    const low = graph.accuracy[0] as number;
    const end = low < (graph.accuracy[most] as number) - price.step * most ? 0 : most;
    steps.add(rows.count, (lost - end) / width);
    const length = steps.length(target - bound, bound);
    if (length === undefined) break;
    const { direction } = steps;
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

function fits(rows: Constraints, use: Float64Array): boolean {
  for (let r = 0; r < rows.count; r++) {
    if (rows.active[r] && (use[r] as number) > (rows.scale[r] as number) * SLACK_FACTOR) return false;
  }
  return true;
}
