// The environment of reinforcement learning: one request, decided stage by stage. Choices are masked exactly. The
// reward is the choice's part of the objective, shaped by the price of the rest (Ng, Harada and Russell, ICML 1999),
// which changes no optimum. A step allocates nothing.
import { accuracyCost, type PlanningInstance, SLACK_FACTOR } from '../../plan/internal.ts';
import { CandidatePass, type LimitPrices } from '../policy/candidate-pass.ts';
import { CandidateProgram, grown } from '../policy/candidate-program.ts';
import { emptyStep, PartialPlans } from '../policy/partial-plans.ts';
import { Reach } from '../policy/reach.ts';

/** Cost of running into a limit, in the request's unit: as much as a whole plan of the relaxation. */
export const DEAD_END = 1;

/** One request, stage by stage. */
export class PlanningEpisode {
  readonly program = new CandidateProgram();
  readonly #pass = new CandidatePass();
  readonly #reach = new Reach();
  readonly #plans = new PartialPlans();
  readonly #scratch = new PartialPlans();
  readonly #source = [0];
  readonly #step = emptyStep();
  /**
   * `[k * levels + p]`: 1 where the choice is allowed, and how much dearer than the cheapest it is, in the request's
   * unit.
   */
  mask = new Uint8Array(0);
  regret = new Float64Array(0);
  #position = new Int32Array(0);
  #seconds = new Float64Array(0);
  #unit = 1;
  #stage = 0;
  #toGo = 0;
  done = true;
  /** Whether the last episode ended with a plan, and its objective. */
  complete = false;
  objective = Number.POSITIVE_INFINITY;

