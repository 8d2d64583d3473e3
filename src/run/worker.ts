// A worker: a device on a fabric. Runs requests as dataflow: a segment starts when all its inputs are there, and what it
// gives goes straight to those who need it.
import { must } from '../util/index.ts';
import type { Device } from './device.ts';
import type { Endpoint, Fabric } from './fabric.ts';
import { type FloatTensor, joinParts } from './join.ts';
import type { Message, Part } from './messages.ts';
import { type Air, type LinkOptions, ShapedLinks } from './shaping.ts';
import { wordsOf } from './words.ts';

/** One request, as far as it has come here. */
interface Running {
  readonly epoch: number;
  /** Parts by stage and segment. */
  readonly parts: Map<number, (FloatTensor | undefined)[]>;
  /** Stages, or segments of them, that this device has not run yet. */
  left: number;
  readonly expiry: NodeJS.Timeout;
}

/** How many ended requests are remembered, so that what comes late of them changes nothing. */
const REMEMBERED = 4096;

/** Options of a worker. */
export interface WorkerOptions {
  readonly links?: LinkOptions | undefined;
  /** The channel that shared links are on; without one they wait for nobody. */
  readonly air?: Air | undefined;
  /** Called once when it has left by itself. */
  readonly onLeave?: ((why: string) => void) | undefined;
}

/** A device that answers on a fabric until it is closed or its battery is spent. */
export class Worker {
  readonly #device: Device;
  #links: ShapedLinks;
  readonly #air: Air | undefined;
  readonly #onLeave: ((why: string) => void) | undefined;
  readonly #running = new Map<string, Running>();
  /** By request: its last epoch; Infinity when it has ended. The oldest are forgotten. */
  readonly #known = new Map<string, number>();
  readonly #requesters = new Set<string>();
  /** One stage at a time. */
  #turn: Promise<void> = Promise.resolve();
  #endpoint: Endpoint | undefined;
  #left = false;

  constructor(device: Device, options: WorkerOptions = {}) {
    this.#device = device;
    this.#links = new ShapedLinks(options.links);
    this.#air = options.air;
    this.#onLeave = options.onLeave;
  }

