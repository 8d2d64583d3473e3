// The search on one graph: the root, guided beams, then windows of rising width above the bound, each settled by label
// setting and branching, until the plan is proven. A bound of a graph that was reduced at a threshold holds up to that
// threshold and up to the best plan only, so it is computed again when either changes. A request is infeasible only
// when a window without any limit is empty.

import type { PlannerResult, PlanProgress, PlanStats, SearchOptions } from '../planner.ts';
import type { PlanStatus } from '../problem/instance.ts';
import { DEFAULT_GAP } from '../problem/tolerances.ts';
import { reducedPrices } from './bounds/accuracy-dp.ts';
import { fixArcs } from './bounds/arc-fixing.ts';
import { LagrangianPass, type RowPrices } from './bounds/lagrangian-pass.ts';
import { multipliersOf, pricesOf } from './bounds/multipliers.ts';
import { lagrangianRoot, offsetOf } from './bounds/root.ts';
import { type Constraints, constraintsOf } from './graph/constraints.ts';
import type { LayeredGraph } from './graph/graph.ts';
import { Incumbent } from './incumbent.ts';
import { branchAndBound, MANY_ARCS, type Tightened, tighten } from './labels/branch.ts';
import { LabelSearch } from './labels/labels.ts';
import type { SearchBudget, Stop } from './search-budget.ts';

/** How long to search: to the first guided beam that finds a plan, or to proof. */
export type Effort = 'beam' | 'exact';

/** A planner's options, and what may stop the search from another thread. */
export interface SolveOptions extends SearchOptions {
  readonly signal?: Stop | undefined;
}

const ROOT_PASSES = 60;
/** Passes from an earlier request's prices. */
const WARM_PASSES = 4;
/** Passes where plans are far above the bound, or there are none. */
const FAR_PASSES = 12;
const FAR_AIM = 0.3;
/** Plans count as far away once the bound has risen over the root's by this share. */
const FAR = 0.05;
/** Labels that a beam keeps in a layer. */
const BEAM = 300;
/** Windows that a proof begins with. */
const FIRST_WINDOWS = 2;
/** With a gap this small the whole of it is one window. */
const NEAR = 0.015;
const NEAR_ARCS = 30_000;
/** Windows with more arcs are not searched: the arcs alone would fill the memory. */
const MOST_ARCS = 1_500_000;
/** Widths of windows above the bound, relative: for beams without a plan, and for the proof. */
const BEAM_WINDOWS = [0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.5, 1, Number.POSITIVE_INFINITY];
const PROOF_WINDOWS = [
  0.002,
  0.005,
  0.01,
  0.015,
  0.02,
  0.03,
  0.05,
  0.08,
  0.2,
  0.6,
  2,
  Number.POSITIVE_INFINITY,
];

/** Labels and seconds that a search has taken. */
export function spentOf(budget: SearchBudget): Pick<PlanStats, 'labels' | 'seconds'> {
  return { labels: budget.labels, seconds: budget.seconds };
}

/** Status and bound that follow from an objective and a proven bound. */
export function concluded(
  objective: number,
  bound: number,
  gap = DEFAULT_GAP,
): { status: PlanStatus; bound: number } {
  if (objective === Number.POSITIVE_INFINITY) {
    return { status: bound === Number.POSITIVE_INFINITY ? 'infeasible' : 'unknown', bound };
  }
  const proven = objective - bound <= gap * Math.abs(objective);
  return { status: proven ? 'optimal' : 'gap', bound: Math.min(bound, objective) };
}

/** A reduced graph ready to be searched below a limit. */
interface Window extends Tightened {
  readonly limit: number;
}

/** One graph's search; `run` once. */
export class Search {
  readonly #graph: LayeredGraph;
  readonly #constraints: Constraints;
  readonly #pass: LagrangianPass;
  readonly #incumbent: Incumbent;
  readonly #effort: Effort;
  readonly #options: SolveOptions;
  readonly #budget: SearchBudget;
  readonly #gap: number;
  /** No plan costs more. */
  #upperBound: number;
  #prices: RowPrices;
  #bound = Number.NEGATIVE_INFINITY;
  #rooted = false;
  #stats: { -readonly [K in keyof PlanStats]: PlanStats[K] } = { labels: 0, seconds: 0 };

  constructor(graph: LayeredGraph, effort: Effort, options: SolveOptions, budget: SearchBudget) {
    this.#graph = graph;
    this.#constraints = constraintsOf(graph);
    this.#pass = new LagrangianPass(graph, this.#constraints);
    this.#incumbent = new Incumbent(graph);
    this.#effort = effort;
    this.#options = options;
    this.#budget = budget;
    this.#gap = options.gap ?? DEFAULT_GAP;
    this.#upperBound = upperBoundOf(graph);
    this.#prices = { rows: new Float64Array(this.#constraints.count), step: 0 };
  }

