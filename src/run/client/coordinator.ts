// The coordinator: starts plans, notices lost devices, replans, and ends every request exactly once.
import type { Span } from '@opentelemetry/api';
import type { BundleManifest } from '../../bundle/index.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { assertFiniteRows, assertFiniteSamples } from '../../util/internal.ts';
import type { DeviceReport } from '../device/device.ts';
import { mergeSegments } from '../device/merge-segments.ts';
import { deserializeError, displayText } from '../protocol/error-codec.ts';
import type { Endpoint, Fabric } from '../protocol/fabric.ts';
import type { NodeMessage, TensorMessage } from '../protocol/messages.ts';
import { devicesOf, firstDeviceOf, type RunPlan, sourceOf } from '../protocol/plan.ts';
import {
  newId,
  PendingQueries,
  type Query,
  type QueryReply,
  type QueryTimeouts,
} from '../protocol/queries.ts';
import { floatsOf } from '../protocol/rounded-tensor.ts';
import { Spans } from '../protocol/spans.ts';
import { beginSpan, recordTransfer, spanned, traceparentOf } from '../protocol/tracing.ts';
import { inputBytesOnTheWire } from '../protocol/wire.ts';
import {
  DEFAULT_DEADLINE,
  type InferenceClient,
  type InferenceOptions,
  type InferenceResult,
  timeoutOf,
} from './inference.ts';
import { assignmentOf, inputMessage } from './input-message.ts';
import { cancelledError, deadlineError, lostError } from './request-errors.ts';
import { assertResult, validatedReport } from './result-validation.ts';

interface PendingRequest {
  readonly id: string;
  readonly input: FloatTensor;
  readonly options: InferenceOptions;
  readonly start: number;
  readonly end: number;
  epoch: number;
  plan: RunPlan;
  /** Devices of this plan and of earlier plans of the request. */
  readonly informed: Set<string>;
  /** Outputs of the last stage, by segment. */
  parts: (FloatTensor | undefined)[];
  /** When devices worked on this epoch. */
  spans: Spans | undefined;
  /** The run of this epoch, of a request that is traced. */
  span: Span | undefined;
  timer: NodeJS.Timeout | undefined;
  readonly resolve: (answer: InferenceResult) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: () => void;
}

/**
 * Runs plans for one bundle on the workers of a fabric. It trusts its own plans only: results, failures and replies
 * count if they come from the device that was asked, and plans inside received messages are ignored.
 */
export class Coordinator implements InferenceClient {
  readonly name: string;
  readonly #bundle: { readonly sha256: string; readonly manifest: BundleManifest };
  readonly #pending = new Map<string, PendingRequest>();
  readonly #queries: PendingQueries;
  /** Devices of its plans, and those that it queried. */
  readonly #watched = new Set<string>();
  readonly #lost = new Map<string, string>();
  #endpoint: Endpoint | undefined;
  #inputBytes = 0;

  /** @param timeouts for devices that do not reply to queries */
  constructor(
    name: string,
    bundle: { readonly sha256: string; readonly manifest: BundleManifest },
    timeouts?: QueryTimeouts,
  ) {
    this.name = name;
    this.#bundle = bundle;
    this.#queries = new PendingQueries((device, why) => this.#lose(device, why), timeouts);
  }

