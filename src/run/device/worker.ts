// A worker: a device on a fabric. Runs requests as dataflow: a segment starts when all its inputs are there, and what it
// gives goes straight to those who need it. What a request is, its requester alone says; what comes of it, the holders
// that this plan names.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError, firstNonFinite, must } from '../../util/index.ts';
import { serializeError } from '../protocol/error-codec.ts';
import type { Endpoint, Fabric } from '../protocol/fabric.ts';
import type { Assignment, InputMessage, NodeMessage, TensorMessage } from '../protocol/messages.ts';
import { type Query, type QueryReply, WORKING_MS } from '../protocol/queries.ts';
import type { Device } from './device.ts';
import { EarlyMessages } from './early-messages.ts';
import { EmulatedLinks, type LinkOptions, type SharedChannel } from './link-emulation.ts';
import { mergeSegments } from './merge-segments.ts';
import { type ActiveRequest, RequestRegistry } from './request-registry.ts';

/** What brings the bundles of a device that does not hold them from the start. */
export interface BundleSource {
  /**
   * Brings a bundle, with the weights of these stages; undefined when all of it is there.
   * @throws BedsideError E_FABRIC, as what is returned
   */
  load(bundle: string, stages: readonly number[]): Promise<void> | undefined;
  /** The device has timed its stages. */
  measured(bundle: string): void;
}

/** Options of a worker. */
export interface WorkerOptions {
  readonly links?: LinkOptions | undefined;
  /** The channel that shared links are on; without one they wait for nobody. */
  readonly sharedChannel?: SharedChannel | undefined;
  /** Called once when it has left by itself. */
  readonly onLeave?: ((why: string) => void) | undefined;
  readonly bundleSource?: BundleSource | undefined;
}

/** Questions of one requester that are worked on at a time. */
const MOST_ASKED = 8;

/** A device that answers on a fabric until it is closed or its battery is spent. */
export class Worker {
  readonly #device: Device;
  #links: EmulatedLinks;
  readonly #options: WorkerOptions;
  readonly #book: RequestRegistry;
  readonly #early = new EarlyMessages();
  /** Ids of questions that are worked on, by who asked. */
  readonly #asked = new Map<string, Set<string>>();
  /** One stage at a time. */
  #turn: Promise<void> = Promise.resolve();
  #endpoint: Endpoint | undefined;
  #left = false;

