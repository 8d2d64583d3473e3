// The best plan so far. Every offer is evaluated anew by the plan's costs before it counts.
import { planCosts } from '../problem/cost.ts';
import type { StageDecision } from '../problem/instance.ts';
import { decisionsOf, type GraphPath, type LayeredGraph } from './graph/graph.ts';

export class Incumbent {
  readonly #graph: LayeredGraph;
  objective = Number.POSITIVE_INFINITY;
  decisions: readonly StageDecision[] | undefined;

  constructor(graph: LayeredGraph) {
    this.#graph = graph;
  }

  /** A path and what the search takes it to cost; true when it is a plan and better than the best. */
  offer(path: GraphPath, objective: number): boolean {
    if (!(objective < this.objective)) return false;
    return this.offerDecisions(decisionsOf(this.#graph, path));
  }

  /** Decisions from anywhere; true when they are a plan and better than the best. */
  offerDecisions(decisions: readonly StageDecision[]): boolean {
    const { stages } = this.#graph.instance;
    const fits =
      decisions.length === stages.length &&
      decisions.every(({ set, inner, level }, l) => {
        const stage = stages[l];
        return stage?.sets[set] !== undefined && inner < stage.inner && level < stage.levelsOut;
      });
    if (!fits) return false;
    const { feasible, objective } = planCosts(this.#graph.instance, decisions);
    if (!feasible || !(objective < this.objective)) return false;
    this.objective = objective;
    this.decisions = decisions;
    return true;
  }
}
