// A stream of requests on a fleet that changes: a link is throttled, then a device is killed.
import type { Bundle } from '../../bundle/index.ts';
import type { Fleet, PlanView } from '../../plan/index.ts';
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
import { must } from '../../util/index.ts';
import { argmax } from '../../util/internal.ts';
import type { Journal } from '../reporter.ts';
import { withMeasuredTimes } from '../run/fleet-changes.ts';
import { emulatedWorkers } from '../run/local-fleet.ts';
import { measureDevices } from '../run/measure-devices.ts';
import { Replanner, type ReplannerOptions } from '../run/replanner.ts';
import { withLink } from './demo-fleet.ts';

/** Running devices, whatever connects them. */
export interface DemoDevices {
  readonly fabric: Fabric;
  kill(device: string): unknown;
  setLinks(device: string, links: LinkOptions): unknown;
}

/** Settings of the stream. */
export interface RequestStreamOptions {
  readonly bundle: Bundle;
  readonly devices: DemoDevices;
  readonly fleet: Fleet;
  readonly request: ReplannerOptions;
  readonly inputs: readonly FloatTensor[];
  /** Names of classes. */
  readonly classes: readonly string[];
  readonly labels?: Int32Array | undefined;
  readonly signal: AbortSignal;
  readonly listener: StreamListener;
}

/** Hears of the stream as it runs. */
export interface StreamListener {
  started(): void;
  /** @param longest seconds of a long request, as a scale */
  request(request: StreamedRequest, longest: number): void;
  event(event: FleetEvent): void;
}

/** A change of the fleet, or the plan that follows it. */
export type FleetEvent =
  | { readonly kind: 'throttled'; readonly from: string; readonly to: string }
  | { readonly kind: 'replanned' }
  | { readonly kind: 'killed'; readonly device: string };

/** One answered request. Seconds. */
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
  /** Share of the planned time. */
  readonly computing: number;
  readonly replanned: number;
}

/** Requests of each act, and how many on the throttled link still follow the old plan. */
const PER_ACT = 6;
const UNAWARE = 2;
const THROTTLE = 1 / 20;

/** An answer with a smaller margin runs again. */
export const FALLBACK_MARGIN = 0.5;

/** The coordinator's name; on a server the part before the slash says what it may do. */
export const COORDINATOR = 'coordinator/demo';

/** Plans, and sends requests while a link is throttled and a device is killed. */
export async function streamRequests(
  options: RequestStreamOptions,
  journal: Journal,
): Promise<readonly StreamedRequest[]> {
  const { bundle, devices, fleet, request } = options;
  const coordinator = new Coordinator(COORDINATOR, bundle);
  await coordinator.join(devices.fabric);
  try {
    const measured = await measuredFleet(bundle, fleet, coordinator, journal);
    const stream = new RequestStream(options, coordinator, new Replanner(bundle.manifest, measured, request));
    await stream.run();
    return stream.requests;
  } finally {
    await coordinator.close();
  }
}

/** A fleet with the times that its devices measure themselves. */
export async function measuredFleet(
  { manifest }: Bundle,
  fleet: Fleet,
  coordinator: Coordinator,
  journal: Journal,
): Promise<Fleet> {
  const names = fleet.devices.map(({ name }) => name);
  const { reports, failed } = await journal.during('devices time their stages', (progress) =>
    measureDevices(coordinator, names, false, (done, total) => progress.update(done, total)),
  );
  for (const error of failed.values()) throw error;
  return withMeasuredTimes(fleet, manifest.name, reports);
}

/** The acts, one after another. */
class RequestStream {
  readonly requests: StreamedRequest[] = [];
  readonly #options: RequestStreamOptions;
  readonly #coordinator: Coordinator;
  readonly #replanner: Replanner;
  readonly #views = new Map<RunPlan, PlanView>();
  #longest = 0;

  constructor(options: RequestStreamOptions, coordinator: Coordinator, replanner: Replanner) {
    this.#options = options;
    this.#coordinator = coordinator;
    this.#replanner = replanner;
  }

  async run(): Promise<void> {
    const { fleet, devices, listener } = this.#options;
    const source = must(fleet.devices[fleet.source], 'a source').name;
    let view = await this.#plan();
    const unpruned = must(await this.#replanner.unpruned(), 'a plan of the unpruned network');
    await this.#coordinator.warm(unpruned);
    this.#longest = 1.5 * Math.max(view.latency, unpruned.latency);
    listener.started();

    view = await this.#act('as planned', view, PER_ACT);

    const [linked] = devicesOf(view).filter((name) => name !== source);
    if (linked !== undefined) {
      const slow = withLink(this.#replanner.fleet, source, linked, THROTTLE);
      for (const { device, links } of emulatedWorkers(slow)) devices.setLinks(device.name, links ?? {});
      this.#event({ kind: 'throttled', from: source, to: linked });
      view = await this.#act('link throttled', view, UNAWARE);
      this.#replanner.fleet = slow;
      view = await this.#plan();
      this.#event({ kind: 'replanned' });
      view = await this.#act('planned anew', view, PER_ACT - UNAWARE);
    }

    const victim = devicesOf(view).findLast((name) => name !== source);
    if (victim !== undefined) {
      this.#event({ kind: 'killed', device: victim });
      view = await this.#act('device killed', view, PER_ACT, () => {
        setTimeout(() => devices.kill(victim), (1000 * view.latency) / 2);
      });
    }
  }

  /** Sends requests one after another, and calls `strike` once the first is on its way. */
  async #act(act: string, view: PlanView, count: number, strike?: () => void): Promise<PlanView> {
    let now = view;
    for (let at = 0; at < count && !this.#options.signal.aborted; at++) {
      const running = this.#infer(now);
      if (at === 0) strike?.();
      now = this.#record(act, await running, now);
    }
    return now;
  }

  async #infer(view: PlanView): Promise<FallbackResult> {
    const { inputs, request } = this.#options;
    const input = must(inputs[this.requests.length % inputs.length], 'an input');
    const replan: Replan = async (lost) => {
      const other = await this.#replanner.plan(lost);
      if (other) this.#views.set(other, other);
      return other;
    };
    const plan = await this.#replanner.unpruned(new Set(this.#coordinator.lost.keys()));
    if (plan) this.#views.set(plan, plan);
    return inferWithFallback(
      this.#coordinator,
      input,
      view,
      { deadline: request.request.deadline, replan },
      plan && { margin: FALLBACK_MARGIN, plan, seconds: plan.latency },
    );
  }

  async #plan(): Promise<PlanView> {
    const view = must(await this.#replanner.plan(), 'a plan');
    await this.#coordinator.warm(view);
    this.#views.set(view, view);
    return view;
  }

  /** Records a request; returns the plan of the next one. */
  #record(act: string, answer: FallbackResult, before: PlanView): PlanView {
    const { classes, labels, inputs, listener } = this.#options;
    const view = this.#views.get(answer.plan) ?? before;
    const label = argmax(answer.logits.data);
    const truth = labels?.[this.requests.length % inputs.length];
    const compute = view.stages.reduce((sum, stage) => sum + stage.compute, 0);
    const request: StreamedRequest = {
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
    this.requests.push(request);
    listener.request(request, this.#longest);
    return answer.fallback === 'taken' ? before : view;
  }

  #event(event: FleetEvent): void {
    if (!this.#options.signal.aborted) this.#options.listener.event(event);
  }
}

function devicesOf({ stages }: PlanView): string[] {
  return [...new Set(stages.flatMap(({ segments }) => segments.map(({ device }) => device)))];
}
