// A stream of requests in a room where things happen, told request by request.

import {
  emulatedWorkers,
  measureDevices,
  Replanner,
  type ReplannerOptions,
  withMeasuredTimes,
} from '../../app/index.ts';
import type { Bundle } from '../../bundle/index.ts';
import type { Fleet, PlanView } from '../../plan/index.ts';
import { argmax } from '../../prune/index.ts';
import {
  Coordinator,
  type Fabric,
  type FallbackResult,
  type FloatTensor,
  inferWithFallback,
  type LinkOptions,
  type Replan,
  type RunPlan,
} from '../../run/index.ts';
import { formatSeconds, must } from '../../util/index.ts';
import type { Output } from '../terminal/output.ts';
import { withLink } from './fleet.ts';

/** Running devices, whatever joins them. */
export interface DemoRoom {
  readonly fabric: Fabric;
  kill(device: string): unknown;
  setLinks(device: string, links: LinkOptions): unknown;
}

/** What the stream needs. */
export interface StreamOptions {
  readonly bundle: Bundle;
  readonly room: DemoRoom;
  readonly fleet: Fleet;
  readonly request: ReplannerOptions;
  readonly inputs: readonly FloatTensor[];
  /** Names of classes. */
  readonly classes: readonly string[];
  readonly labels?: Int32Array | undefined;
  readonly signal: AbortSignal;
}

/** One request as it was told. Seconds. */
export interface StreamedRequest {
  readonly act: string;
  readonly answer: string;
  readonly right: boolean | null;
  readonly margin: number;
  readonly fallback: FallbackResult['fallback'];
  readonly levels: readonly number[];
  readonly devices: readonly string[];
  readonly seconds: number;
  readonly planned: number;
  /** Of the planned time. */
  readonly computing: number;
  readonly replanned: number;
}

/** Requests of each part, and of those on a throttled link how many go by the old plan. */
const PER_ACT = 6;
const UNAWARE = 2;
const THROTTLE = 1 / 20;

/** Margin below which an answer runs again. */
export const SURE = 0.5;

const BAR = 24;

/** The name of who asks; on a server the part before the slash says what it may do. */
export const ASKING = 'coordinator/demo';

/** Plans, and runs requests while a link is throttled and a device is killed. */
export async function stream(options: StreamOptions, output: Output): Promise<readonly StreamedRequest[]> {
  const { bundle, room, fleet, request } = options;
  const requester = new Coordinator(ASKING, bundle);
  await requester.join(room.fabric);
  try {
    const measured = await measuredFleet(bundle, fleet, requester, output);
    const planner = new Replanner(bundle.manifest, measured, request);
    const teller = new Teller(options, requester, planner, output);
    await teller.play();
    return teller.told;
  } finally {
    await requester.close();
  }
}

/** A fleet with what its devices measure of themselves. */
export async function measuredFleet(
  { manifest }: Bundle,
  fleet: Fleet,
  requester: Coordinator,
  output: Output,
): Promise<Fleet> {
  const names = fleet.devices.map(({ name }) => name);
  const { reports, failed } = await output.during('devices time their stages', (progress) =>
    measureDevices(requester, names, false, (done, total) => progress.update(done, total)),
  );
  for (const error of failed.values()) throw error;
  return withMeasuredTimes(fleet, manifest.name, reports);
}

/** Plays the acts. */
class Teller {
  readonly told: StreamedRequest[] = [];
  readonly #options: StreamOptions;
  readonly #requester: Coordinator;
  readonly #planner: Replanner;
  readonly #output: Output;
  readonly #views = new Map<RunPlan, PlanView>();
  /** Seconds that fill a bar. */
  #longest = 0;

  constructor(options: StreamOptions, requester: Coordinator, planner: Replanner, output: Output) {
    this.#options = options;
    this.#requester = requester;
    this.#planner = planner;
    this.#output = output;
  }

  async play(): Promise<void> {
    const { fleet, room } = this.#options;
    const source = must(fleet.devices[fleet.source], 'a source').name;
    let view = await this.#plan();
    const unpruned = must(await this.#planner.unpruned(), 'a plan of the unpruned network');
    await this.#requester.warm(unpruned);
    this.#longest = 1.5 * Math.max(view.latency, unpruned.latency);
    this.#head();

    view = await this.#act('as planned', view, PER_ACT);

    const [linked] = devicesOf(view).filter((name) => name !== source);
    if (linked !== undefined) {
      const slow = withLink(this.#planner.fleet, source, linked, THROTTLE);
      for (const { device, links } of emulatedWorkers(slow)) room.setLinks(device.name, links ?? {});
      this.#say(`the link ${source} - ${linked} falls to a twentieth`);
      view = await this.#act('link throttled', view, UNAWARE);
      this.#planner.fleet = slow;
      view = await this.#plan();
      this.#say('planned anew for the link as it is');
      view = await this.#act('planned anew', view, PER_ACT - UNAWARE);
    }

    const victim = devicesOf(view).findLast((name) => name !== source);
    if (victim !== undefined) {
      this.#say(`${victim} is killed (SIGKILL) while it is at work`);
      view = await this.#act('device killed', view, PER_ACT, () => {
        setTimeout(() => room.kill(victim), (1000 * view.latency) / 2);
      });
    }
  }

