// A few subgradient steps on the candidates: they turn the network's prices, which are nearly right, into prices for
// this request. Paths that keep every limit are plans.
import {
  DECODER_RULE,
  type PlanningInstance,
  planCosts,
  SLACK,
  type StageDecision,
  SubgradientSteps,
} from '../../plan/internal.ts';
import { decisionOf } from './beam.ts';
import { type CandidatePass, LimitPrices, offsetOf } from './candidate-pass.ts';
import { type CandidateProgram, grown } from './candidate-program.ts';
import { PartialPlans } from './partial-plans.ts';

/** Improves prices, and keeps the best plan found on the way. */
export class Tuner {
  /** Best so far: its bound holds for the candidates, members' times taken as their sum's. */
  readonly best = new LimitPrices();
  bound = Number.NEGATIVE_INFINITY;
  /** Whether the pass's tables are those of the best prices. */
  fresh = false;
  /** The best plan found on the way. */
  objective = Number.POSITIVE_INFINITY;
  decisions: readonly StageDecision[] | undefined;
  readonly #now = new LimitPrices();
  readonly #plans = new PartialPlans();
  #slope = new Float64Array(0);
  readonly #steps = new SubgradientSteps(DECODER_RULE, 0);

  /**
   * @param passes of the cheapest path; 1 takes the prices as they are
   * @returns false when there is no path at all
   */
  run(program: CandidateProgram, pass: CandidatePass, from: LimitPrices, passes: number): boolean {
    const instance = program.instance as PlanningInstance;
    const D = program.devices;
    const rows = 2 + 2 * D;
    this.#slope = grown(this.#slope, rows);
    this.#steps.reset(rows);
    this.#plans.reserve(2, D);
    this.#now.copy(from, D);
    this.best.copy(from, D);
    this.bound = Number.NEGATIVE_INFINITY;
    this.objective = Number.POSITIVE_INFINITY;
    this.decisions = undefined;
    for (let i = 0; i < passes; i++) {
      this.fresh = false;
      const cheapest = pass.run(program, this.#now);
      if (cheapest === Number.POSITIVE_INFINITY || !pass.path(program)) return false;
      const bound = cheapest + offsetOf(instance, program.most, this.#now);
      if (bound > this.bound) {
        this.bound = bound;
        this.best.copy(this.#now, D);
        this.fresh = true;
        this.#steps.rose();
      } else this.#steps.stalled();
      const fits = this.#use(program, pass, instance);
      if (fits) this.#offer(program, pass, instance);
      if (i + 1 < passes && !this.#step(program, instance, bound)) break;
    }
    return true;
  }

  /** Shares of every limit that the path uses, less 1; true when it keeps all of them. */
  #use(program: CandidateProgram, pass: CandidatePass, instance: PlanningInstance): boolean {
    const D = program.devices;
    const plans = this.#plans;
    plans.clear(0, D);
    for (let l = 0; l < program.stages; l++) {
      const [k, c] = [pass.pathSet[l] as number, pass.pathChoice[l] as number];
      const seconds = plans.stageSeconds(program, 0, l, k, c);
      plans.charge(program, l, k, c, seconds);
    }
    const last = program.stages - 1;
    const set = plans.set[0] as number;
    const level = plans.level[0] as number;
    const at = last * program.width + set;
    plans.hop(
      instance,
      0,
      program.sets[at] as readonly number[],
      [instance.source],
      program.sent[at * program.levels + level] as number,
    );
    const seconds = (plans.seconds[0] as number) + (program.home[set * program.levels + level] as number);
    const slope = this.#slope;
    let fits = true;
    slope[0] = seconds / instance.deadline - 1;
    slope[1] = plans.steps[0] as number;
    if ((slope[0] as number) > SLACK || (slope[1] as number) > program.most) fits = false;
    for (let d = 0; d < D; d++) {
      const { memory, energy } = instance.devices[d] as PlanningInstance['devices'][number];
      const bytes = (plans.weights[d] as number) + (plans.activations[d] as number);
      slope[2 + d] = used(bytes, memory) - 1;
      slope[2 + D + d] = used(plans.joules[d] as number, energy) - 1;
      if ((slope[2 + d] as number) > SLACK || (slope[2 + D + d] as number) > SLACK) fits = false;
    }
    return fits;
  }

  #offer(program: CandidateProgram, pass: CandidatePass, instance: PlanningInstance): void {
    const decisions = Array.from({ length: program.stages }, (_, l) =>
      decisionOf(program, l, pass.pathSet[l] as number, pass.pathChoice[l] as number),
    );
    const { feasible, objective } = planCosts(instance, decisions);
    if (!feasible || objective >= this.objective) return;
    this.objective = objective;
    this.decisions = decisions;
  }

  /** One deflected step of Polyak's length; false when there is nowhere to go. */
  #step(program: CandidateProgram, instance: PlanningInstance, bound: number): boolean {
    const D = program.devices;
    const now = this.#now;
    const slope = this.#slope;
    const steps = this.#steps;
    const most = program.most;
    const width = Math.max(1, most);
    // Accuracy's term is concave: the end of its range that is least.
    const low = offsetOf(instance, 0, now);
    const high = offsetOf(instance, most, now);
    const end = low <= high ? 0 : most;
    slope[1] = ((slope[1] as number) - end) / width;
    steps.begin();
    for (let r = 0; r < 2 + 2 * D; r++) {
      let value = slope[r] as number;
      const price =
        r === 0
          ? now.time
          : r === 1
            ? now.step
            : ((r < 2 + D ? now.memory[r - 2] : now.energy[r - 2 - D]) as number);
      if (price <= 0 && value < 0) value = 0;
      steps.add(r, value);
    }
    const target = Number.isFinite(this.objective)
      ? this.objective
      : bound + DECODER_RULE.aim * Math.max(Math.abs(bound), 1e-6);
    const length = steps.length(target - bound, bound);
    if (length === undefined) return false;
    const { direction } = steps;
    now.time = Math.max(0, now.time + length * (direction[0] as number));
    now.step = Math.max(0, now.step + (length * (direction[1] as number)) / width);
    for (let d = 0; d < D; d++) {
      now.memory[d] = Math.max(0, (now.memory[d] as number) + length * (direction[2 + d] as number));
      now.energy[d] = Math.max(0, (now.energy[d] as number) + length * (direction[2 + D + d] as number));
    }
    return true;
  }
}

function used(amount: number, limit: number): number {
  return limit > 0 ? Math.min(amount / limit, 10) : amount > 0 ? 10 : 0;
}
