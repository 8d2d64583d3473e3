// The requests that a device runs, by who asked for them. What is here of one requester has bounds of its own, so that
// none can push out what belongs to others, and no id of one means anything for another.

import { totalmem } from 'node:os';
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError, formatBytes } from '../../util/index.ts';
import type { Assignment } from '../protocol/messages.ts';
import type { RunPlan } from '../protocol/plan.ts';

/** Requests of one requester that run here at a time. */
export const MAX_RUNNING = 2048;

/** Requests of one requester that are remembered, so that what comes late of them changes nothing. */
export const MAX_REMEMBERED = 1024;

/** Requesters that are known at a time; of those without running requests the least recent goes first. */
export const MAX_REQUESTERS = 256;

/** Milliseconds that a request runs here at most, whatever its deadline: a day. */
export const MAX_REMAINING = 86_400_000;

/** Milliseconds after its deadline at which a request ends here: its requester, which tells when it ended, may be gone. */
const GRACE_MS = 1000;

/** Bytes of waiting parts that even a device with less memory takes. */
const LEAST_WAITING = 16 << 20;

/** Parts of a stage that came. */
interface StageInputs {
  readonly tensors: (FloatTensor | undefined)[];
  left: number;
}

/** One request, as its requester told of it here; its plan, bundle and requester stay as they are. */
export interface ActiveRequest {
  readonly requester: string;
  readonly request: string;
  readonly epoch: number;
  readonly bundle: string;
  readonly plan: RunPlan;
  readonly samples: number;
  /** Milliseconds, on the clock of `performance`. */
  readonly end: number;
  /** By stage. */
  readonly arrived: Map<number, StageInputs>;
  /** Of parts that wait or are being computed with. */
  bytes: number;
  /** Whether all that its stages need is here. */
  ready: boolean;
  /** Stages, or segments of them, that this device has not run yet. */
  left: number;
  readonly expiry: NodeJS.Timeout;
}

/** What is known of one requester. */
interface RequesterState {
  readonly running: Map<string, ActiveRequest>;
  /** By request: its last epoch; Infinity when it has ended. The oldest are forgotten. */
  readonly epochs: Map<string, number>;
  bytes: number;
}

/** What a message of a request is for. */
export type RequestState = ActiveRequest | 'early' | 'dead';

/** Requests that have not ended here, and what is remembered of those that have. */
export class RequestRegistry {
  readonly #device: string;
  /** Bytes of parts that wait, of all requesters; of one of them half. */
  readonly #memory: number;
  readonly #onForgotten: (running: ActiveRequest) => void;
  /** The least recent first. */
  readonly #known = new Map<string, RequesterState>();

  /**
   * @param device whose plans they are
   * @param memory bytes of the device; unknown: of the machine
   * @param onForgotten a request ended here, in whatever way
   */
  constructor(device: string, memory: number | undefined, onForgotten: (running: ActiveRequest) => void) {
    this.#device = device;
    this.#memory = Math.max(LEAST_WAITING, Math.min(memory ?? Number.POSITIVE_INFINITY, totalmem() / 4));
    this.#onForgotten = onForgotten;
  }

  /** Requests that have all they need. */
  get running(): number {
    return this.all().filter(({ ready }) => ready).length;
  }

