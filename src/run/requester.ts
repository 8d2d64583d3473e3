// Who asks: starts plans, notices what is lost, plans anew, and ends every request exactly once.
import type { BundleManifest } from '../bundle/index.ts';
import { assertFiniteRows, assertFiniteSamples, BedsideError, must } from '../util/index.ts';
import type { DeviceReport } from './device.ts';
import type { Endpoint, Fabric } from './fabric.ts';
import { type FloatTensor, joinParts } from './join.ts';
import type { Message, Part } from './messages.ts';
import type { RunPlan } from './plan.ts';
import { errorOf } from './words.ts';

/** Another plan without the devices that are lost; undefined when there is none. */
export type Replan = (lost: ReadonlySet<string>) => Promise<RunPlan | undefined>;

/** What is asked of a requester. */
export interface RequestOptions {
  /** Seconds; default 60. */
  readonly deadline?: number | undefined;
  /** Without it, a lost device ends the request with E_LOST. */
  readonly replan?: Replan | undefined;
}

/** A result. */
export interface Answer {
  readonly logits: FloatTensor;
  /** Seconds from the request to its result. */
  readonly seconds: number;
  /** The plan that gave it, and how many were given up before. */
  readonly plan: RunPlan;
  readonly replanned: number;
}

/** Who runs a plan on an input: a requester, or what gathers requests for it. */
export interface Asker {
  infer(input: FloatTensor, plan: RunPlan, options?: RequestOptions): Promise<Answer>;
}

interface Pending {
  readonly id: string;
  readonly input: FloatTensor;
  readonly options: RequestOptions;
  readonly start: number;
  readonly end: number;
  epoch: number;
  plan: RunPlan;
  /** Devices of this plan and of those before. */
  readonly told: Set<string>;
  /** Of the last stage, by segment. */
  parts: (FloatTensor | undefined)[];
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

interface Question {
  readonly to: string;
  readonly message: Message;
  readonly resolve: (message: Message) => void;
  readonly reject: (error: Error) => void;
}

/** Seconds. */
export const DEFAULT_DEADLINE = 60;

/** Asks the workers of a fabric, for one bundle. */
export class Requester implements Asker {
  readonly name: string;
  readonly #bundle: { readonly sha256: string; readonly manifest: BundleManifest };
  readonly #pending = new Map<string, Pending>();
  readonly #questions = new Map<string, Question>();
  readonly #lost = new Map<string, string>();
  #endpoint: Endpoint | undefined;
  #next = 0;

  constructor(name: string, bundle: { readonly sha256: string; readonly manifest: BundleManifest }) {
    this.name = name;
    this.#bundle = bundle;
  }

