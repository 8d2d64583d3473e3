// The requests that a device runs, by requester (the coordinator that asked). Each requester has bounds of its own, so
// that none can push out the requests of others, and ids of one requester mean nothing for another.
import { totalmem } from 'node:os';
import { BedsideError, formatBytes } from '../../util/index.ts';
import { deleteOldest } from '../../util/internal.ts';
import type { Assignment } from '../protocol/messages.ts';
import { type RunPlan, segmentsOn } from '../protocol/plan.ts';
import type { Arrived } from '../protocol/rounded-tensor.ts';
import { Spans } from '../protocol/spans.ts';
import { isTraceparent } from '../protocol/tracing.ts';

/** Requests of one requester that may run here at a time. */
export const MAX_RUNNING = 2048;

/** Ended requests of one requester that are remembered, so that their late messages are ignored. */
export const MAX_REMEMBERED = 1024;

/** Requesters that are known at a time. The least recent one without running requests is forgotten first. */
export const MAX_REQUESTERS = 256;

/** Milliseconds that a request may run here, whatever its deadline: a day. */
export const MAX_REMAINING = 86_400_000;

/**
 * Milliseconds after its deadline at which a request ends here even without an `end` message: its requester may be
 * gone.
 */
const GRACE_MS = 1000;

/** Milliseconds between two looks at what is over. */
const WAKE_MS = 50;

/** Bytes of waiting tensors that every device accepts, however little memory it has. */
const MIN_WAITING = 16 << 20;

/** The outputs of a stage that have arrived. */
interface StageInputs {
  tensors: (Arrived | undefined)[];
  left: number;
}

/** A request that runs here. Its plan, bundle and requester never change. */
export interface ActiveRequest {
  readonly requester: string;
  readonly request: string;
  readonly epoch: number;
  readonly bundle: string;
  readonly plan: RunPlan;
  readonly samples: number;
  /** Milliseconds, on the clock of `performance`. */
  readonly opened: number;
  readonly end: number;
  /** When devices worked on it; undefined where nobody asks. */
  readonly spans: Spans | undefined;
  /** The span that those of this device are below; undefined where it is not traced. */
  readonly traceparent: string | undefined;
  /** By the stage that they come from. */
  readonly arrived: Map<number, StageInputs>;
  /** Bytes of tensors that wait or are in use. */
  bytes: number;
  /** Whether the bundle with the weights of its stages is here. */
  ready: boolean;
  /** Number of segments that this device has not run so far. */
  left: number;
  /** When it ends here even without an `end` message; milliseconds, on the same clock. */
  readonly expires: number;
}

/** The requests of one requester. */
interface RequesterState {
  readonly running: Map<string, ActiveRequest>;
  /** By request: its latest epoch, or Infinity when it has ended. The oldest are forgotten. */
  readonly epochs: Map<string, number>;
  bytes: number;
}

/**
 * How a message relates to its request: to one that runs, to one that is not known so far, or to one that has ended.
 */
export type RequestState = ActiveRequest | 'early' | 'dead';

/** The requests that run here, and the memory of those that have ended. */
export class RequestRegistry {
  readonly #device: string;
  /** Bytes of waiting tensors of all requesters; a single requester may have half of it. */
  readonly #memory: number;
  readonly #onForgotten: (running: ActiveRequest) => void;
  /** The least recent first. */
  readonly #known = new Map<string, RequesterState>();
  /** When requests are looked through for those that are over, and the timer for it. */
  #wakes = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param device name of this device in plans
   * @param memory bytes of the device; undefined: those of the machine
   * @param onForgotten called when a request has ended here, in whatever way
   */
  constructor(device: string, memory: number | undefined, onForgotten: (running: ActiveRequest) => void) {
    this.#device = device;
    this.#memory = Math.max(MIN_WAITING, Math.min(memory ?? Number.POSITIVE_INFINITY, totalmem() / 4));
    this.#onForgotten = onForgotten;
  }

  /** Number of requests whose bundle is here. */
  get running(): number {
    return this.all().filter(({ ready }) => ready).length;
  }

