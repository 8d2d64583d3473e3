// Requests with one plan that come close together run as one batch: one message a hop and one run a stage for all of them.
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { BedsideError, type ErrorCode, must } from '../../util/index.ts';
import { mergeSegments } from '../device/merge-segments.ts';
import type { RunPlan } from '../protocol/plan.ts';
import {
  DEFAULT_DEADLINE,
  deadlineError,
  type InferenceClient,
  type InferenceOptions,
  type InferenceResult,
  timeoutOf,
} from './coordinator.ts';

/** How requests are gathered. */
export interface BatchOptions {
  /** Samples in a batch at most. */
  readonly most: number;
  /** Seconds that the first of a batch waits for others. */
  readonly window: number;
}

/** What ends a batch, and may end one of its requests alone. */
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
 * Gathers requests for an asker. Each ends once and by its own deadline, whatever becomes of the others. A request that
 * cannot afford to wait for the window runs at once, with those that wait already; a batch that does not fit on a device,
 * or of which a sample or its scores are not finite, runs one by one.
 */
export class Batcher implements InferenceClient {
  readonly #asker: InferenceClient;
  readonly #options: BatchOptions;
  readonly #open = new Map<string, Batch>();
  /** How many batches of more than one request there were. */
  batches = 0;

  constructor(asker: InferenceClient, options: BatchOptions) {
    this.#asker = asker;
    this.#options = options;
  }

  infer(input: FloatTensor, plan: RunPlan, options: InferenceOptions = {}): Promise<InferenceResult> {
    const start = performance.now();
    const { deadline = DEFAULT_DEADLINE } = options;
    const samples = input.dims[0] ?? 1;
    const key = keyOf(plan, input);
    return new Promise((resolve, reject) => {
      // The batch that it runs in may have more time than this request has.
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
    try {
      const together = mergeSegments(inputs, { kind: 'concat', axis: 0 });
      const answer = await this.#asker.infer(together, plan, { ...first.options, deadline });
      share(answer, waiting);
    } catch (error) {
      // One sample without an answer takes none from the others.
      if (BedsideError.is(error) && ALONE.has(error.code)) {
        await Promise.all(waiting.map((one) => left(one) > 0 && this.#alone(one, plan, left(one))));
        return;
      }
      for (const one of waiting) fail(one, error);
    }
  }

  async #alone(one: Waiting, plan: RunPlan, deadline: number): Promise<void> {
    try {
      share(await this.#asker.infer(one.input, plan, { ...one.options, deadline }), [one]);
    } catch (error) {
      fail(one, error);
    }
  }
}

/** To each request its own rows. */
function share(answer: InferenceResult, waiting: readonly Waiting[]): void {
  const { data, dims } = answer.logits;
  const row = data.length / must(dims[0], 'a batch');
  let at = 0;
  for (const { samples, start, timer, resolve } of waiting) {
    const logits = tensor(data.slice(at * row, (at + samples) * row), dims.with(0, samples));
    at += samples;
    clearTimeout(timer);
    resolve({ ...answer, logits, seconds: (performance.now() - start) / 1000 });
  }
}

function fail({ timer, reject }: Waiting, error: unknown): void {
  clearTimeout(timer);
  reject(error instanceof Error ? error : new Error(String(error)));
}

function sizeOf({ waiting }: Batch): number {
  return waiting.reduce((sum, { samples }) => sum + samples, 0);
}

/** Equal for plans that run the same on inputs of one shape. */
function keyOf({ levels, stages }: RunPlan, { dims }: FloatTensor): string {
  const segments = stages.map((stage) => stage.segments.map(({ device, from, to }) => [device, from, to]));
  return JSON.stringify([levels, segments, dims.slice(1)]);
}