  /** Requests one after another; `strike` once the first has begun. */
  async #act(act: string, view: PlanView, count: number, strike?: () => void): Promise<PlanView> {
    let now = view;
    for (let at = 0; at < count && !this.#options.signal.aborted; at++) {
      const asked = this.#infer(now);
      if (at === 0) strike?.();
      now = this.#tell(act, await asked, now);
    }
    return now;
  }

  async #infer(view: PlanView): Promise<FallbackResult> {
    const { inputs, request } = this.#options;
    const input = must(inputs[this.told.length % inputs.length], 'an input');
    const replan: Replan = async (lost) => {
      const other = await this.#planner.plan(lost);
      if (other) this.#views.set(other, other);
      return other;
    };
    const plan = await this.#planner.unpruned(new Set(this.#requester.lost.keys()));
    if (plan) this.#views.set(plan, plan);
    return inferWithFallback(
      this.#requester,
      input,
      view,
      { deadline: request.request.deadline, replan },
      plan && { margin: SURE, plan, seconds: plan.latency },
    );
  }

  async #plan(): Promise<PlanView> {
    const view = must(await this.#planner.plan(), 'a plan');
    await this.#requester.warm(view);
    this.#views.set(view, view);
    return view;
  }

  /** Tells a request; returns the plan that the next one goes by. */
  #tell(act: string, answer: FallbackResult, before: PlanView): PlanView {
    const { classes, labels, inputs } = this.#options;
    const view = this.#views.get(answer.plan) ?? before;
    const sample = this.told.length % inputs.length;
    const label = argmax(answer.logits.data);
    const truth = labels?.[sample];
    const compute = view.stages.reduce((sum, stage) => sum + stage.compute, 0);
    const told: StreamedRequest = {
      act,
      answer: classes[label] ?? String(label),
      right: truth === undefined ? null : truth === label,
      margin: answer.margin,
      fallback: answer.fallback,
      levels: view.levels,
      devices: view.stages.map(({ segments }) => segments.map(({ device }) => device).join('+')),
      seconds: answer.seconds,
      planned: view.latency,
      computing: compute / view.latency,
      replanned: answer.replanned,
    };
    this.told.push(told);
    this.#row(told);
    return answer.fallback === 'taken' ? before : view;
  }

  #head(): void {
    const { fleet } = this.#options;
    const letters = fleet.devices.map(({ name }) => `${initial(name)} ${name}`).join(', ');
    this.#output.say(
      `   Stages on ${letters}. Time: █ computing, ░ on the way, as planned.\n\n` +
        `${columns('answer', 'sure', 'levels', 'stages', 'time', 'planned', '')}`,
    );
  }

  #row(told: StreamedRequest): void {
    const verdict = told.right === null ? '' : told.right ? ' ✓' : ' ✗';
    const where = told.devices.map((names) => names.split('+').map(initial).join('')).join(' ');
    const length = Math.min(BAR, Math.max(1, Math.round((told.seconds / this.#longest) * BAR)));
    const computing = Math.round(told.computing * length);
    const bar = '█'.repeat(computing) + '░'.repeat(length - computing);
    const remark = [
      told.replanned > 0 ? 'moved on the way' : '',
      told.fallback === 'taken' ? 'unsure, so again unpruned' : '',
      told.fallback === 'late' || told.fallback === 'failed' ? 'unsure' : '',
    ].filter((text) => text !== '');
    this.#output.say(
      columns(
        `${told.answer}${verdict}`,
        `${(100 * told.margin).toFixed(0)} %`,
        told.levels.join(''),
        where,
        formatSeconds(told.seconds),
        formatSeconds(told.planned),
        `${bar} ${remark.join(', ')}`.trimEnd(),
      ),
    );
  }

  #say(text: string): void {
    if (!this.#options.signal.aborted) this.#output.say(`   -- ${text}`);
  }
}

function columns(
  ...[answer, sure, levels, stages, time, planned, rest]: [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ]
): string {
  const words = [
    answer.padEnd(6),
    sure.padStart(6),
    levels.padEnd(8),
    stages.padEnd(12),
    time.padStart(8),
    planned.padStart(8),
    rest,
  ];
  return `   ${words.join('  ')}`.trimEnd();
}

function initial(name: string): string {
  return name.slice(0, 1).toUpperCase();
}

function devicesOf({ stages }: PlanView): string[] {
  return [...new Set(stages.flatMap(({ segments }) => segments.map(({ device }) => device)))];
}