  /** Bound proven so far; Infinity when there is no plan below the limit. */
  get bound(): number {
    return this.#bound;
  }

  /** Leaves out plans that are not better than this. */
  limitTo(objective: number): void {
    this.#upperBound = Math.min(this.#upperBound, objective);
    if (this.#bound >= this.#upperBound) this.#bound = Number.POSITIVE_INFINITY;
  }

  run(): PlannerResult {
    this.root();
    // A plan so near its bound is settled at once; the search begins with a beam anyway.
    const near = this.#gapNow <= NEAR && this.#effort === 'exact';
    if (!this.#done && !near) this.#beams();
    if (!this.#done && this.#effort === 'exact') this.#prove();
    return this.#result();
  }

  /** Whether the best plan is proven, or proven not to exist. */
  get #done(): boolean {
    const { objective } = this.#incumbent;
    if (this.#bound >= this.#upperBound) return true;
    return objective < Number.POSITIVE_INFINITY && objective - this.#bound <= this.#gap * Math.abs(objective);
  }

  get #gapNow(): number {
    const { objective } = this.#incumbent;
    return objective < Number.POSITIVE_INFINITY ? (objective - this.#bound) / Math.abs(objective) : objective;
  }

  #report(phase: PlanProgress['phase']): void {
    this.#options.onProgress?.({
      phase,
      objective: this.#incumbent.objective,
      bound: Math.min(this.#bound, this.#incumbent.objective),
      labels: this.#budget.labels,
    });
  }

  /** Computes the Lagrangian root, once. */
  root(): void {
    if (this.#rooted) return;
    this.#rooted = true;
    const { warm } = this.#options;
    const from = warm?.multipliers && pricesOf(warm.multipliers, this.#constraints, this.#graph);
    if (warm?.decisions) this.#incumbent.offerDecisions(warm.decisions);
    const root = lagrangianRoot(this.#pass, this.#incumbent, {
      passes: from ? WARM_PASSES : ROOT_PASSES,
      from,
      upperBound: this.#upperBound,
      stop: () => {
        this.#budget.pass(this.#graph.arcs / 4);
        return this.#budget.spent;
      },
    });
    this.#prices = root.prices;
    this.#bound = root.bound > this.#upperBound ? Number.POSITIVE_INFINITY : root.bound;
    this.#stats.rootBound = root.bound;
    this.#stats.rootSeconds = this.#budget.seconds;
    this.#stats.arcs = this.#graph.arcs;
    this.#report('root');
  }

  /**
   * The graph of all plans below a threshold, unless it is empty, too large, or proven to hold none. Raises the bound
   * by what is proven.
   */
  #window(threshold: number, mostArcs = MOST_ARCS, tableArcs?: number): Window | 'proven' | 'too large' {
    const { objective } = this.#incumbent;
    const limit = Math.min(threshold, objective, this.#upperBound);
    const reduced = fixArcs(this.#pass, this.#prices, limit, mostArcs);
    this.#budget.pass(this.#graph.arcs / 2);
    if (reduced === 'too large') return reduced;
    if (reduced === 'empty') return this.#raise(limit);
    const prices = { rows: reducedPrices(reduced, this.#prices.rows), step: this.#prices.step };
    const tight = tighten(reduced, prices, this.#incumbent, limit, this.#budget, tableArcs);
    if (!('tuned' in tight)) {
      this.#adopt(tight.prices);
      return this.#raise(Math.min(limit, this.#incumbent.objective));
    }
    this.#raise(tight.bound);
    this.#stats.arcsLeft = tight.reduced.arcCount;
    return { ...tight, limit };
  }

  /** Uses prices that emptied a window for the whole graph, if they are better there too. */
  #adopt(prices: RowPrices | undefined): void {
    if (!prices) return;
    const old = this.#pass.run(this.#prices) + offsetOf(this.#graph, this.#constraints, this.#prices);
    const bound = this.#pass.run(prices) + offsetOf(this.#graph, this.#constraints, prices);
    this.#budget.pass(this.#graph.arcs / 2);
    if (!(bound > old)) return;
    this.#prices = prices;
    this.#raise(bound);
    if (this.#incumbent.decisions) return;
    // Nothing near the bound and no plan: perhaps there is none, and prices grow without end.
    const root = lagrangianRoot(this.#pass, this.#incumbent, {
      passes: FAR_PASSES,
      from: prices,
      aim: FAR_AIM,
      upperBound: this.#upperBound,
    });
    this.#budget.pass((root.passes * this.#graph.arcs) / 4);
    this.#prices = root.prices;
    this.#raise(root.bound);
  }

  /** No plan is better than `bound`, except those already found. */
  #raise(bound: number): 'proven' {
    const reached = bound >= this.#upperBound ? Number.POSITIVE_INFINITY : bound;
    this.#bound = Math.max(this.#bound, reached);
    return 'proven';
  }

  #threshold(window: number): number {
    if (window === Number.POSITIVE_INFINITY) return window;
    return this.#bound + window * Math.max(Math.abs(this.#bound), 1e-9);
  }

  #beams(): void {
    // A proof goes on with narrow windows: wide ones without a plan cost more than they gain.
    const windows = this.#effort === 'exact' ? FIRST_WINDOWS : BEAM_WINDOWS.length;
    for (let at = 0; at < windows; at++) {
      const window = this.#window(this.#threshold(BEAM_WINDOWS[at] ?? Number.POSITIVE_INFINITY));
      if (window === 'too large') break;
      // An empty window says that plans are far away, if there are any.
      if (window === 'proven') at = Math.min(at + 1, Math.max(at, BEAM_WINDOWS.length - 2));
      else this.#beam(window);
      if (this.#incumbent.decisions || this.#done || this.#budget.spent) break;
    }
    if (this.#effort === 'beam' && this.#gapNow > NEAR && !this.#budget.spent) this.#again();
    this.#stats.beamObjective = this.#incumbent.objective;
    this.#stats.beamSeconds = this.#budget.seconds;
    this.#report('beam');
  }

  /** Runs another beam below the plan that was found: prices and bounds are sharper there. */
  #again(): void {
    const window = this.#window(Number.POSITIVE_INFINITY);
    if (typeof window !== 'string') this.#beam(window);
  }

  /** Runs a guided beam in a window; true when it left nothing out. */
  #beam({ reduced, tuned, limit }: Window): boolean {
    if (!tuned) return false;
    const tables = [tuned.best, ...tuned.others.slice(-3)];
    const options = { threshold: limit, beam: BEAM };
    const { complete, dropped } = new LabelSearch(reduced).run(
      tables,
      options,
      this.#incumbent,
      this.#budget,
    );
    if (!complete) return false;
    const reach = Math.min(limit, this.#incumbent.objective);
    this.#raise(Math.min(dropped, reach));
    return dropped >= reach;
  }

  /** Searches a whole window; true when it is settled. */
  #settle(window: Window): boolean {
    const report = (bound: number): void => {
      this.#raise(bound);
      this.#report('branch');
    };
    const { limit } = window;
    const { bound, nodes } = branchAndBound(window, limit, this.#incumbent, this.#budget, report);
    this.#stats.nodes = (this.#stats.nodes ?? 0) + nodes;
    const reach = Math.min(limit, this.#incumbent.objective);
    this.#raise(Math.min(bound, reach));
    return bound >= reach;
  }

  /** Whether the bound is far above the root's. */
  #risen(): boolean {
    const root = this.#stats.rootBound ?? Number.NEGATIVE_INFINITY;
    return this.#bound > root + FAR * Math.abs(root);
  }

  #prove(): void {
    if (this.#gapNow <= NEAR) {
      // All of it at once, if that is not much.
      const window = this.#window(Number.POSITIVE_INFINITY, NEAR_ARCS, MANY_ARCS);
      if (window === 'proven' || (window !== 'too large' && this.#settle(window))) return;
    }
    const last = PROOF_WINDOWS.length - 1;
    for (let at = 0; !this.#done && !this.#budget.spent; at = Math.min(at + 1, last)) {
      // So far up, a window is more likely to be empty than to be worth dividing.
      const lost = !this.#incumbent.decisions && this.#risen();
      const tableArcs = lost ? Number.POSITIVE_INFINITY : MANY_ARCS;
      const window = this.#window(this.#threshold(PROOF_WINDOWS[at] as number), MOST_ARCS, tableArcs);
      if (window === 'too large') return;
      // Without a plan, an empty window says that plans are far away, if there are any.
      if (window === 'proven') at += lost ? last : this.#incumbent.decisions ? 0 : 2;
      else if (!this.#settle(window)) return;
      this.#report('labels');
    }
  }

  #result(): PlannerResult {
    const { objective, decisions } = this.#incumbent;
    return {
      ...concluded(objective, this.#bound, this.#gap),
      decisions,
      objective,
      stats: { ...this.#stats, ...spentOf(this.#budget) },
      multipliers: multipliersOf(this.#prices, this.#constraints, this.#graph),
    };
  }
}

/** An upper bound of the objective of every plan: all of the deadline, all energy, all loss. */
function upperBoundOf({ instance, accuracy, mostSteps: most }: LayeredGraph): number {
  const { weights, devices, deadline } = instance;
  const joules = devices.reduce((sum, { energy }) => sum + energy, 0);
  const part = (weight: number, value: number) => (weight === 0 ? 0 : weight * value);
  const upper = part(weights.time, deadline) + part(weights.energy, joules) + (accuracy[most] as number);
  return upper + 1e-6 * Math.abs(upper) + 1e-12;
}
