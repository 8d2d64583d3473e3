// A worker: a device on a fabric. It runs requests as dataflow: a segment starts when all its inputs are there, and its
// output goes straight to the devices that need it. A worker accepts a request only from its requester, and tensors of
// it only from the devices that the plan names.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { serializeError } from '../protocol/error-codec.ts';
import type { Endpoint, Fabric } from '../protocol/fabric.ts';
import type { Assignment, InputMessage, NodeMessage, TensorMessage } from '../protocol/messages.ts';
import { firstDeviceOf, isRounded, readersOf, sourceOf, stagesOn } from '../protocol/plan.ts';
import { type Query, type QueryReply, WORKING_MS } from '../protocol/queries.ts';
import { type Arrived, floatsOf, roundTensor } from '../protocol/rounded-tensor.ts';
import type { Device } from './device.ts';
import { EarlyMessages } from './early-messages.ts';
import { assertFiniteOutput } from './finite-output.ts';
import { EmulatedLinks, type LinkOptions, type SharedChannel } from './link-emulation.ts';
import { mergeArrived } from './merge-segments.ts';
import { assertPartShapes } from './part-shape.ts';
import { type ActiveRequest, RequestRegistry } from './request-registry.ts';
import { spanOf, traceArrival, traceStage } from './worker-spans.ts';

/** Loads bundles onto a device that does not have them from the start. */
export interface BundleSource {
  /**
   * Loads a bundle with the weights of these stages; returns undefined if all of it is already there.
   * @throws BedsideError E_FABRIC, at once or as a rejection
   */
  load(bundle: string, stages: readonly number[]): Promise<void> | undefined;
  /** Called when the device has timed the bundle's stages. */
  measured(bundle: string): void;
  /** Grows while a bundle is being loaded. */
  readonly progress: number;
}

/** Options of a worker. */
export interface WorkerOptions {
  readonly links?: LinkOptions | undefined;
  /** The channel that shared links are on; without it they do not wait for other devices. */
  readonly sharedChannel?: SharedChannel | undefined;
  /** Called once when the worker has left by itself. */
  readonly onLeave?: ((why: string) => void) | undefined;
  readonly bundleSource?: BundleSource | undefined;
}

/** Queries of one requester that are worked on at a time. */
const MAX_QUERIES = 8;

/** A device that serves requests on a fabric until it is closed or its battery is empty. */
export class Worker {
  readonly #device: Device;
  #links: EmulatedLinks;
  readonly #options: WorkerOptions;
  readonly #requests: RequestRegistry;
  readonly #early = new EarlyMessages();
  /** Ids of queries that are worked on, by requester. */
  readonly #queries = new Map<string, Set<string>>();
  /** The queue of stages and measurements: one at a time. */
  #turn: Promise<void> = Promise.resolve();
  #endpoint: Endpoint | undefined;
  #left = false;

