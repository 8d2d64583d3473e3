// The execution of one plan in the environment, stage by stage, over the present links and on devices with their
// present load. Every second and joule comes from the planner's cost model; this file adds when they are due.
import {
  choiceIndex,
  computeSeconds,
  MAX_SET_SIZE,
  type PlanCosts,
  type PlanningInstance,
  type StageDecision,
  type StageInstance,
  sentBytes,
  transferJoules,
} from '../plan/internal.ts';
import { must } from '../util/index.ts';
import type { EnvironmentLinks } from './environment-links.ts';
import type { EnvironmentView, Occupation } from './environment-view.ts';

/** A plan that has been accepted. */
export interface AcceptedPlan {
  readonly instance: PlanningInstance;
  readonly decisions: readonly StageDecision[];
  /** By device of the instance: its index in the ward. */
  readonly devices: readonly number[];
  readonly costs: PlanCosts;
  /** By device of the instance: how slow it was when the plan was made. */
  readonly slowdown: Float64Array;
}

/** Members of the stage that is running, as they go on. */
interface Member {
  /** In the instance, and in the ward. */
  readonly device: number;
  readonly own: number;
  /** Share of what it needs that has come in. */
  received: number;
  /** Second at which it is done; undefined while it receives. */
  end: number | undefined;
}

/** A plan that is being executed. */
export class Execution {
  readonly plan: AcceptedPlan;
  /** Second at which there is something to do, and joules spent so far. */
  at: number;
  joules = 0;
  readonly #environment: EnvironmentView;
  readonly #links: EnvironmentLinks;
  readonly #occupation: Occupation;
  /** The stage that receives or computes; the number of stages when the result returns. */
  #stage = 0;
  /** Holders of what is sent, as devices of the instance, and bytes that each sends to each. */
  #from: readonly number[] = [];
  #bytes = 0;
  #level = 0;
  #members: Member[] = [];
  readonly #arrivals = new Float64Array(MAX_SET_SIZE);

  constructor(
    plan: AcceptedPlan,
    start: number,
    environment: EnvironmentView,
    links: EnvironmentLinks,
    occupation: Occupation,
  ) {
    this.plan = plan;
    this.at = start;
    this.#environment = environment;
    this.#links = links;
    this.#occupation = occupation;
    this.#hold(1);
    this.#enter();
  }

  /** Goes on at `at`; true once the source has the result. */
  proceed(): boolean {
    const { stages } = this.plan.instance;
    if (this.#members.every(({ end }) => end !== undefined && end <= this.at)) {
      if (this.#stage === stages.length) return true;
      this.#leave();
      this.#enter();
    }
    this.#receive();
    return false;
  }

  /** Frees what it holds, once it has ended. */
  release(): void {
    this.#hold(-1);
  }

  /** Whether a device that it needs from now on, or that has what it works with, is away. */
  get broken(): boolean {
    const { present } = this.#environment;
    const away = (d: number): boolean => present[this.#own(d)] === 0;
    const receiving = this.#members.some(({ end }) => end === undefined);
    if (receiving && this.#from.some(away)) return true;
    return this.plan.decisions.some((_, l) => l >= this.#stage && this.#set(l).some(away));
  }

  /** Memory of every device that takes part, for as long as the request runs. */
  #hold(sign: 1 | -1): void {
    const { costs, devices } = this.plan;
    devices.forEach((own, d) => {
      const bytes = (costs.weightBytes[d] ?? 0) + (costs.activationBytes[d] ?? 0);
      this.#occupation.held[own] = (this.#occupation.held[own] ?? 0) + sign * bytes;
    });
  }

  /** The next stage's members, or the source that waits for the result. */
  #enter(): void {
    const { instance } = this.plan;
    const last = this.#stage === instance.stages.length;
    const set = last ? [instance.source] : this.#set(this.#stage);
    this.#members = set.map((device) => ({
      device,
      own: this.#own(device),
      received: 0,
      end: undefined,
    }));
  }

  /** The stage is done: its members hold what comes next. */
  #leave(): void {
    const stage = this.#stageAt(this.#stage);
    const { level } = this.#decision(this.#stage);
    this.#from = this.#set(this.#stage);
    this.#bytes = sentBytes(stage, level, this.#from.length);
    this.#level = level;
    this.#stage++;
  }

  /** Transfers as far as the present state of the environment lasts; whoever has all begins to compute. */
  #receive(): void {
    const { until } = this.#environment;
    const to = this.#members.map(({ own }) => own);
    this.#arrivals.fill(0);
    const from = this.#from.map((d) => this.#own(d));
    if (from.length > 0) this.#links.transfer(from, to, this.#bytes, this.#arrivals);
    this.#members.forEach((member, i) => {
      if (member.end === undefined) {
        const whole = this.#arrivals[i] ?? 0;
        const arrives = this.at + (member.received < 1 ? (1 - member.received) * whole : 0);
        if (arrives <= until) {
          this.#payTransfers(member);
          member.end = this.#computed(member, arrives);
        } else {
          // The rate changes on the way: so much of the whole is over by then.
          member.received += (until - this.at) / whole;
        }
      }
    });
    const receiving = this.#members.some(({ end }) => end === undefined);
    this.at = receiving ? until : Math.max(...this.#members.map(({ end = until }) => end));
  }

  /** Second at which a member has computed its part of the stage; the source only takes the result. */
  #computed(member: Member, arrives: number): number {
    const { instance, slowdown } = this.plan;
    if (this.#stage === instance.stages.length) return arrives;
    const { device, own } = member;
    const stage = this.#stageAt(this.#stage);
    if (stage.isInput) return arrives;
    const { inner, level } = this.#decision(this.#stage);
    const choice = choiceIndex(stage, this.#level, inner, level);
    const size = this.#members.length;
    const entry = must(instance.devices[device], `device ${device}`);
    const slower = (this.#environment.slowdown[own] as number) / (slowdown[device] as number);
    // Its wait in the plan stood for the queue as it was then.
    const work = (computeSeconds(entry, stage, this.#stage, choice, size) - entry.wait) * slower;
    const { busyUntil } = this.#occupation;
    const end = Math.max(arrives, busyUntil[own] as number) + (this.#environment.wait[own] as number) + work;
    busyUntil[own] = end;
    this.#pay(own, (entry.joulesPerMac * must(stage.macs[choice], 'macs')) / size);
    return end;
  }

  #payTransfers({ device, own }: Member): void {
    const { devices } = this.plan.instance;
    for (const from of this.#from) {
      if (from === device) continue;
      const [sender, receiver] = [must(devices[from], 'sender'), must(devices[device], 'receiver')];
      const { sent, received } = transferJoules(this.#bytes, sender, receiver);
      this.#pay(this.#own(from), sent);
      this.#pay(own, received);
    }
  }

  #pay(own: number, joules: number): void {
    this.joules += joules;
    this.#environment.spend(own, joules);
  }

  #own(device: number): number {
    return must(this.plan.devices[device], `device ${device}`);
  }

  #stageAt(l: number): StageInstance {
    return must(this.plan.instance.stages[l], `stage ${l}`);
  }

  #decision(l: number): StageDecision {
    return must(this.plan.decisions[l], `decision of stage ${l}`);
  }

  #set(l: number): readonly number[] {
    return must(this.#stageAt(l).sets[this.#decision(l).set], `set of stage ${l}`);
  }
}