  /** @throws BedsideError E_FABRIC, as `Fabric.join` */
  async join(fabric: Fabric): Promise<void> {
    this.#endpoint = await fabric.join(this.name, {
      message: (from, message) => this.receive(from, message),
      lost: (peer, why) => this.#lose(peer, why),
      found: (peer) => void this.#lost.delete(peer),
      restored: (peers) => this.#restore(peers),
    });
  }

  /** Devices that are lost, and why. A device that comes back is removed, and new requests may use it. */
  get lost(): ReadonlyMap<string, string> {
    return this.#lost;
  }

  /** Bytes of inputs that left their source, and that no device counts. */
  get inputBytes(): number {
    return this.#inputBytes;
  }

  /** Requests that have not ended. */
  get running(): number {
    return this.#pending.size;
  }

  /**
   * Prepares a plan on all its devices (bundles, sessions) and watches them.
   * @throws BedsideError E_DEVICE from a device on which the plan does not fit; E_LOST
   */
  async warm(plan: RunPlan): Promise<void> {
    for (const error of (await this.prepare(plan)).values()) throw error;
  }

  /** As `warm`, but returns the errors of all devices that are not ready, by name. */
  async prepare(plan: RunPlan): Promise<ReadonlyMap<string, BedsideError>> {
    const { sha256: bundle } = this.#bundle;
    const unready = new Map<string, BedsideError>();
    await Promise.all(
      devicesOf(plan).map(async (device) => {
        try {
          const answer = await this.#ask(device, { kind: 'warm', id: newId(), bundle, plan });
          if (answer.kind === 'warmed' && answer.error) unready.set(device, deserializeError(answer.error));
        } catch (error) {
          unready.set(device, BedsideError.is(error) ? error : lostError(device, 'it cannot be asked'));
        }
      }),
    );
    return unready;
  }

  /**
   * Asks a device for its report.
   * @throws BedsideError E_LOST if it is gone or does not reply; E_DEVICE for an invalid report
   */
  async report(device: string): Promise<DeviceReport> {
    return this.#queryReport(device, { kind: 'ask', id: newId() });
  }

  /**
   * Asks a device to time every stage at each level, and then for its report.
   * @throws BedsideError as `report`, and the reason why the device refuses
   */
  async measure(device: string): Promise<DeviceReport> {
    return this.#queryReport(device, { kind: 'measure', id: newId(), bundle: this.#bundle.sha256 });
  }

  async #queryReport(device: string, query: Query): Promise<DeviceReport> {
    const answer = await this.#ask(device, query);
    if (answer.kind === 'report') return validatedReport(device, this.#bundle.manifest, answer.report);
    if (answer.kind === 'refused') throw deserializeError(answer.error);
    throw new BedsideError('E_INTERNAL', `internal: '${device}' answered ${answer.kind}`);
  }

  /**
   * Runs a plan on one input. It ends exactly once: with a result, or with a coded error before the deadline has
   * passed.
   * @param input one sample or a batch, `[batch, …]`; it is sent only to the first device of the plan
   * @throws BedsideError E_DATA for an input that is not finite; E_DEADLINE; E_LOST; E_CANCELLED; E_NOT_FINITE for
   * scores that are not finite; the error of a device
   */
  async infer(input: FloatTensor, plan: RunPlan, options: InferenceOptions = {}): Promise<InferenceResult> {
    assertFiniteSamples({ name: 'a request', size: input.dims[0] ?? 1, samples: input.data });
    if (options.signal?.aborted) throw cancelledError();
    const id = newId();
    const start = performance.now();
    const { deadline = DEFAULT_DEADLINE } = options;
    return new Promise<InferenceResult>((resolve, reject) => {
      const pending: PendingRequest = {
        id,
        input,
        options,
        start,
        end: start + 1000 * deadline,
        plan,
        timer: undefined,
        resolve,
        reject,
        cancel: () => this.#fail(pending, cancelledError()),
        epoch: 0,
        informed: new Set(),
        parts: [],
        spans: undefined,
        span: undefined,
      };
      this.#pending.set(id, pending);
      options.signal?.addEventListener('abort', pending.cancel, { once: true });
      const gone = devicesOf(plan).find((device) => this.#lost.has(device));
      if (gone === undefined) this.#start(pending);
      else this.#replan(pending, gone);
      // Made while devices work: nobody waits for it then. A request that has ended gets none.
      if (!this.#pending.has(id)) return;
      pending.timer = setTimeout(() => this.#miss(id, deadline), timeoutOf(deadline));
    });
  }

  /**
   * Handles a message. Duplicates, messages of earlier epochs and those from devices that were not asked are ignored.
   */
  receive(from: string, message: NodeMessage): void {
    switch (message.kind) {
      case 'part':
        this.#take(from, message);
        break;
      case 'failed': {
        const pending = this.#pending.get(message.request);
        if (pending?.epoch !== message.epoch || !devicesOf(pending.plan).includes(from)) break;
        this.#fail(pending, deserializeError(message.error));
        break;
      }
      case 'leaving':
        if (this.#watched.has(from)) this.#lose(from, message.why);
        break;
      default:
        this.#queries.receive(from, message);
    }
  }

  /** Ends running requests with E_LOST, and leaves the fabric. */
  async close(): Promise<void> {
    for (const pending of [...this.#pending.values()]) {
      this.#fail(pending, new BedsideError('E_LOST', `the requester '${this.name}' was closed`));
    }
    this.#queries.lose(new BedsideError('E_LOST', `the requester '${this.name}' was closed`));
    await this.#endpoint?.close();
  }

  #start(pending: PendingRequest): void {
    const { epoch, plan, options } = pending;
    const first = must(firstDeviceOf(plan), 'a first device');
    pending.span?.end();
    pending.span = options.traceparent
      ? beginSpan(options.traceparent, 'run', {
          ...{ 'bedside.devices': devicesOf(plan).join(), 'bedside.levels': plan.levels.join() },
          'bedside.epoch': epoch,
        })
      : undefined;
    const traceparent = pending.span && traceparentOf(pending.span);
    const { sha256: bundle } = this.#bundle;
    const message = inputMessage(pending, { requester: this.name, bundle, traceparent });
    if (options.timed) pending.spans = new Spans(plan, (performance.now() - pending.start) / 1000);
    pending.parts = must(plan.stages.at(-1), 'a stage').segments.map(() => undefined);
    for (const device of devicesOf(plan)) {
      pending.informed.add(device);
      this.#watch(device);
      // The other devices accept tensors from their predecessors only for requests that they know from here.
      if (device !== first) this.#endpoint?.send(device, { kind: 'plan', ...assignmentOf(message) });
    }
    this.#endpoint?.send(first, message);
    // Counted while devices work.
    const leaves = first !== sourceOf(plan) && !this.#endpoint?.countsInputs;
    if (leaves) this.#inputBytes += inputBytesOnTheWire(message.tensor);
  }

  #watch(device: string): void {
    this.#watched.add(device);
    this.#endpoint?.watch(device);
  }

  #take(from: string, { request, epoch, stage, segment, tensor: given, spans, sent }: TensorMessage): void {
    const pending = this.#pending.get(request);
    if (pending?.epoch !== epoch || stage !== pending.plan.stages.length - 1) return;
    if (must(pending.plan.stages[stage], 'a stage').segments[segment]?.device !== from) return;
    if (pending.parts[segment]) return;
    const { start, plan, end, id, options, input } = pending;
    const { manifest } = this.#bundle;
    const traceparent = pending.span && traceparentOf(pending.span);
    recordTransfer(traceparent, sent, { from, to: this.name, bytes: given.data.byteLength });
    const tensor = floatsOf(given);
    try {
      assertResult(manifest, plan, segment, input.dims[0] ?? 1, tensor);
    } catch (error) {
      this.#fail(pending, error as BedsideError);
      return;
    }
    pending.parts[segment] = tensor;
    pending.spans?.add(spans);
    const parts = pending.parts.filter((part) => part !== undefined);
    if (parts.length < pending.parts.length) return;
    // Timers may be late by a millisecond and more.
    if (performance.now() > end) {
      this.#miss(id, options.deadline ?? DEFAULT_DEADLINE);
      return;
    }
    const { split } = must(manifest.stages[stage], 'a stage');
    try {
      const logits = mergeSegments(
        parts,
        split === 'partial-sums' ? { kind: 'sum' } : { kind: 'concat', axis: 1 },
      );
      const rows = logits.dims[0] ?? 1;
      // Each part is finite, but their sum may be none.
      if (parts.length > 1) {
        assertFiniteRows(logits.data, rows, logits.data.length / rows, (row) => {
          return `the scores of sample ${row} of a request to ${devicesOf(plan).join(', ')}`;
        });
      }
      // A device that has run all its segments of a plan has already ended the request by itself.
      this.#finish(pending, devicesOf(plan));
      const timeline = pending.spans?.timeline();
      const seconds = (performance.now() - start) / 1000;
      const answer = { logits, seconds, plan, replanned: epoch };
      pending.resolve(timeline ? { ...answer, timeline } : answer);
    } catch (error) {
      this.#fail(pending, error as BedsideError);
    }
  }

  #lose(peer: string, reason: string): void {
    if (this.#lost.has(peer)) return;
    const why = displayText(reason);
    this.#lost.set(peer, why);
    this.#queries.lose(lostError(peer, why), peer);
    for (const pending of [...this.#pending.values()]) {
      if (devicesOf(pending.plan).includes(peer)) this.#replan(pending, peer);
    }
  }

  /** Messages to or from these peers may be lost: queries and requests are sent again, the latter under a new epoch. */
  #restore(peers: ReadonlySet<string>): void {
    // What a device did not answer, it may not have heard; or it is a new one with the old one's name.
    for (const peer of peers) this.#lost.delete(peer);
    for (const [to, query] of this.#queries.to(peers)) this.#endpoint?.send(to, query);
    for (const pending of this.#pending.values()) {
      const planned = devicesOf(pending.plan);
      // A request that waits for a new plan starts when it has one.
      if (planned.some((device) => this.#lost.has(device))) continue;
      if (!planned.some((device) => peers.has(device))) continue;
      pending.epoch++;
      this.#start(pending);
    }
  }

  /** Gives up the current plan at once, and asks for another one on the devices that are left. */
  #replan(pending: PendingRequest, peer: string): void {
    const why = this.#lost.get(peer) ?? 'gone';
    const epoch = ++pending.epoch;
    const { replan } = pending.options;
    const current = (): boolean => this.#pending.get(pending.id) === pending && pending.epoch === epoch;
    pending.span?.end();
    const attributes = { 'bedside.lost': peer };
    const planned = replan
      ? spanned(pending.options.traceparent, 'plan', attributes, () => replan(new Set(this.#lost.keys())))
      : Promise.resolve(undefined);
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
    this.#fail(pending, deadlineError(deadline));
  }

  #fail(pending: PendingRequest, error: Error): void {
    this.#finish(pending);
    pending.reject(error);
  }

  /**
   * Ends a request here and on every device that may still work on it.
   * @param ended devices that have ended it by themselves
   */
  #finish(
    { id, timer, informed, options, cancel, span }: PendingRequest,
    ended: readonly string[] = [],
  ): void {
    clearTimeout(timer);
    span?.end();
    options.signal?.removeEventListener('abort', cancel);
    this.#pending.delete(id);
    for (const device of informed) {
      if (!ended.includes(device) && !this.#lost.has(device))
        this.#endpoint?.send(device, { kind: 'end', request: id });
    }
  }

  #ask(to: string, query: Query): Promise<QueryReply> {
    const why = this.#lost.get(to);
    if (why !== undefined) return Promise.reject(lostError(to, why));
    const answer = this.#queries.ask(to, query);
    this.#watch(to);
    this.#endpoint?.send(to, query);
    return answer;
  }
}
