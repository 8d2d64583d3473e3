// Requests with the same plan that arrive close together run as one batch: one message a hop and one run a stage for
// all.
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { BedsideError, type ErrorCode, must } from '../../util/index.ts';
import { mergeSegments } from '../device/merge-segments.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { shifted } from '../protocol/spans.ts';
import {
  DEFAULT_DEADLINE,
  type InferenceClient,
  type InferenceOptions,
  type InferenceResult,
  timeoutOf,
} from './inference.ts';
import { deadlineError } from './request-errors.ts';

/** How requests are gathered. */
export interface BatchOptions {
  /** Largest number of samples in a batch. */
  readonly most: number;
  /** Seconds that the first request of a batch waits for others. */
  readonly window: number;
}

/** Errors of a batch that a single request of it may have caused. */
const ALONE: ReadonlySet<ErrorCode> = new Set(['E_DEVICE', 'E_NOT_FINITE', 'E_DATA']);

interface Waiting {
  readonly input: FloatTensor;
  readonly samples: number;
  readonly options: InferenceOptions;
  readonly start: number;
  /** Milliseconds, on the clock of `performance`. */
  readonly end: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: InferenceResult) => void;
  readonly reject: (error: Error) => void;
}

interface Batch {
  readonly plan: RunPlan;
  readonly waiting: Waiting[];
  readonly timer: NodeJS.Timeout;
}

/**
 * Gathers requests for another client. Each request ends once and by its own deadline, whatever happens to the others.
 * A request with too little time for the window runs at once, together with those that already wait. The requests of a
 * batch run one by one if the batch does not fit on a device, or if a sample or its scores are not finite.
 */
export class Batcher implements InferenceClient {
  readonly #client: InferenceClient;
  readonly #options: BatchOptions;
  readonly #open = new Map<string, Batch>();
  /** Number of batches with more than one request so far. */
  batches = 0;

  constructor(client: InferenceClient, options: BatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** As `InferenceClient.infer`; the time in the result includes waiting for the batch. */
  infer(input: FloatTensor, plan: RunPlan, options: InferenceOptions = {}): Promise<InferenceResult> {
    const start = performance.now();
    const { deadline = DEFAULT_DEADLINE } = options;
    const samples = input.dims[0] ?? 1;
    const key = keyOf(plan, input);
    return new Promise((resolve, reject) => {
      // Its batch may have more time than this request.
      const timer = setTimeout(() => reject(deadlineError(deadline)), timeoutOf(deadline));
      const end = start + 1000 * deadline;
      const waiting = { input, samples, options, start, end, timer, resolve, reject };
      const open = this.#open.get(key);
      if (open && sizeOf(open) + samples > this.#options.most) this.#close(key, open);
      const batch = this.#open.get(key) ?? this.#begin(key, plan);
      batch.waiting.push(waiting);
      const full = sizeOf(batch) >= this.#options.most;
      if (full || deadline <= 2 * this.#options.window) this.#close(key, batch);
    });
  }

  #begin(key: string, plan: RunPlan): Batch {
    const waiting: Waiting[] = [];
    const timer = setTimeout(() => this.#close(key, batch), 1000 * this.#options.window);
    const batch: Batch = { plan, waiting, timer };
    this.#open.set(key, batch);
    return batch;
  }

  #close(key: string, batch: Batch): void {
    clearTimeout(batch.timer);
    if (this.#open.get(key) === batch) this.#open.delete(key);
    void this.#run(batch);
  }

  async #run({ plan, waiting }: Batch): Promise<void> {
    const [first] = waiting;
    if (!first) return;
    const left = (one: Waiting): number => (one.end - performance.now()) / 1000;
    if (waiting.length === 1) {
      if (left(first) > 0) await this.#alone(first, plan, left(first));
      return;
    }
    this.batches++;
    const inputs = waiting.map(({ input }) => input);
    const deadline = Math.max(...waiting.map(left));
    const begun = performance.now();
    try {
      const together = mergeSegments(inputs, { kind: 'concat', axis: 0 });
      const answer = await this.#client.infer(together, plan, {
        ...first.options,
        deadline,
        signal: undefined,
      });
      share(answer, waiting, begun);
    } catch (error) {
      // One bad sample must not take the answers of the others.
      if (BedsideError.is(error) && ALONE.has(error.code)) {
        await Promise.all(waiting.map((one) => left(one) > 0 && this.#alone(one, plan, left(one))));
        return;
      }
      for (const one of waiting) fail(one, error);
    }
  }

  async #alone(one: Waiting, plan: RunPlan, deadline: number): Promise<void> {
    const begun = performance.now();
    try {
      share(await this.#client.infer(one.input, plan, { ...one.options, deadline }), [one], begun);
    } catch (error) {
      fail(one, error);
    }
  }
}

/** Gives each request its own rows of the result. @param begun when they ran: milliseconds */
function share(answer: InferenceResult, waiting: readonly Waiting[], begun: number): void {
  const { data, dims } = answer.logits;
  const row = data.length / must(dims[0], 'a batch');
  let at = 0;
  for (const { samples, start, timer, resolve } of waiting) {
    const logits = tensor(data.slice(at * row, (at + samples) * row), dims.with(0, samples));
    at += samples;
    clearTimeout(timer);
    const timeline = answer.timeline && shifted(answer.timeline, (begun - start) / 1000);
    const seconds = (performance.now() - start) / 1000;
    resolve({ ...answer, logits, seconds, ...(timeline ? { timeline } : {}) });
  }
}

function fail({ timer, reject }: Waiting, error: unknown): void {
  clearTimeout(timer);
  reject(error instanceof Error ? error : new Error(String(error)));
}

function sizeOf({ waiting }: Batch): number {
  return waiting.reduce((sum, { samples }) => sum + samples, 0);
}

/** Equal for plans that run the same way, on inputs of the same shape. */
function keyOf({ levels, stages }: RunPlan, { dims }: FloatTensor): string {
  const segments = stages.map((stage) => stage.segments.map(({ device, from, to }) => [device, from, to]));
  return JSON.stringify([levels, segments, dims.slice(1)]);
}
