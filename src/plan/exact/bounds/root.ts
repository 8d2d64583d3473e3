// The Lagrangian root: finds prices of all limits and of accuracy loss under which the cheapest path's price is a good
// lower bound, by deflected subgradient steps of Polyak's length. Paths that keep every limit are the first plans.

import { BOUND_TOLERANCE, SLACK_FACTOR } from '../../problem/tolerances.ts';
import { type Constraints, pathUse } from '../graph/constraints.ts';
import type { GraphPath, LayeredGraph } from '../graph/graph.ts';
import type { Incumbent } from '../incumbent.ts';
import type { LagrangianPass, RowPrices } from './lagrangian-pass.ts';
import { leastAccuracyTerm, ROOT_RULE, SubgradientSteps } from './subgradient.ts';

/** The result of the root. */
export interface Root {
  /** Proven lower bound; Infinity when there is no path at all. */
  readonly bound: number;
  readonly prices: RowPrices;
  readonly passes: number;
}

export interface RootOptions {
  readonly passes: number;
  readonly from?: RowPrices | undefined;
  /** Asked after every pass; true stops. */
  readonly stop?: (() => boolean) | undefined;
  /** Without a plan, steps aim this far above the bound, relative; 3 % by default. */
  readonly aim?: number | undefined;
  /** A bound above this proves that there is no plan. */
  readonly upperBound: number;
}

/**
 * The cheapest path's price plus this is a lower bound of the objective: the least that accuracy can add, less what the
 * prices charge for using all of every limit.
 */
export function offsetOf(graph: LayeredGraph, constraints: Constraints, prices: RowPrices): number {
  const last = graph.mostSteps;
  const [low, high] = [graph.accuracy[0] as number, graph.accuracy[last] as number];
  let capacity = 0;
  for (let r = 0; r < constraints.count; r++) {
    if (constraints.active[r]) capacity += (prices.rows[r] as number) * (constraints.capacity[r] as number);
  }
  return leastAccuracyTerm(low, high, last, prices.step) - capacity;
}

/** Maximises the bound. `pass` keeps the tables of the last prices tried. */
export function lagrangianRoot(pass: LagrangianPass, incumbent: Incumbent, options: RootOptions): Root {
  const { graph, constraints } = pass;
  const most = graph.mostSteps;
  const width = Math.max(1, most);
  const price = options.from
    ? { rows: options.from.rows.slice(), step: options.from.step }
    : { rows: new Float64Array(constraints.count), step: firstStep(graph) };
  const best = { bound: Number.NEGATIVE_INFINITY, rows: price.rows.slice(), step: price.step };
  const path: GraphPath = {
    set: new Int32Array(graph.layers.length),
    choice: new Int32Array(graph.layers.length),
  };
  const steps = new SubgradientSteps(ROOT_RULE, constraints.count + 1);
  const use = new Float64Array(constraints.count);
  let passes = 0;
  while (passes < options.passes) {
    passes++;
    const cheapest = pass.run(price);
    if (cheapest === Number.POSITIVE_INFINITY || !pass.path(path)) {
      return { bound: Number.POSITIVE_INFINITY, prices: price, passes };
    }
    const bound = cheapest + offsetOf(graph, constraints, price);
    use.fill(0);
    const { steps: lost, cost } = pathUse(graph, path, use);
    if (lost <= most && fits(constraints, use))
      incumbent.offer(path, cost + (graph.accuracy[lost] as number));
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
    for (let r = 0; r < constraints.count; r++) {
      let slope = 0;
      if (constraints.active[r]) {
        slope = (use[r] as number) / (constraints.scale[r] as number) - (constraints.capacity[r] as number);
        if ((price.rows[r] as number) <= 0 && slope < 0) slope = 0;
      }
      steps.add(r, slope);
    }
    const low = graph.accuracy[0] as number;
    const end = low < (graph.accuracy[most] as number) - price.step * most ? 0 : most;
    steps.add(constraints.count, (lost - end) / width);
    const length = steps.length(target - bound, bound);
    if (length === undefined) break;
    const { direction } = steps;
    for (let r = 0; r < constraints.count; r++) {
      price.rows[r] = Math.max(0, (price.rows[r] as number) + length * (direction[r] as number));
    }
    price.step = Math.max(0, price.step + (length * (direction[constraints.count] as number)) / width);
  }
  return { bound: best.bound, prices: { rows: best.rows, step: best.step }, passes };
}

/** The slope of the accuracy term where nothing is lost. */
function firstStep({ accuracy, mostSteps }: LayeredGraph): number {
  return mostSteps === 0 ? 0 : (accuracy[1] as number) - (accuracy[0] as number);
}

function fits(constraints: Constraints, use: Float64Array): boolean {
  for (let r = 0; r < constraints.count; r++) {
    if (constraints.active[r] && (use[r] as number) > (constraints.scale[r] as number) * SLACK_FACTOR)
      return false;
  }
  return true;
}