  async join(fabric: Fabric): Promise<void> {
    this.#endpoint = await fabric.join(this.name, {
      message: (from, message) => this.receive(from, message),
      lost: (peer, why) => this.#lose(peer, why),
      found: (peer) => void this.#lost.delete(peer),
      restored: (peers) => this.#restore(peers),
    });
  }

  /** Devices that are lost, and why. One that is there again is no longer among them, and new requests may need it. */
  get lost(): ReadonlyMap<string, string> {
    return this.#lost;
  }

  /** Requests that have not ended. */
  get running(): number {
    return this.#pending.size;
  }

  /**
   * Makes all that a plan needs on every device of it, and watches them.
   * @throws BedsideError E_DEVICE from a device that it does not fit on; E_LOST
   */
  async warm(plan: RunPlan): Promise<void> {
    const { sha256: bundle } = this.#bundle;
    const answers = await Promise.all(
      devicesOf(plan).map((device) => this.#ask(device, (id) => ({ kind: 'warm', id, bundle, plan }))),
    );
    for (const answer of answers) {
      if (answer.kind === 'warmed' && answer.error) throw errorOf(answer.error);
    }
  }

  /**
   * What a device says of itself.
   * @throws BedsideError E_LOST
   */
  async report(device: string): Promise<DeviceReport> {
    return this.#reported(device, (id) => ({ kind: 'ask', id }));
  }

  /**
   * Has a device time every stage at each level, and report.
   * @throws BedsideError E_LOST
   */
  async measure(device: string): Promise<DeviceReport> {
    return this.#reported(device, (id) => ({ kind: 'measure', id, bundle: this.#bundle.sha256 }));
  }

  async #reported(device: string, question: (id: string) => Message): Promise<DeviceReport> {
    const answer = await this.#ask(device, question);
    if (answer.kind === 'report') return answer.report;
    if (answer.kind === 'refused') throw errorOf(answer.error);
    throw new BedsideError('E_INTERNAL', `internal: '${device}' answered ${answer.kind}`);
  }

  /**
   * Runs a plan on one input. Ends exactly once: with a result, or with a coded error before the deadline has passed.
   * @param input one sample or a batch, `[batch, …]`; only the plan's first device is sent it
   * @throws BedsideError E_DATA for an input that is not finite, E_DEADLINE, E_LOST, E_NOT_FINITE for scores that are no answer, and what a device could not do
   */
  async infer(input: FloatTensor, plan: RunPlan, options: RequestOptions = {}): Promise<Answer> {
    assertFiniteSamples({ name: 'a request', size: input.dims[0] ?? 1, samples: input.data });
    const id = `${this.name}-${this.#next++}`;
    const start = performance.now();
    const { deadline = DEFAULT_DEADLINE } = options;
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => this.#miss(id, deadline), patienceOf(deadline));
      const end = start + 1000 * deadline;
      const pending: Pending = {
        ...{ id, input, options, start, end, plan, timer, resolve, reject },
        epoch: 0,
        told: new Set(),
        parts: [],
      };
      this.#pending.set(id, pending);
      const gone = devicesOf(plan).find((device) => this.#lost.has(device));
      if (gone === undefined) this.#start(pending);
      else this.#again(pending, gone);
    });
  }

  /** What a message does. A duplicate, or one of an epoch that has passed, does nothing. */
  receive(from: string, message: Message): void {
    switch (message.kind) {
      case 'part':
        this.#take(message);
        break;
      case 'failed': {
        const pending = this.#pending.get(message.request);
        if (pending?.epoch === message.epoch) this.#fail(pending, errorOf(message.error));
        break;
      }
      case 'warmed':
      case 'report':
      case 'refused':
        this.#questions.get(message.id)?.resolve(message);
        this.#questions.delete(message.id);
        break;
      case 'leaving':
        this.#lose(from, message.why);
        break;
      default:
    }
  }

  /** Ends what runs with E_LOST. */
  async close(): Promise<void> {
    for (const pending of [...this.#pending.values()]) {
      this.#fail(pending, new BedsideError('E_LOST', `the requester '${this.name}' was closed`));
    }
    await this.#endpoint?.close();
  }

  #start(pending: Pending): void {
    const { id, epoch, plan, input, end } = pending;
    const [first] = must(plan.stages[0], 'a stage').segments;
    for (const device of devicesOf(plan)) {
      pending.told.add(device);
      this.#endpoint?.watch(device);
    }
    pending.parts = Array.from({ length: must(plan.stages.at(-1), 'a stage').segments.length });
    this.#endpoint?.send(must(first, 'a segment').device, {
      kind: 'part',
      request: id,
      epoch,
      requester: this.name,
      bundle: this.#bundle.sha256,
      plan,
      remaining: end - performance.now(),
      stage: -1,
      segment: 0,
      tensor: input,
    });
  }

  #take({ request, epoch, stage, segment, tensor }: Part): void {
    const pending = this.#pending.get(request);
    if (pending?.epoch !== epoch || stage !== pending.plan.stages.length - 1) return;
    if (segment >= pending.parts.length || pending.parts[segment]) return;
    pending.parts[segment] = tensor;
    const parts = pending.parts.filter((part) => part !== undefined);
    if (parts.length < pending.parts.length) return;
    const { start, plan, end, id, options } = pending;
    // Timers are late by up to a millisecond and more.
    if (performance.now() > end) {
      this.#miss(id, options.deadline ?? DEFAULT_DEADLINE);
      return;
    }
    // A device that has run all its parts of a plan has ended by itself.
    this.#finish(pending, new Set(devicesOf(plan)));
    const { split } = must(this.#bundle.manifest.stages[stage], 'a stage');
    const logits = joinParts(parts, split === 'partial-sums' ? { kind: 'sum' } : { kind: 'concat', axis: 1 });
    try {
      const rows = logits.dims[0] ?? 1;
      assertFiniteRows(logits.data, rows, logits.data.length / rows, (row) => {
        return `the scores of sample ${row} of a request to ${devicesOf(plan).join(', ')}`;
      });
      pending.resolve({ logits, seconds: (performance.now() - start) / 1000, plan, replanned: epoch });
    } catch (error) {
      pending.reject(error as Error);
    }
  }

  #lose(peer: string, why: string): void {
    if (this.#lost.has(peer)) return;
    this.#lost.set(peer, why);
    for (const [id, question] of this.#questions) {
      if (question.to !== peer) continue;
      this.#questions.delete(id);
      question.reject(lostError(peer, why));
    }
    for (const pending of [...this.#pending.values()]) {
      if (devicesOf(pending.plan).includes(peer)) this.#again(pending, peer);
    }
  }

  /** What was on its way to or from these may be lost: it is asked again, and what still comes of the first time is dead. */
  #restore(peers: ReadonlySet<string>): void {
    for (const { to, message } of this.#questions.values()) {
      if (peers.has(to)) this.#endpoint?.send(to, message);
    }
    for (const pending of this.#pending.values()) {
      const planned = devicesOf(pending.plan);
      // One that is waiting for another plan starts when that is there.
      if (planned.some((device) => this.#lost.has(device))) continue;
      if (!planned.some((device) => peers.has(device))) continue;
      pending.epoch++;
      this.#start(pending);
    }
  }

  /** Another plan on the devices that are left; the old one is dead at once. */
  #again(pending: Pending, peer: string): void {
    const why = this.#lost.get(peer) ?? 'gone';
    const epoch = ++pending.epoch;
    const { replan } = pending.options;
    const current = (): boolean => this.#pending.get(pending.id) === pending && pending.epoch === epoch;
    const planned = replan ? replan(new Set(this.#lost.keys())) : Promise.resolve(undefined);
    planned.then(
      (plan) => {
        if (!current()) return;
        if (!plan || devicesOf(plan).some((device) => this.#lost.has(device))) {
          this.#fail(pending, lostError(peer, why));
          return;
        }
        pending.plan = plan;
        this.#start(pending);
      },
      (error: unknown) => {
        if (!current()) return;
        this.#fail(pending, error instanceof Error ? error : lostError(peer, why));
      },
    );
  }

  #miss(id: string, deadline: number): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#fail(pending, missed(deadline));
  }

  #fail(pending: Pending, error: Error): void {
    this.#finish(pending);
    pending.reject(error);
  }

  /** The request has ended, here and on every device that may still know of it. */
  #finish({ id, timer, told }: Pending, ended: ReadonlySet<string> = new Set()): void {
    clearTimeout(timer);
    this.#pending.delete(id);
    for (const device of told) {
      if (!ended.has(device) && !this.#lost.has(device))
        this.#endpoint?.send(device, { kind: 'end', request: id });
    }
  }

  #ask(to: string, question: (id: string) => Message): Promise<Message> {
    const why = this.#lost.get(to);
    if (why !== undefined) return Promise.reject(lostError(to, why));
    const id = `${this.name}?${this.#next++}`;
    const message = question(id);
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { to, message, resolve, reject });
      this.#endpoint?.watch(to);
      this.#endpoint?.send(to, message);
    });
  }
}

/**
 * Milliseconds after which a request without a result ends: a little before its deadline, as timers and what else its
 * process does are late by some.
 * @param deadline seconds
 */
export function patienceOf(deadline: number): number {
  return 1000 * deadline - Math.min(20, 50 * deadline);
}

/** @param deadline seconds */
export function missed(deadline: number): BedsideError {
  return new BedsideError('E_DEADLINE', `no result within ${deadline} s`, {
    hint: 'allow more time, or plan at lower levels or on faster devices',
  });
}

function devicesOf(plan: RunPlan): string[] {
  return [...new Set(plan.stages.flatMap(({ segments }) => segments.map(({ device }) => device)))];
}

function lostError(peer: string, why: string): BedsideError {
  return new BedsideError('E_LOST', `device '${peer}' is lost: ${why}`, {
    hint: 'start it again, or plan for the devices that are left',
  });
}
