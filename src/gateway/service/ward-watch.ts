// Watches the devices of all models: which are lost and back, which plan is in use, how loaded they are.
import type { Deployment } from '../../app/index.ts';
import type { RunPlan } from '../../run/index.ts';
import type { DeviceReport } from '../../run/internal.ts';
import type { DeviceState, QueueState, WardEvents, WirePlan } from '../dashboard/wire-ward.ts';
import type { ServedModel } from './served-model.ts';

/** Milliseconds between two looks, and between two questions to the devices while somebody watches. */
const LOOK_MS = 250;
const ASK_MS = 1000;

/** Seconds over which load is averaged. */
const LOAD_SECONDS = 5;

/** Takes events. */
export type Tell = <K extends keyof WardEvents>(type: K, data: WardEvents[K]) => void;

/** What a device has said lately. */
interface Said {
  state: DeviceState;
  readonly figures: { readonly at: number; readonly busy: number | undefined; readonly sent: number }[];
}

/** One model's devices. */
class ModelWatch {
  readonly model: ServedModel;
  readonly lost = new Map<string, { readonly since: number; readonly why: string }>();
  readonly said = new Map<string, Said>();
  plan: { readonly of: RunPlan; readonly wire: WirePlan } | undefined;
  #queue: QueueState = { waiting: 0, running: 0 };
  #asking: Promise<void> | undefined;
  #asked = Number.NEGATIVE_INFINITY;

  constructor(model: ServedModel) {
    this.model = model;
  }

  /** Tells what has changed. */
  look(tell: Tell): void {
    const { name: model, deployment, queue } = this.model;
    const at = Date.now();
    const taking = new Set(deployment.fleet.devices.map(({ name }) => name));
    for (const [device, why] of deployment.lostBecause) {
      if (this.lost.has(device) || !taking.has(device)) continue;
      this.lost.set(device, { since: at, why });
      this.said.delete(device);
      tell('lost', { model, device, why, at });
      // A request shows whether the others still answer, and has the plan moved to them.
      this.model.probe().catch(() => false);
    }
    for (const device of this.lost.keys()) {
      if (deployment.lostBecause.has(device)) continue;
      this.lost.delete(device);
      tell('found', { model, device, at });
      this.model.probe().catch(() => false);
    }
    const { plan } = deployment;
    if (plan && plan !== this.plan?.of) {
      const wire = wirePlan(plan, at);
      const before = this.plan && layoutOf(this.plan.wire);
      this.plan = { of: plan, wire };
      if (before !== undefined && before !== layoutOf(wire)) tell('plan', { model, plan: wire, at });
    }
    const { depth: waiting, running } = queue;
    if (waiting === this.#queue.waiting && running === this.#queue.running) return;
    this.#queue = { waiting, running };
    tell('queue', { model, waiting, running });
  }

  /** Asks the devices how they are, unless they have just been asked. */
  ask(): Promise<void> {
    if (performance.now() - this.#asked < ASK_MS / 2) return Promise.resolve();
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = undefined;
      this.#asked = performance.now();
    });
    return this.#asking;
  }

  async #askAll(): Promise<void> {
    const at = Date.now();
    for (const report of await this.model.deployment.reports()) this.#take(report, at);
  }

  #take({ name, memoryUsed, battery, bytesSent, busy, sessions }: DeviceReport, at: number): void {
    const figures = (this.said.get(name)?.figures ?? []).filter((one) => at - one.at < 1000 * LOAD_SECONDS);
    const [first] = figures;
    figures.push({ at, busy, sent: bytesSent });
    const seconds = first && (at - first.at) / 1000;
    const rate = (now: number | undefined, before: number | undefined): number | null =>
      seconds && now !== undefined && before !== undefined ? Math.max(0, (now - before) / seconds) : null;
    const load = rate(busy, first?.busy);
    this.said.set(name, {
      figures,
      state: {
        ...{ at, memoryUsed, sessions, sending: rate(bytesSent, first?.sent) },
        // A long stage counts when it ends, so that a moment may seem more than full.
        load: load === null ? null : Math.min(1, load),
        ...(battery === undefined ? {} : { battery }),
      },
    });
  }
}

/** Watches until it is closed. */
export class WardWatch {
  readonly models: ReadonlyMap<string, ModelWatch>;
  readonly #tell: Tell;
  readonly #isWatched: () => boolean;
  readonly #timers: readonly NodeJS.Timeout[];

  /** @param isWatched whether devices are asked how they are: nobody needs it otherwise */
  constructor(models: ReadonlyMap<string, ServedModel>, tell: Tell, isWatched: () => boolean) {
    this.models = new Map([...models].map(([name, model]) => [name, new ModelWatch(model)]));
    this.#tell = tell;
    this.#isWatched = isWatched;
    this.#look();
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => void this.#ask().catch(() => {}), ASK_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #look(): void {
    for (const watch of this.models.values()) watch.look(this.#tell);
  }

  async #ask(): Promise<void> {
    if (!this.#isWatched()) return;
    for (const [model, watch] of this.models) {
      await watch.ask();
      const states = Object.fromEntries([...watch.said].map(([name, { state }]) => [name, state]));
      this.#tell('devices', { model, states });
    }
  }
}

/** A plan as pages are told. @param since when it was first in use */
export function wirePlan(plan: RunPlan, since: number): WirePlan {
  const view = plan as Partial<NonNullable<Deployment['firstPlan']>>;
  return {
    since,
    levels: plan.levels,
    variant: view.variant ?? null,
    latency: view.latency ?? null,
    energy: view.energy ?? null,
    accuracy: view.accuracy ?? null,
    objective: view.objective ?? null,
    stages: plan.stages.map(({ index, segments }, at) => {
      const { weightBytes = null, start = null, end = null } = view.stages?.[at] ?? {};
      return {
        ...{ index, weightBytes, start, end },
        segments: segments.map(({ device, from, to }) => ({ device, from, to })),
      };
    }),
  };
}

/** Equal for plans that run the same. */
function layoutOf({ levels, stages }: WirePlan): string {
  return JSON.stringify([levels, stages.map(({ segments }) => segments)]);
}