  constructor(device: Device, options: WorkerOptions = {}) {
    this.#device = device;
    this.#links = new EmulatedLinks(options.links);
    this.#options = options;
    this.#book = new RequestRegistry(device.name, device.options.memory, (running) =>
      device.end(holdOf(running)),
    );
  }

  async join(fabric: Fabric): Promise<void> {
    this.#endpoint = await fabric.join(this.#device.name, {
      message: (from, message) => this.receive(from, message),
      lost: () => {},
    });
  }

  /** From now on its links are emulated to be like this. */
  setLinks(links: LinkOptions): void {
    this.#links = new EmulatedLinks(links);
  }

  /** What a message does. A duplicate, or one of an epoch that has passed, does nothing. */
  receive(from: string, message: NodeMessage): void {
    if (this.#left) return;
    switch (message.kind) {
      case 'part':
        if ('plan' in message) this.#input(from, message);
        else this.#part(from, message);
        break;
      case 'plan':
        this.#open(from, message);
        break;
      case 'end':
        this.#book.end(from, message.request);
        break;
      case 'warm':
      case 'ask':
      case 'measure':
        this.#answer(from, message);
        break;
      default:
    }
  }

  /** Requests that have all they need, and have not ended here. */
  get running(): number {
    return this.#book.running;
  }

  /** Whether a request that has not ended here needs a bundle. */
  needs(bundle: string): boolean {
    return this.#book.all().some((running) => running.bundle === bundle);
  }

  /** Tells who asked that it goes, and answers nothing more. */
  leave(why: string): void {
    if (this.#left) return;
    for (const requester of this.#book.requesters) this.#endpoint?.send(requester, { kind: 'leaving', why });
    this.#endpoint?.leave(why);
    this.#left = true;
  }

  async close(): Promise<void> {
    this.#left = true;
    this.#device.stopMeasuring();
    this.#early.clear();
    this.#book.clear();
    await this.#turn;
    await this.#endpoint?.close();
    await this.#device.close();
  }

  /** The input comes from the requester, and says what its request is. */
  #input(from: string, input: InputMessage): void {
    const { requester, request, epoch, tensor } = input;
    const [source] = input.plan.stages[0]?.segments ?? [];
    if (input.stage >= 0 || source?.device !== this.#device.name) return;
    this.#open(from, input);
    const running = this.#book.find(requester, request, epoch);
    if (typeof running === 'object' && from === requester) this.#take(running, -1, 0, tensor);
  }

  /** A part counts from the holder that the request's plan names, and waits a moment for that plan. */
  #part(from: string, part: TensorMessage): void {
    const { requester, request, epoch, stage, segment, tensor } = part;
    const running = this.#book.find(requester, request, epoch);
    if (running === 'early') this.#early.add(from, part);
    if (typeof running !== 'object') return;
    if (running.plan.stages[stage]?.segments[segment]?.device !== from) return;
    this.#take(running, stage, segment, tensor);
  }

  /** What a request is: the first word of its requester under an epoch counts, and a later one is of a later epoch. */
  #open(from: string, told: Assignment): void {
    const { requester, request, epoch, bundle, plan } = told;
    const own = plan.stages.filter(({ segments }) =>
      segments.some(({ device }) => device === this.#device.name),
    );
    if (from !== requester || own.length === 0) return;
    if (this.#book.find(requester, request, epoch) !== 'early') return;
    const fail = (error: unknown): void => this.#fail({ requester, request, epoch }, error);
    let running: ActiveRequest;
    let supplied: Promise<void> | undefined;
    try {
      running = this.#book.open(told);
      supplied = this.#options.bundleSource?.load(
        bundle,
        own.map(({ index }) => index),
      );
    } catch (error) {
      fail(error);
      return;
    }
    if (supplied !== undefined) supplied.then(() => this.#begin(running), fail);
    else this.#begin(running);
    for (const { from: holder, part } of this.#early.take(requester, request, epoch))
      this.#part(holder, part);
  }

  /** All that the stages of a request need is here. */
  #begin(running: ActiveRequest): void {
    if (this.#left || !this.#isCurrent(running)) return;
    this.#guarded(running, () => {
      this.#device.check(running.bundle, running.plan, running.samples);
      running.ready = true;
      for (const stage of [...running.arrived.keys()]) this.#start(running, stage);
    });
  }

  /** A part from where it may come from. */
  #take(running: ActiveRequest, stage: number, segment: number, tensor: FloatTensor): void {
    this.#guarded(running, () => {
      assertFinitePart(running, stage, segment, tensor);
      this.#book.addTensor(running, stage, segment, tensor);
      if (running.ready) this.#start(running, stage);
    });
  }

  /** Whatever goes wrong with a request, it ends here, and its requester is told. */
  #guarded(running: ActiveRequest, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(running, error);
    }
  }

  #fail(
    { requester, request, epoch }: Pick<ActiveRequest, 'requester' | 'request' | 'epoch'>,
    error: unknown,
  ): void {
    const running = this.#book.find(requester, request, epoch);
    if (typeof running === 'object') this.#book.close(running);
    this.#send(requester, { kind: 'failed', request, epoch, error: serializeError(error) });
  }

  /** Runs the own segments behind a stage once all its parts are there. */
  #start(running: ActiveRequest, stage: number): void {
    const inputs = this.#book.takeComplete(running, stage);
    if (!inputs) return;
    const bytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    const own = running.plan.stages[stage + 1]?.segments.flatMap(({ device }, segment) =>
      device === this.#device.name ? [segment] : [],
    );
    this.#turn = this.#turn.then(async () => {
      try {
        for (const segment of own ?? []) await this.#run(running, stage, inputs, segment);
      } catch (error) {
        this.#fail(running, error);
      }
      if (this.#isCurrent(running)) this.#book.release(running, bytes);
      // It ended meanwhile: sessions that it took since are held for nobody.
      else this.#device.end(holdOf(running));
    });
  }

  async #run(
    running: ActiveRequest,
    before: number,
    inputs: readonly FloatTensor[],
    segment: number,
  ): Promise<void> {
    const { request, requester, epoch, bundle, plan } = running;
    if (this.#left || !this.#isCurrent(running)) return;
    const stage = before + 1;
    const joining = before < 0 ? undefined : this.#device.stages(bundle).mergeRule(before);
    const input = joining ? mergeSegments(inputs, joining) : must(inputs[0], 'the input');
    const hold = holdOf(running);
    const { output, last } = await this.#device.run(hold, bundle, plan, stage, segment, input);
    if (this.#left || !this.#isCurrent(running)) return;
    const next = plan.stages[last + 1]?.segments.map(({ device }) => device) ?? [requester];
    const result: TensorMessage = {
      ...{ kind: 'part', request, epoch, requester, stage: last, segment },
      remaining: Math.max(0, running.end - performance.now()),
      tensor: output,
    };
    for (const to of new Set(next)) if (to !== this.#device.name) this.#send(to, result, plan);
    if (next.includes(this.#device.name)) this.#take(running, last, segment, output);
    running.left -= last - stage + 1;
    // Nothing more to do here in this epoch: no need to be told that it ended.
    if (running.left === 0) this.#book.close(running);
    if (this.#device.spent) this.#leave(`the battery of '${this.#device.name}' is spent`);
  }

  #isCurrent(running: ActiveRequest): boolean {
    return this.#book.find(running.requester, running.request, running.epoch) === running;
  }

  /** What is asked takes a while: whoever asked hears that it is being done. */
  #answer(from: string, question: Query): void {
    const { id, kind } = question;
    if (kind === 'ask') {
      this.#send(from, { kind: 'report', id, report: this.#device.report() });
      return;
    }
    const asked = this.#asked.get(from) ?? new Set();
    // Asked again: it is being done.
    if (asked.has(id)) return;
    const refused = (error: unknown): QueryReply =>
      kind === 'warm'
        ? { kind: 'warmed', id, error: serializeError(error) }
        : { kind: 'refused', id, error: serializeError(error) };
    try {
      this.#book.addRequester(from);
      if (asked.size >= MOST_ASKED) throw this.#busy();
    } catch (error) {
      this.#send(from, refused(error));
      return;
    }
    this.#asked.set(from, asked.add(id));
    const working = (): void => this.#send(from, { kind: 'working', id });
    working();
    const timer = setInterval(working, WORKING_MS);
    timer.unref();
    const done = kind === 'warm' ? this.#warm(question) : this.#measure(question);
    void done.catch(refused).then((answer) => {
      clearInterval(timer);
      asked.delete(id);
      if (asked.size === 0) this.#asked.delete(from);
      this.#send(from, answer);
    });
  }

  #busy(): BedsideError {
    return new BedsideError('E_DEVICE', `device '${this.#device.name}' is asked too much at a time`, {
      hint: 'wait for its answers',
    });
  }

  async #warm({ id, bundle, plan }: Extract<Query, { kind: 'warm' }>): Promise<QueryReply> {
    const own = plan.stages.filter(({ segments }) =>
      segments.some(({ device }) => device === this.#device.name),
    );
    await this.#options.bundleSource?.load(
      bundle,
      own.map(({ index }) => index),
    );
    await this.#device.warm(bundle, plan);
    return { kind: 'warmed', id };
  }

  /** In turn with stages, which would disturb it. */
  async #measure({ id, bundle }: Extract<Query, { kind: 'measure' }>): Promise<QueryReply> {
    await this.#options.bundleSource?.load(bundle, []);
    const measured = this.#turn.then(() => this.#device.measure(bundle));
    this.#turn = measured.catch(() => {});
    await measured;
    this.#options.bundleSource?.measured(bundle);
    return { kind: 'report', id, report: this.#device.report() };
  }

  /** @param plan of a part: whose way it goes */
  #send(to: string, message: NodeMessage, plan?: ActiveRequest['plan']): void {
    const endpoint = this.#endpoint;
    if (!endpoint || this.#left) return;
    if (message.kind !== 'part') {
      endpoint.send(to, message);
      return;
    }
    // The requester stands beside the device that has the input: the result's way is the way to that device.
    const [source] = plan?.stages[0]?.segments ?? [];
    const over = to === message.requester && source ? source.device : to;
    const bytes = over === this.#device.name ? 0 : message.tensor.data.byteLength;
    this.#device.sent(bytes);
    const { sharedChannel } = this.#options;
    if (bytes > 0 && sharedChannel && this.#links.shared) {
      const { sending, latency } = this.#links.times(over, bytes);
      void Promise.resolve(sharedChannel(sending)).then((wait) =>
        setTimeout(() => endpoint.send(to, message), wait + latency),
      );
      return;
    }
    const delay = bytes === 0 ? 0 : this.#links.delay(over, bytes, performance.now());
    if (delay <= 0) endpoint.send(to, message);
    else setTimeout(() => endpoint.send(to, message), delay);
  }

  #leave(why: string): void {
    this.leave(why);
    this.#options.onLeave?.(why);
  }
}

/** Who holds sessions for a request. */
function holdOf({
  requester,
  request,
  epoch,
}: Pick<ActiveRequest, 'requester' | 'request' | 'epoch'>): string {
  return `${requester} ${request} ${epoch}`;
}

/** What is not finite is told at the stage that gave it: a ReLU behind it may make numbers of it again. */
function assertFinitePart(
  { plan }: ActiveRequest,
  stage: number,
  segment: number,
  { data }: FloatTensor,
): void {
  if (firstNonFinite(data) < 0) return;
  const { device } = plan.stages[stage]?.segments[segment] ?? { device: 'the requester' };
  throw new BedsideError('E_NOT_FINITE', `what stage ${stage} gave on '${device}' is not finite`, {
    hint: 'the network overflows float32 there, or the memory of that device is damaged; plan without it',
  });
}