  /** All requesters that are known. */
  get requesters(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** All requests that run here. */
  all(): ActiveRequest[] {
    return [...this.#known.values()].flatMap(({ running }) => [...running.values()]);
  }

  /** Adds a requester. @throws BedsideError E_DEVICE when there are too many */
  addRequester(requester: string): void {
    this.#of(requester);
  }

  /** The request that a message belongs to, or why there is none. */
  find(requester: string, request: string, epoch: number): RequestState {
    const known = this.#known.get(requester);
    const running = known?.running.get(request);
    if (running?.epoch === epoch) return running;
    return epoch <= (known?.epochs.get(request) ?? -1) ? 'dead' : 'early';
  }

  /**
   * Opens a request under an epoch, and ends its earlier epoch.
   * @throws BedsideError E_DEVICE when there are too many
   */
  open(assignment: Assignment): ActiveRequest {
    const { requester, request, epoch, bundle, plan, samples, remaining, timed } = assignment;
    const known = this.#of(requester);
    const before = known.running.get(request);
    if (before) this.#forget(known, before);
    this.#remember(known, request, epoch);
    if (known.running.size >= MAX_RUNNING) {
      throw this.#tooMuch(`runs ${MAX_RUNNING} requests of '${requester}' already`);
    }
    // NaN counts as no time left.
    const left = remaining > 0 ? Math.min(remaining, MAX_REMAINING) : 0;
    const opened = performance.now();
    const running: ActiveRequest = {
      requester,
      request,
      epoch,
      bundle,
      plan,
      samples,
      opened,
      end: opened + left,
      spans: timed === true ? new Spans(plan) : undefined,
      traceparent: isTraceparent(assignment.traceparent) ? assignment.traceparent : undefined,
      arrived: new Map(),
      bytes: 0,
      ready: false,
      left: segmentsOn(plan, this.#device),
      expires: opened + Math.min(left + GRACE_MS, MAX_REMAINING),
    };
    known.running.set(request, running);
    this.#wakeAt(running.expires);
    return running;
  }

  /**
   * Adds the output of a segment, from the device that the plan names. Duplicates are ignored.
   * @throws BedsideError E_DEVICE when tensors of this requester take too much memory
   */
  addTensor(running: ActiveRequest, stage: number, segment: number, tensor: Arrived): void {
    const expected = stage < 0 ? 1 : (running.plan.stages[stage]?.segments.length ?? 0);
    const arrived = running.arrived.get(stage) ?? {
      tensors: Array.from<Arrived | undefined>({ length: expected }),
      left: expected,
    };
    if (segment >= expected || arrived.left === 0 || arrived.tensors[segment]) return;
    this.#hold(running, tensor.data.byteLength);
    running.arrived.set(stage, arrived);
    arrived.tensors[segment] = tensor;
    arrived.left--;
  }

  /** Removes and returns all outputs of a stage, or undefined if some are missing or they were taken before. */
  takeComplete(running: ActiveRequest, stage: number): readonly Arrived[] | undefined {
    const arrived = running.arrived.get(stage);
    if (arrived?.left !== 0 || arrived.tensors.length === 0) return undefined;
    const { tensors } = arrived;
    arrived.tensors = [];
    return tensors.filter((tensor) => tensor !== undefined);
  }

  /** Frees the bytes of tensors that are no longer in use. */
  release(running: ActiveRequest, bytes: number): void {
    const known = this.#known.get(running.requester);
    if (known?.running.get(running.request) !== running) return;
    running.bytes -= bytes;
    known.bytes -= bytes;
  }

  /** Ends a request because its requester says so. Later messages of it are ignored. */
  end(requester: string, request: string): void {
    const known = this.#known.get(requester);
    // An unknown requester has no requests to end.
    if (!known) return;
    this.#remember(known, request, Number.POSITIVE_INFINITY);
    const running = known.running.get(request);
    if (running) this.#forget(known, running);
  }

  /** Ends this epoch of a request; a later epoch may follow. */
  close(running: ActiveRequest): void {
    const known = this.#known.get(running.requester);
    if (known?.running.get(running.request) === running) this.#forget(known, running);
  }

  /** Ends all requests. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#wakes = Number.POSITIVE_INFINITY;
    for (const known of this.#known.values()) {
      for (const running of [...known.running.values()]) this.#forget(known, running);
    }
  }

  /** Sees to it that requests are looked through at this moment. One timer for all costs a request less than its own. */
  #wakeAt(moment: number): void {
    if (moment >= this.#wakes) return;
    clearTimeout(this.#timer);
    this.#wakes = moment;
    const wake = (): void => {
      this.#wakes = Number.POSITIVE_INFINITY;
      // Timers may be early by a millisecond.
      const now = performance.now() + 1;
      for (const { requester, request, expires } of this.all()) {
        if (expires <= now) this.end(requester, request);
        else this.#wakeAt(Math.max(expires, now + WAKE_MS));
      }
    };
    this.#timer = setTimeout(wake, Math.max(0, moment - performance.now())).unref();
  }

  #hold(running: ActiveRequest, bytes: number): void {
    const known = this.#of(running.requester);
    const all = [...this.#known.values()].reduce((sum, one) => sum + one.bytes, 0);
    // A single request always fits: its plan was checked against the memory.
    const fits = known.bytes + bytes <= this.#memory / 2 && all + bytes <= this.#memory;
    if (!fits && known.running.size > 1) {
      throw this.#tooMuch(
        `has no room for more parts of '${running.requester}': ${formatBytes(known.bytes)} wait`,
      );
    }
    running.bytes += bytes;
    known.bytes += bytes;
  }

  #tooMuch(what: string): BedsideError {
    return new BedsideError('E_DEVICE', `device '${this.#device}' ${what}`, {
      hint: 'give it fewer requests at a time',
    });
  }

  #of(requester: string): RequesterState {
    const known = this.#known.get(requester) ?? { running: new Map(), epochs: new Map(), bytes: 0 };
    this.#known.delete(requester);
    this.#known.set(requester, known);
    if (this.#known.size > MAX_REQUESTERS) {
      const idle = [...this.#known].find(([name, { running }]) => name !== requester && running.size === 0);
      if (!idle) {
        this.#known.delete(requester);
        throw this.#tooMuch(`works for ${MAX_REQUESTERS} requesters already`);
      }
      this.#known.delete(idle[0]);
    }
    return known;
  }

  #forget(known: RequesterState, running: ActiveRequest): void {
    known.running.delete(running.request);
    known.bytes -= running.bytes;
    running.bytes = 0;
    running.arrived.clear();
    this.#onForgotten(running);
  }

  #remember(known: RequesterState, request: string, epoch: number): void {
    known.epochs.delete(request);
    known.epochs.set(request, epoch);
    if (known.epochs.size <= MAX_REMEMBERED + known.running.size) return;
    // Epochs of running requests are kept.
    deleteOldest(known.epochs, (one) => !known.running.has(one));
  }
}