  /** Who has asked for something. */
  get requesters(): readonly string[] {
    return [...this.#known.keys()];
  }

  all(): ActiveRequest[] {
    return [...this.#known.values()].flatMap(({ running }) => [...running.values()]);
  }

  /** Takes note of somebody who asks. */
  addRequester(requester: string): void {
    this.#of(requester);
  }

  /** What is to be done with a message of a request. */
  find(requester: string, request: string, epoch: number): RequestState {
    const known = this.#known.get(requester);
    const running = known?.running.get(request);
    if (running?.epoch === epoch) return running;
    return epoch <= (known?.epochs.get(request) ?? -1) ? 'dead' : 'early';
  }

  /**
   * Opens a request under an epoch; one of its earlier epochs ends.
   * @throws BedsideError E_DEVICE when there are too many
   */
  open({ requester, request, epoch, bundle, plan, samples, remaining }: Assignment): ActiveRequest {
    const known = this.#of(requester);
    const before = known.running.get(request);
    if (before) this.#forget(known, before);
    this.#remember(known, request, epoch);
    if (known.running.size >= MAX_RUNNING) {
      throw this.#tooMuch(`runs ${MAX_RUNNING} requests of '${requester}' already`);
    }
    // A number that is none is no time at all.
    const left = remaining > 0 ? Math.min(remaining, MAX_REMAINING) : 0;
    const running: ActiveRequest = {
      ...{ requester, request, epoch, bundle, plan, samples, arrived: new Map(), bytes: 0, ready: false },
      end: performance.now() + left,
      left: plan.stages.flatMap(({ segments }) => segments).filter(({ device }) => device === this.#device)
        .length,
      expiry: setTimeout(() => this.end(requester, request), Math.min(left + GRACE_MS, MAX_REMAINING)),
    };
    running.expiry.unref();
    known.running.set(request, running);
    return running;
  }

  /**
   * Takes a part from its holder by the plan; one that came before, or that nothing here needs, is not taken.
   * @throws BedsideError E_DEVICE when parts of this requester take too much memory
   */
  addTensor(running: ActiveRequest, stage: number, segment: number, tensor: FloatTensor): void {
    const expected = stage < 0 ? 1 : (running.plan.stages[stage]?.segments.length ?? 0);
    const arrived = running.arrived.get(stage) ?? {
      tensors: Array.from<FloatTensor | undefined>({ length: expected }),
      left: expected,
    };
    if (segment >= expected || arrived.left === 0 || arrived.tensors[segment]) return;
    this.#hold(running, tensor.data.byteLength);
    running.arrived.set(stage, arrived);
    arrived.tensors[segment] = tensor;
    arrived.left--;
  }

  /** All parts of a stage, once they are there: given one time. */
  takeComplete(running: ActiveRequest, stage: number): readonly FloatTensor[] | undefined {
    const arrived = running.arrived.get(stage);
    if (arrived?.left !== 0 || arrived.tensors.length === 0) return undefined;
    return arrived.tensors.splice(0).filter((tensor) => tensor !== undefined);
  }

  /** What parts held is free again. */
  release(running: ActiveRequest, bytes: number): void {
    const known = this.#known.get(running.requester);
    if (known?.running.get(running.request) !== running) return;
    running.bytes -= bytes;
    known.bytes -= bytes;
  }

  /** A request ended for its requester: nothing of it is taken any more. */
  end(requester: string, request: string): void {
    const known = this.#known.get(requester);
    // Somebody who never asked has nothing to end.
    if (!known) return;
    this.#remember(known, request, Number.POSITIVE_INFINITY);
    const running = known.running.get(request);
    if (running) this.#forget(known, running);
  }

  /** This epoch of a request has ended here; a later one may come. */
  close(running: ActiveRequest): void {
    const known = this.#known.get(running.requester);
    if (known?.running.get(running.request) === running) this.#forget(known, running);
  }

  /** Ends everything. */
  clear(): void {
    for (const known of this.#known.values()) {
      for (const running of [...known.running.values()]) this.#forget(known, running);
    }
  }

  #hold(running: ActiveRequest, bytes: number): void {
    const known = this.#of(running.requester);
    const all = [...this.#known.values()].reduce((sum, one) => sum + one.bytes, 0);
    // A single request has the room that its plan was checked for.
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
    clearTimeout(running.expiry);
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
    for (const oldest of known.epochs.keys()) {
      if (known.running.has(oldest)) continue;
      known.epochs.delete(oldest);
      break;
    }
  }
}