  /** Loads a request; false when nothing can be decided from the candidates. */
  load(
    instance: PlanningInstance,
    candidates: readonly (readonly number[])[],
    prices: LimitPrices,
    unit: number,
  ): boolean {
    this.done = true;
    this.#unit = unit;
    const { program } = this;
    if (!program.load(instance, candidates) || !this.#reach.load(program)) return false;
    if (this.#pass.run(program, prices) === Number.POSITIVE_INFINITY) return false;
    const actions = program.width * program.levels;
    if (this.mask.length < actions) this.mask = new Uint8Array(actions);
    this.regret = grown(this.regret, actions);
    this.#position = grown(this.#position, actions);
    this.#seconds = grown(this.#seconds, actions);
    this.#plans.reserve(2, program.devices);
    this.#scratch.reserve(1, program.devices);
    this.#source[0] = instance.source;
    return true;
  }

  /** Begins at the first stage; what may be chosen there is in `mask`. */
  reset(): void {
    this.#stage = 0;
    this.done = false;
    this.complete = false;
    this.objective = Number.POSITIVE_INFINITY;
    this.#plans.clear(0, this.program.devices);
    this.#toGo = this.#pass.node[0] as number;
    if (!this.#look()) this.done = true;
  }

  /** Stage that is decided next. */
  get stage(): number {
    return this.#stage;
  }

  /** Takes an allowed choice; returns its reward, in the request's unit. */
  step(action: number): number {
    const { program } = this;
    const instance = program.instance as PlanningInstance;
    const plans = this.#plans;
    const l = this.#stage;
    const k = Math.floor(action / program.levels);
    const before = (plans.cost[0] as number) + accuracyCost(instance, plans.steps[0] as number);
    const step = this.#step;
    step.l = l;
    step.k = k;
    step.position = this.#position[action] as number;
    step.seconds = this.#seconds[action] as number;
    plans.extend(program, 0, step, this.#scratch, 0);
    plans.copyRow(this.#scratch, program.devices);
    let cost = (plans.cost[0] as number) + accuracyCost(instance, plans.steps[0] as number) - before;
    const state = (l * program.width + k) * program.levels + (plans.level[0] as number);
    this.#stage++;
    let toGo = this.#pass.toGo[state] as number;
    let reward = 0;
    if (this.#stage === program.stages) {
      this.done = true;
      const home = this.#home(instance, k, state);
      cost += home;
      toGo = 0;
      this.complete = home < Number.POSITIVE_INFINITY;
      if (this.complete)
        this.objective = (plans.cost[0] as number) + home + accuracyCost(instance, plans.steps[0] as number);
    } else if (!this.#look()) this.done = true;
    // With the potential of a dead end set to what was left, running into it costs just this.
    if (this.done && !this.complete) reward = -DEAD_END;
    else reward = -(cost + toGo - this.#toGo) / this.#unit;
    this.#toGo = toGo;
    return reward;
  }

  /** The objective's part for the result's way home; Infinity where it breaks a limit. */
  #home(instance: PlanningInstance, k: number, state: number): number {
    const { program } = this;
    const plans = this.#plans;
    const seconds = program.home[k * program.levels + (plans.level[0] as number)] as number;
    if (!((plans.seconds[0] as number) + seconds <= instance.deadline * SLACK_FACTOR))
      return Number.POSITIVE_INFINITY;
    const set = program.sets[(program.stages - 1) * program.width + k] as readonly number[];
    const joules = plans.hop(instance, 0, set, this.#source, program.sent[state] as number);
    if (joules < 0) return Number.POSITIVE_INFINITY;
    return instance.weights.time * seconds + instance.weights.energy * joules;
  }

  /** Fills mask and regret for the next stage; false when nothing is allowed. */
  #look(): boolean {
    const { program } = this;
    const instance = program.instance as PlanningInstance;
    const { width, levels } = program;
    const pass = this.#pass;
    const reach = this.#reach;
    const plans = this.#plans;
    const l = this.#stage;
    const step = this.#step;
    step.l = l;
    this.mask.fill(0);
    this.regret.fill(Number.POSITIVE_INFINITY);
    const level = plans.level[0] as number;
    const before = plans.set[0] as number;
    const left = instance.deadline * SLACK_FACTOR - (plans.seconds[0] as number);
    const lossLeft = program.most - (plans.steps[0] as number);
    const bytes = l === 0 ? 0 : (program.sent[((l - 1) * width + before) * levels + level] as number);
    const from = program.start[l * (levels + 1) + level] as number;
    const to = program.start[l * (levels + 1) + level + 1] as number;
    let least = Number.POSITIVE_INFINITY;
    for (let k = 0; k < (program.count[l] as number); k++) {
      const at = l * width + k;
      const carried = l === 0 ? 0 : bytes * (pass.hop[(l * width + before) * width + k] as number);
      for (let c = from; c < to; c++) {
        const state = at * levels + (program.out[c] as number);
        const lost = program.steps[c] as number;
        if (lost + (reach.steps[state] as number) > lossLeft) continue;
        const seconds = plans.stageSeconds(program, 0, l, k, c);
        if (!(seconds + (reach.seconds[state] as number) <= left)) continue;
        const price =
          carried +
          pass.time * seconds +
          (pass.perMac[at] as number) * (program.macs[c] as number) +
          (pass.perByte[at] as number) * (program.weight[c] as number) +
          pass.step * lost +
          (pass.toGo[state] as number);
        const action = k * levels + (program.out[c] as number);
        if (price >= (this.regret[action] as number)) continue;
        step.k = k;
        step.position = c;
        step.seconds = seconds;
        if (!plans.extend(program, 0, step, this.#scratch, 0)) continue;
        if (!reach.lasts(program, this.#scratch, l, 0)) continue;
        this.mask[action] = 1;
        this.regret[action] = price;
        this.#position[action] = c;
        this.#seconds[action] = seconds;
        if (price < least) least = price;
      }
    }
    if (least === Number.POSITIVE_INFINITY) return false;
    for (let action = 0; action < width * levels; action++)
      if (this.mask[action] === 1)
        this.regret[action] = ((this.regret[action] as number) - least) / this.#unit;
    return true;
  }
}