  async join(fabric: Fabric): Promise<void> {
    this.#endpoint = await fabric.join(this.#device.name, {
      message: (from, message) => this.receive(from, message),
      lost: () => {},
    });
  }

  /** From now on its links are emulated to be like this. */
  shape(links: LinkOptions): void {
    this.#links = new ShapedLinks(links);
  }

  /** What a message does. A duplicate, or one of an epoch that has passed, does nothing. */
  receive(from: string, message: Message): void {
    if (this.#left) return;
    this.#requesters.add(message.kind === 'part' ? message.requester : from);
    switch (message.kind) {
      case 'part':
        this.#guarded(message, () => this.#take(message));
        break;
      case 'end':
        this.#end(message.request);
        break;
      case 'warm':
        this.#device.warm(message.bundle, message.plan).then(
          () => this.#send(from, { kind: 'warmed', id: message.id }),
          (error: unknown) => this.#send(from, { kind: 'warmed', id: message.id, error: wordsOf(error) }),
        );
        break;
      case 'ask':
        this.#send(from, { kind: 'report', id: message.id, report: this.#device.report() });
        break;
      case 'measure':
        this.#measure(from, message.id, message.bundle);
        break;
      default:
    }
  }

  /** Requests that have not ended here. */
  get running(): number {
    return this.#running.size;
  }

  /** Tells who asked that it goes, and answers nothing more. */
  leave(why: string): void {
    if (this.#left) return;
    for (const requester of this.#requesters) this.#endpoint?.send(requester, { kind: 'leaving', why });
    this.#endpoint?.leave(why);
    this.#left = true;
  }

  async close(): Promise<void> {
    this.#left = true;
    for (const { expiry } of this.#running.values()) clearTimeout(expiry);
    this.#running.clear();
    await this.#turn;
    await this.#endpoint?.close();
    await this.#device.close();
  }

  /** In turn with stages, which would disturb it. */
  #measure(from: string, id: string, bundle: string): void {
    this.#turn = this.#turn.then(() =>
      this.#device.measure(bundle).then(
        () => this.#send(from, { kind: 'report', id, report: this.#device.report() }),
        (error: unknown) => this.#send(from, { kind: 'refused', id, error: wordsOf(error) }),
      ),
    );
  }

  /** Whatever goes wrong with a part, its requester is told. */
  #guarded({ requester, request, epoch }: Part, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#send(requester, { kind: 'failed', request, epoch, error: wordsOf(error) });
    }
  }

  #take(part: Part): void {
    const { stage, segment, plan } = part;
    const running = this.#runningOf(part);
    if (!running) return;
    const expected = stage < 0 ? 1 : must(plan.stages[stage], `stage ${stage}`).segments.length;
    const parts = running.parts.get(stage) ?? Array.from<FloatTensor | undefined>({ length: expected });
    running.parts.set(stage, parts);
    if (segment >= expected || parts[segment]) return;
    parts[segment] = part.tensor;
    const there = parts.filter((one) => one !== undefined);
    if (there.length < expected) return;
    plan.stages[stage + 1]?.segments.forEach(({ device }, own) => {
      if (device === this.#device.name) this.#queue(part, running, there, own);
    });
  }

  /** The request's state; undefined for a dead epoch or a request that has ended. */
  #runningOf({ request, epoch, remaining, bundle, plan, requester, tensor }: Part): Running | undefined {
    if (epoch < (this.#known.get(request) ?? 0)) return undefined;
    const running = this.#running.get(request);
    if (running?.epoch === epoch) return running;
    if (running) this.#forget(request, running);
    this.#remember(request, epoch);
    try {
      this.#device.check(bundle, plan, tensor.dims[0]);
    } catch (error) {
      this.#remember(request, epoch + 1);
      this.#send(requester, { kind: 'failed', request, epoch, error: wordsOf(error) });
      return undefined;
    }
    const fresh: Running = {
      epoch,
      parts: new Map(),
      left: plan.stages
        .flatMap(({ segments }) => segments)
        .filter(({ device }) => device === this.#device.name).length,
      // The requester tells when a request has ended; this is for requesters that are gone.
      expiry: setTimeout(() => this.#end(request), Math.max(0, remaining) + 1000),
    };
    fresh.expiry.unref();
    this.#running.set(request, fresh);
    return fresh;
  }

  #queue(part: Part, running: Running, inputs: readonly FloatTensor[], segment: number): void {
    const start = performance.now();
    this.#turn = this.#turn.then(async () => {
      const { request, epoch, requester } = part;
      if (this.#running.get(request) !== running) return;
      try {
        await this.#run(part, running, inputs, segment, start);
      } catch (error) {
        this.#send(requester, { kind: 'failed', request, epoch, error: wordsOf(error) });
      }
    });
  }

  async #run(
    part: Part,
    running: Running,
    inputs: readonly FloatTensor[],
    segment: number,
    start: number,
  ): Promise<void> {
    const { request, bundle, plan } = part;
    const stage = part.stage + 1;
    const joining = part.stage < 0 ? undefined : this.#device.stages(bundle).joining(part.stage);
    const input = joining ? joinParts(inputs, joining) : must(inputs[0], 'the input');
    const { output, last } = await this.#device.run(request, bundle, plan, stage, segment, input);
    if (this.#running.get(request) !== running) return;
    const remaining = part.remaining - (performance.now() - start);
    const next = plan.stages[last + 1]?.segments.map(({ device }) => device) ?? [part.requester];
    const result: Part = { ...part, stage: last, segment, remaining, tensor: output };
    for (const to of new Set(next)) {
      if (to !== this.#device.name) this.#send(to, result);
    }
    if (next.includes(this.#device.name)) this.#take(result);
    running.left -= last - stage + 1;
    // Nothing more to do here in this epoch: no need to be told that it ended.
    if (running.left === 0) {
      this.#remember(request, running.epoch + 1);
      this.#forget(request, running);
    }
    if (this.#device.spent) this.#leave(`the battery of '${this.#device.name}' is spent`);
  }

  #send(to: string, message: Message): void {
    const endpoint = this.#endpoint;
    if (!endpoint || this.#left) return;
    if (message.kind !== 'part') {
      endpoint.send(to, message);
      return;
    }
    // The requester stands beside the device that has the input: the result's way is the way to that device.
    const [source] = must(message.plan.stages[0], 'a stage').segments;
    const over = to === message.requester && source ? source.device : to;
    const bytes = over === this.#device.name ? 0 : message.tensor.data.byteLength;
    this.#device.sent(bytes);
    if (bytes > 0 && this.#air && this.#links.shared) {
      const { sending, latency } = this.#links.times(over, bytes);
      void Promise.resolve(this.#air(sending)).then((wait) =>
        setTimeout(() => endpoint.send(to, message), wait + latency),
      );
      return;
    }
    const delay = bytes === 0 ? 0 : this.#links.delay(over, bytes, performance.now());
    if (delay <= 0) endpoint.send(to, message);
    else setTimeout(() => endpoint.send(to, message), delay);
  }

  #end(request: string): void {
    this.#remember(request, Number.POSITIVE_INFINITY);
    const running = this.#running.get(request);
    if (running) this.#forget(request, running);
  }

  #forget(request: string, { expiry }: Running): void {
    clearTimeout(expiry);
    this.#running.delete(request);
    this.#device.end(request);
  }

  #remember(request: string, epoch: number): void {
    this.#known.delete(request);
    this.#known.set(request, epoch);
    if (this.#known.size <= REMEMBERED) return;
    for (const oldest of this.#known.keys()) {
      if (this.#running.has(oldest)) continue;
      this.#known.delete(oldest);
      break;
    }
  }

  #leave(why: string): void {
    this.leave(why);
    this.#onLeave?.(why);
  }
}