  constructor(device: Device, options: WorkerOptions = {}) {
    this.#device = device;
    this.#links = new EmulatedLinks(options.links);
    this.#options = options;
    this.#requests = new RequestRegistry(device.name, device.options.memory, (running) =>
      device.end(holdOf(running)),
    );
  }

  /** Joins a fabric under the name of the device. @throws BedsideError E_FABRIC, as `Fabric.join` */
  async join(fabric: Fabric): Promise<void> {
    this.#endpoint = await fabric.join(this.#device.name, {
      message: (from, message) => this.receive(from, message),
      lost: () => {},
    });
  }

  /** Emulates links like these from now on. */
  setLinks(links: LinkOptions): void {
    this.#links = new EmulatedLinks(links);
  }

  /** Handles a message. Duplicates and messages of earlier epochs are ignored. */
  receive(from: string, message: NodeMessage): void {
    if (this.#left) return;
    switch (message.kind) {
      case 'part':
        if ('plan' in message) this.#receiveInput(from, message);
        else this.#receiveTensor(from, message);
        break;
      case 'plan':
        this.#open(from, message);
        break;
      case 'end':
        this.#requests.end(from, message.request);
        break;
      case 'warm':
      case 'ask':
      case 'measure':
        this.#answer(from, message);
        break;
      default:
    }
  }

  /** Number of requests that run here and have their bundle. */
  get running(): number {
    return this.#requests.running;
  }

  /** Whether a running request needs a bundle. */
  needs(bundle: string): boolean {
    return this.#requests.all().some((running) => running.bundle === bundle);
  }

  /** Tells all requesters that this worker goes, and ignores all further messages. */
  leave(why: string): void {
    if (this.#left) return;
    for (const requester of this.#requests.requesters)
      this.#endpoint?.send(requester, { kind: 'leaving', why });
    this.#endpoint?.leave(why);
    this.#left = true;
  }

  /** Ends all requests after the current stage, leaves the fabric and closes the device. */
  async close(): Promise<void> {
    this.#left = true;
    this.#device.stopMeasuring();
    this.#early.clear();
    this.#requests.clear();
    await this.#turn;
    await this.#endpoint?.close();
    await this.#device.close();
  }

  /** The input comes from the requester, together with the request. */
  #receiveInput(from: string, input: InputMessage): void {
    const { requester, request, epoch, tensor } = input;
    if (input.stage >= 0 || firstDeviceOf(input.plan) !== this.#device.name) return;
    this.#open(from, input);
    const running = this.#requests.find(requester, request, epoch);
    if (typeof running !== 'object' || from !== requester) return;
    traceArrival(running, input, { from, to: this.#device.name });
    this.#addTensor(running, -1, 0, floatsOf(tensor));
  }

  /**
   * Takes a tensor from the device that the plan names. If the plan is not known so far, the tensor waits for a moment.
   */
  #receiveTensor(from: string, message: TensorMessage): void {
    const { requester, request, epoch, stage, segment, tensor } = message;
    const running = this.#requests.find(requester, request, epoch);
    if (running === 'early') this.#early.add(from, message);
    if (typeof running !== 'object') return;
    if (running.plan.stages[stage]?.segments[segment]?.device !== from) return;
    running.spans?.add(message.spans);
    traceArrival(running, message, { from, to: this.#device.name });
    this.#addTensor(running, stage, segment, tensor);
  }

  /** Opens a request. Only the first assignment of an epoch counts. */
  #open(from: string, assignment: Assignment): void {
    const { requester, request, epoch, bundle, plan } = assignment;
    const own = stagesOn(plan, this.#device.name);
    if (from !== requester || own.length === 0) return;
    if (this.#requests.find(requester, request, epoch) !== 'early') return;
    const fail = (error: unknown): void => this.#fail({ requester, request, epoch }, error);
    let running: ActiveRequest;
    let loading: Promise<void> | undefined;
    try {
      running = this.#requests.open(assignment);
      loading = this.#options.bundleSource?.load(bundle, own);
    } catch (error) {
      fail(error);
      return;
    }
    if (loading !== undefined) loading.then(() => this.#begin(running), fail);
    else this.#begin(running);
    for (const { from: holder, part } of this.#early.take(requester, request, epoch))
      this.#receiveTensor(holder, part);
  }

  /** Starts a request whose bundle is here. */
  #begin(running: ActiveRequest): void {
    if (this.#left || !this.#isCurrent(running)) return;
    this.#guarded(running, () => {
      this.#device.check(running.bundle, running.plan, running.samples);
      running.ready = true;
      for (const stage of [...running.arrived.keys()]) this.#start(running, stage);
    });
  }

  /** Adds a tensor of a running request, and starts the stage behind it if nothing is missing. */
  #addTensor(running: ActiveRequest, stage: number, segment: number, tensor: Arrived): void {
    this.#guarded(running, () => {
      if (tensor.type === 'float32') assertFiniteOutput(running, stage, segment, tensor);
      this.#requests.addTensor(running, stage, segment, tensor);
      if (running.ready) this.#start(running, stage);
    });
  }

  /** Runs `work`. If it throws, the request ends here and its requester gets the error. */
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
    const running = this.#requests.find(requester, request, epoch);
    if (typeof running === 'object') this.#requests.close(running);
    this.#send(requester, { kind: 'failed', request, epoch, error: serializeError(error) });
  }

  /** Runs this device's segments of the next stage once all outputs of a stage are there. */
  #start(running: ActiveRequest, stage: number): void {
    const inputs = this.#requests.takeComplete(running, stage);
    if (!inputs) return;
    const { bundle, plan, samples } = running;
    assertPartShapes(this.#device.stages(bundle), { plan, stage, samples, parts: inputs });
    const bytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    const own = running.plan.stages[stage + 1]?.segments.flatMap(({ device }, segment) =>
      device === this.#device.name ? [segment] : [],
    );
    const arrived = performance.now();
    this.#turn = this.#turn.then(async () => {
      try {
        for (const segment of own ?? [])
          await this.#run(running, stage, { tensors: inputs, arrived }, segment);
      } catch (error) {
        this.#fail(running, error);
      }
      if (this.#isCurrent(running)) this.#requests.release(running, bytes);
      // The request has ended meanwhile: nobody else releases the sessions that it has acquired since.
      else this.#device.end(holdOf(running));
    });
  }

  async #run(
    running: ActiveRequest,
    before: number,
    { tensors: inputs, arrived }: { readonly tensors: readonly Arrived[]; readonly arrived: number },
    segment: number,
  ): Promise<void> {
    const { request, requester, epoch, bundle, plan, spans } = running;
    if (this.#left || !this.#isCurrent(running)) return;
    const stage = before + 1;
    const rule = before < 0 ? undefined : this.#device.stages(bundle).mergeRule(before);
    const input = rule ? mergeArrived(inputs, rule) : must(inputs[0], 'the input');
    const hold = holdOf(running);
    const started = performance.now();
    const { output, last } = await this.#device.run(hold, { bundle, plan, stage, segment }, input);
    if (this.#left || !this.#isCurrent(running)) return;
    const ended = performance.now();
    const own = { stage, last, segment, arrived, started, ended };
    const readers = readersOf(plan, last) ?? [requester];
    const tensor = this.#onTheWire(running, last, segment, output);
    const others = readers.filter((device) => device !== this.#device.name);
    const bytes = others.length * tensor.data.byteLength;
    spans?.add([spanOf(running, { ...own, bytes })]);
    const result: TensorMessage = {
      kind: 'part',
      request,
      epoch,
      requester,
      stage: last,
      segment,
      remaining: Math.max(0, running.end - ended),
      tensor,
      spans: spans?.all,
      sent: traceStage(running, own, this.#device.name),
    };
    for (const to of others) this.#send(to, result, plan);
    // All holders of a tensor have the same numbers.
    if (others.length < readers.length) this.#addTensor(running, last, segment, tensor);
    running.left -= last - stage + 1;
    // This device has done its part in this epoch, so the request ends here without an `end` message.
    if (running.left === 0) this.#requests.close(running);
    if (this.#device.spent) this.#leave(`the battery of '${this.#device.name}' is spent`);
  }

  /** An output as it travels: rounded where the plan says so and it crosses to another device. */
  #onTheWire(running: ActiveRequest, stage: number, segment: number, output: FloatTensor) {
    const { bundle, plan } = running;
    if (!isRounded(plan, stage, this.#device.name)) return output;
    // Integers cannot say that a number was none.
    assertFiniteOutput(running, stage, segment, output);
    return roundTensor(output, this.#device.stages(bundle).inputScale(stage + 1, plan.levels));
  }

  #isCurrent(running: ActiveRequest): boolean {
    return this.#requests.find(running.requester, running.request, running.epoch) === running;
  }

  /** Answers a query. While it takes a while, the requester is told that the device works on it. */
  #answer(from: string, query: Query): void {
    const { id, kind } = query;
    if (kind === 'ask') {
      this.#send(from, { kind: 'report', id, report: this.#device.report() });
      return;
    }
    const open = this.#queries.get(from) ?? new Set();
    // Sent again, while the device works on it.
    if (open.has(id)) return;
    const refused = (error: unknown): QueryReply =>
      kind === 'warm'
        ? { kind: 'warmed', id, error: serializeError(error) }
        : { kind: 'refused', id, error: serializeError(error) };
    try {
      this.#requests.addRequester(from);
      if (open.size >= MAX_QUERIES) throw this.#busy();
    } catch (error) {
      this.#send(from, refused(error));
      return;
    }
    this.#queries.set(from, open.add(id));
    const working = (): void => {
      const progress = this.#device.progress + (this.#options.bundleSource?.progress ?? 0);
      this.#send(from, { kind: 'working', id, progress });
    };
    working();
    const timer = setInterval(working, WORKING_MS);
    timer.unref();
    const done = kind === 'warm' ? this.#warm(query) : this.#measure(query);
    void done.catch(refused).then((answer) => {
      clearInterval(timer);
      open.delete(id);
      if (open.size === 0) this.#queries.delete(from);
      this.#send(from, answer);
    });
  }

  #busy(): BedsideError {
    return new BedsideError('E_DEVICE', `device '${this.#device.name}' gets too many queries at a time`, {
      hint: 'wait for its replies',
    });
  }

  async #warm({ id, bundle, plan }: Extract<Query, { kind: 'warm' }>): Promise<QueryReply> {
    await this.#options.bundleSource?.load(bundle, stagesOn(plan, this.#device.name));
    await this.#device.warm(bundle, plan);
    return { kind: 'warmed', id };
  }

  /** Measures in turn with stages, which would disturb the times. */
  async #measure({ id, bundle }: Extract<Query, { kind: 'measure' }>): Promise<QueryReply> {
    await this.#options.bundleSource?.load(bundle, []);
    const measured = this.#turn.then(() => this.#device.measure(bundle));
    this.#turn = measured.catch(() => {});
    await measured;
    this.#options.bundleSource?.measured(bundle);
    return { kind: 'report', id, report: this.#device.report() };
  }

  /** @param plan of a tensor message, which gives the emulated link */
  #send(to: string, message: NodeMessage, plan?: ActiveRequest['plan']): void {
    const endpoint = this.#endpoint;
    if (!endpoint || this.#left) return;
    if (message.kind !== 'part') {
      endpoint.send(to, message);
      return;
    }
    // The requester sits beside the source, so a result travels over the link to the source.
    const over = to === message.requester ? ((plan && sourceOf(plan)) ?? to) : to;
    this.carry(over, message.tensor.data.byteLength, () => endpoint.send(to, message));
  }

  /** Spends the joules of bytes that this device sends, and calls `send` when the last would arrive on its emulated link. */
  carry(to: string, length: number, send: () => void): void {
    const bytes = to === this.#device.name ? 0 : length;
    this.#device.sent(bytes);
    if (bytes === 0 || this.#links.areNone) send();
    else this.#links.carry(to, bytes, send, this.#options.sharedChannel);
  }

  #leave(why: string): void {
    this.leave(why);
    this.#options.onLeave?.(why);
  }
}

/** The holder of a request's sessions. */
function holdOf({
  requester,
  request,
  epoch,
}: Pick<ActiveRequest, 'requester' | 'request' | 'epoch'>): string {
  return `${requester} ${request} ${epoch}`;
}
