// The learned planner: one run of the network, a narrow search among its candidates, and a check of the whole plan. If
// that finds nothing, it searches wider and then asks the greedy planner. It never returns a plan that breaks a limit.
import type { Model } from '../../onnx/index.ts';
import { checkPlan, greedyPlanner, type Planner, type PlannerResult } from '../../plan/index.ts';
import type { PlanningInstance, StageDecision } from '../../plan/internal.ts';
import { type DecodeOptions, Decoder, QUICK, WIDE } from './decode.ts';
import { PolicyNetwork } from './policy-network.ts';

/** How a plan was found. */
export type FoundBy = 'quick' | 'wide' | 'greedy';

/** How many plans each search found. */
export type FoundCounts = Record<FoundBy | 'none', number>;

/** A planner with a policy. It plans one request at a time; other requests wait. */
export class PolicyPlanner implements Planner {
  readonly name = 'policy';
  readonly counts: FoundCounts = { quick: 0, wide: 0, greedy: 0, none: 0 };
  readonly #adviser: PolicyNetwork;
  readonly #decoder = new Decoder();
  readonly #options: DecodeOptions;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(adviser: PolicyNetwork, options: DecodeOptions) {
    this.#adviser = adviser;
    this.#options = options;
  }

  /**
   * Loads a policy that `exportPolicy` made.
   * @throws BedsideError E_ENGINE when ONNX Runtime refuses it; E_MODEL when it is another kind of model
   */
  static async open(
    model: Model | Uint8Array,
    name: string,
    options: DecodeOptions = QUICK,
  ): Promise<PolicyPlanner> {
    return new PolicyPlanner(await PolicyNetwork.open(model, name), options);
  }

  /**
   * A checked plan with status `gap` and no more than the trivial bound, or `unknown`. Never `infeasible`: it proves
   * nothing.
   */
  plan(instance: PlanningInstance): Promise<PlannerResult> {
    // The arrays serve one request at a time.
    const answer = this.#queue.then(() => this.#plan(instance));
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  /** Frees the network. */
  async close(): Promise<void> {
    await this.#adviser.close();
  }

  async #plan(instance: PlanningInstance): Promise<PlannerResult> {
    const start = performance.now();
    const bound = instance.weights.accuracy * (1 - instance.unprunedAccuracy);
    const advice = await this.#adviser.run(instance);
    const { features } = this.#adviser;
    let by: FoundBy = 'quick';
    let plan = kept(instance, this.#decoder.decode(instance, advice, features, this.#options));
    if (!plan) {
      by = 'wide';
      plan = kept(instance, this.#decoder.decode(instance, advice, features, WIDE));
    }
    if (!plan) {
      by = 'greedy';
      plan = kept(instance, (await greedyPlanner.plan(instance)).decisions);
    }
    this.counts[plan ? by : 'none']++;
    const stats = { labels: 0, seconds: (performance.now() - start) / 1000 };
    if (!plan) return { status: 'unknown', objective: Number.POSITIVE_INFINITY, bound, stats };
    return { status: 'gap', ...plan, bound, stats };
  }
}

/** Decisions with their objective, if the independent check finds every limit kept. */
function kept(
  instance: PlanningInstance,
  decisions: readonly StageDecision[] | undefined,
): { readonly decisions: readonly StageDecision[]; readonly objective: number } | undefined {
  if (!decisions) return undefined;
  const { violations, objective } = checkPlan(instance, decisions);
  return violations.length === 0 ? { decisions, objective } : undefined;
}
