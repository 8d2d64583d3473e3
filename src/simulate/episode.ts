// One ward, request by request: events in the order of time. Requests come, wait for the planner, are planned on the
// fleet of that moment, run in the environment as it then is, and end once.
import { checkPlan } from '../plan/index.ts';
import { planCosts, SLACK_FACTOR, type Violation } from '../plan/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import type {
  DecisionRequest,
  DecisionResponse,
  Refusal,
  RequestEnd,
  RequestOutcome,
} from './decision-request.ts';
import { EnvironmentLinks } from './environment-links.ts';
import { type EnvironmentView, fleetNow, type Occupation } from './environment-view.ts';
import { Execution } from './execution.ts';
import type { ProblemFactory } from './problem-factory.ts';
import type { Arrival, Arrivals } from './requests.ts';

/** The parts of an episode. */
export interface EpisodeOptions {
  readonly ward?: number | undefined;
  readonly environment: EnvironmentView;
  readonly arrivals: Arrivals;
  readonly problems: ProblemFactory;
  /** Requests to take; all that come if absent. */
  readonly requests?: number | undefined;
  /** Share around a kind's deadline in which deadlines are drawn. */
  readonly deadlineSpread?: number | undefined;
  readonly onEnd: (outcome: RequestOutcome) => void;
}

/** A request that has arrived. */
interface ArrivedRequest extends Arrival {
  readonly request: number;
}

/** The facts that an outcome gives about its request. */
type About = Pick<DecisionRequest, 'ward' | 'request' | 'arrived' | 'time' | 'bundle' | 'kind' | 'deadline'>;

/** A plan that is running or about to run. */
interface Running {
  readonly question: DecisionRequest;
  readonly deciding: number;
  readonly predicted: RequestOutcome['predicted'];
  readonly answer: DecisionResponse;
  /** Second of its deadline, slack allowed. */
  readonly deadline: number;
  /** Undefined until the plan begins. */
  execution: Execution | undefined;
  at: number;
}

/**
 * How fast the time that is set apart for planning follows what planning takes; and what a request refused for it
 * leaves.
 */
const FOLLOWS = 0.25;
const FORGETS = 0.9;

/** The events of one ward. */
export class WardEpisode {
  readonly #options: EpisodeOptions;
  readonly #environment: EnvironmentView;
  readonly #links: EnvironmentLinks;
  readonly #occupation: Occupation;
  readonly #waiting: ArrivedRequest[] = [];
  readonly #running: Running[] = [];
  #arrived = 0;
  /** Second from which the planner is free. */
  #plannerFree = 0;
  /** By bundle: seconds set apart for planning. */
  readonly #setApart: Float64Array;
  #open: DecisionRequest | undefined;

  constructor(options: EpisodeOptions) {
    this.#options = options;
    this.#environment = options.environment;
    this.#links = new EnvironmentLinks(options.environment);
    const devices = options.environment.fleet.devices.length;
    this.#occupation = { held: new Float64Array(devices), busyUntil: new Float64Array(devices) };
    this.#setApart = new Float64Array(options.problems.bundles.length);
  }

  /** The decision request that waits for a response. */
  get question(): DecisionRequest | undefined {
    return this.#open;
  }

  /** Requests that have come so far. */
  get arrived(): number {
    return this.#arrived;
  }

  /**
   * Goes on until there is a question, all requests have ended, or the environment has to go on first (then call
   * `moved`).
   */
  advance(): 'question' | 'environment' | 'done' {
    while (!this.#open) {
      const arrives = this.#more ? this.#options.arrivals.next : Number.POSITIVE_INFINITY;
      const head = this.#waiting[0];
      const plans = head ? Math.max(head.time, this.#plannerFree) : Number.POSITIVE_INFINITY;
      const runs = this.#running.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
      const next = Math.min(arrives, plans, runs);
      if (next === Number.POSITIVE_INFINITY) return 'done';
      if (next >= this.#environment.until) return 'environment';
      if (runs === next) this.#run(next);
      else if (arrives === next)
        this.#waiting.push({ ...this.#options.arrivals.take(), request: this.#arrived++ });
      else this.#ask(must(this.#waiting.shift(), 'a request that waits'), next);
    }
    return 'question';
  }

  /** Call after the environment has gone on: plans whose devices have left are lost. */
  moved(): void {
    for (const running of [...this.#running]) {
      if (running.execution?.broken) this.#finish(running, 'lost');
    }
  }

  /** Goes on to the next question, the environment with it; undefined when all requests have ended. */
  next(): DecisionRequest | undefined {
    for (;;) {
      const state = this.advance();
      if (state === 'question') return this.#open;
      if (state === 'done') return undefined;
      this.#environment.step();
      this.moved();
    }
  }

  /**
   * Answers the open question; a plan that breaks a constraint on the fleet that its planner saw is refused.
   * @throws BedsideError E_INTERNAL when another question is open
   */
  answer(question: DecisionRequest, answer: DecisionResponse): void {
    if (question !== this.#open) throw new BedsideError('E_INTERNAL', 'internal: no such question is open');
    this.#open = undefined;
    const deciding = answer.seconds ?? 0;
    const apart = this.#setApart[question.bundle] as number;
    this.#setApart[question.bundle] = apart + FOLLOWS * (deciding - apart);
    this.#plannerFree = question.time + deciding;
    if (answer.decisions) this.#accept(question, answer, deciding);
    else this.#refuse(question, 'no plan', deciding);
  }

  /** Lets a plan run when planning is over, if it keeps every constraint. */
  #accept(question: DecisionRequest, answer: DecisionResponse, deciding: number): void {
    const instance = answer.instance ?? question.instance;
    const decisions = must(answer.decisions, 'decisions');
    const { violations, latency, objective } = checkPlan(instance, decisions);
    const predicted = { latency, objective };
    if (violations.length > 0) {
      this.#refuse(question, 'broken plan', deciding, { violations, predicted });
      return;
    }
    this.#running.push({
      question,
      deciding,
      predicted,
      answer,
      deadline: (question.arrived + question.deadline) * SLACK_FACTOR,
      execution: undefined,
      at: this.#plannerFree,
    });
  }

  get #more(): boolean {
    return this.#arrived < (this.#options.requests ?? Number.POSITIVE_INFINITY);
  }

