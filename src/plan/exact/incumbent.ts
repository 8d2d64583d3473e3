// The incumbent: the best plan so far. Every offer is priced again by `planCosts` before it counts.
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

  /** Offers a path with the cost that the search computed; true when it is a plan and the best so far. */
  offer(path: GraphPath, objective: number): boolean {
    if (!(objective < this.objective)) return false;
    return this.offerDecisions(decisionsOf(this.#graph, path));
  }

  /** Offers decisions of any origin; true when they are a plan and the best so far. */
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