  /** Opens a question, unless planning would take what is left of the time. */
  #ask(arrival: ArrivedRequest, time: number): void {
    const { problems, deadlineSpread = 0, ward = 0 } = this.#options;
    const { bundle, kind, deadline, request, time: arrived } = arrival;
    const about = { ward, request, arrived, time, bundle, kind, deadline };
    const left = arrived + deadline - time - (this.#setApart[bundle] as number);
    if (left <= 0) {
      this.#setApart[bundle] = FORGETS * (this.#setApart[bundle] as number);
      this.#refuse(about, 'no time', 0);
      return;
    }
    const { fleet, devices } = fleetNow(this.#environment, this.#occupation, time);
    const problem = problems.maker(bundle, kind)(fleet, left);
    const least = must(problems.kinds[kind], `kind ${kind}`).deadline * problems.deadline;
    this.#open = {
      ...about,
      leastDeadline: least * (1 - deadlineSpread),
      problem,
      instance: problem.instance,
      devices,
      slowdown: Float64Array.from(devices, (d) => this.#environment.slowdown[d] as number),
    };
  }

  /** Whatever is due at `now`, of the first plan for which something is. */
  #run(now: number): void {
    const running = must(
      this.#running.find(({ at }) => at === now),
      'a plan at this second',
    );
    if (now >= running.deadline) {
      this.#overdue(running);
    } else if (running.execution || this.#begin(running)) {
      const execution = must(running.execution, 'a plan that has begun');
      if (execution.proceed()) this.#finish(running, 'served', now);
      else running.at = Math.min(execution.at, running.deadline);
    }
  }

  #overdue(running: Running): void {
    if (running.execution) {
      this.#finish(running, 'late');
    } else {
      this.#drop(running);
      this.#refuse(running.question, 'no time', running.deciding);
    }
  }

  /** Begins a plan on the fleet as it is now, or refuses it. */
  #begin(running: Running): boolean {
    const { question, answer } = running;
    const instance = answer.instance ?? question.instance;
    const decisions = must(answer.decisions, 'decisions');
    const costs = planCosts(instance, decisions);
    const refusal = this.#hindrance(question.devices, costs);
    if (refusal) {
      this.#drop(running);
      this.#refuse(question, refusal, running.deciding);
      return false;
    }
    const { devices, slowdown } = question;
    const plan = { instance, decisions, devices, costs, slowdown };
    running.execution = new Execution(plan, running.at, this.#environment, this.#links, this.#occupation);
    return true;
  }

  /** Changes since the plan was made that keep its devices from running it. */
  #hindrance(devices: readonly number[], costs: ReturnType<typeof planCosts>): Refusal | undefined {
    const { present, memory, energy } = this.#environment;
    for (const [d, own] of devices.entries()) {
      const bytes = (costs.weightBytes[d] ?? 0) + (costs.activationBytes[d] ?? 0);
      if (bytes === 0) continue;
      if (present[own] === 0) return 'device left';
      const held = this.#occupation.held[own] as number;
      if (bytes + held > (memory[own] as number) * SLACK_FACTOR) return 'memory';
      if ((costs.energy[d] ?? 0) > (energy[own] as number) * SLACK_FACTOR) return 'energy';
    }
    return undefined;
  }

  #drop(running: Running): void {
    this.#running.splice(this.#running.indexOf(running), 1);
    running.execution?.release();
  }

  #finish(running: Running, end: Exclude<RequestEnd, 'refused'>, now = 0): void {
    this.#drop(running);
    const { question, deciding, predicted } = running;
    const execution = must(running.execution, 'a plan that has begun');
    const served = end === 'served';
    const result = served
      ? { latency: now - question.arrived, accuracy: execution.plan.costs.accuracy }
      : { latency: question.deadline, accuracy: 0 };
    this.#end(question, { end, deciding, predicted, energy: execution.joules, violations: [], ...result });
  }

  #refuse(
    about: About,
    refusal: Refusal,
    deciding: number,
    more: { violations?: readonly Violation[]; predicted?: RequestOutcome['predicted'] } = {},
  ): void {
    const { violations = [], predicted = { latency: Number.NaN, objective: Number.NaN } } = more;
    const none = { energy: 0, accuracy: 0, latency: about.deadline };
    this.#end(about, { end: 'refused', refusal, deciding, violations, predicted, ...none });
  }

  #end(about: About, ended: Omit<RequestOutcome, keyof About | 'queued' | 'objective'>): void {
    const { ward, request, bundle, kind, arrived, time, deadline } = about;
    const weights = must(this.#options.problems.weights[bundle], `weights of bundle ${bundle}`);
    const objective =
      weights.time * ended.latency + weights.energy * ended.energy + weights.accuracy * (1 - ended.accuracy);
    const queued = time - arrived;
    this.#options.onEnd({ ward, request, bundle, kind, arrived, deadline, queued, objective, ...ended });
  }
}
