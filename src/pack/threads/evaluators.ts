// Measures many level vectors of one bundle: one after the other, or on several threads. A thread measures a vector by
// itself, so the figures are the same however many there are.
import { levelsKey } from '../../bundle/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { writeModel } from '../../onnx/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { AskedThread, startThread } from '../../util/internal.ts';
import {
  type MeasurableBundle,
  type MeasuredVariant,
  unprunedScores,
  VariantEvaluator,
  type VariantEvaluatorOptions,
} from '../variant-evaluator.ts';
import type { MeasuringReply, MeasuringTask, SentBundle } from './messages.ts';

/** Fewer vectors are soon measured here: a thread takes a second to start, and runs the unpruned network itself. */
const LEAST_VECTORS = 16;
/** Each thread has the samples, and what the unpruned network gives for them. */
const MOST_THREADS = 4;
const MOST_SAMPLE_BYTES = 128 * 2 ** 20;

/** What measures level vectors. */
interface Measuring {
  measureLevels(levels: readonly number[]): Promise<MeasuredVariant>;
  errorOf(levels: readonly number[]): Promise<number>;
  release(): Promise<void>;
}

/** One or several evaluators of one bundle. */
export class Evaluators {
  /** Scores of the unpruned network. */
  readonly whole: Float32Array;
  readonly #all: readonly Measuring[];
  /** Answers by level vector, also those that are still computed. */
  readonly #known = new Map<string, Promise<MeasuredVariant>>();

  private constructor(all: readonly Measuring[], whole: Float32Array) {
    this.#all = all;
    this.whole = whole;
  }

  /**
   * @param vectors about how many will be measured
   * @throws BedsideError as `unprunedScores` and `VariantEvaluator.create`
   */
  static async create(
    bundle: MeasurableBundle,
    options: VariantEvaluatorOptions,
    vectors: number,
  ): Promise<Evaluators> {
    const { calibration, validation, threads } = options;
    const bytes = sampleBytes(calibration) + sampleBytes(validation);
    // Before threads start: one that is still loading must not be ended.
    const whole = await unprunedScores(bundle, options);
    if (threads < 2 || vectors < LEAST_VECTORS || bytes > MOST_SAMPLE_BYTES) {
      return new Evaluators([await VariantEvaluator.create(bundle, options, whole)], whole);
    }
    const task = startTask(bundle, options, whole);
    const started = Array.from({ length: Math.min(threads, MOST_THREADS) }, () => new MeasuringThread());
    try {
      await Promise.all(started.map((thread) => thread.start(task)));
      return new Evaluators(started, whole);
    } catch (error) {
      await Promise.all(started.map((thread) => thread.release()));
      throw error;
    }
  }

  /**
   * Measures level vectors; the results are in their order. A repeated one is measured once.
   * @param onMeasured called after each
   */
  async measureAll(
    vectors: readonly (readonly number[])[],
    onMeasured: () => void,
  ): Promise<MeasuredVariant[]> {
    return await this.#spread(vectors, async (measuring, levels) => {
      const key = levelsKey(levels);
      const answer = this.#known.get(key) ?? measuring.measureLevels(levels);
      this.#known.set(key, answer);
      const found = await answer;
      onMeasured();
      return found;
    });
  }

  /** Errors of level vectors, as `VariantEvaluator.errorOf`; in their order. */
  errorsOf(vectors: readonly (readonly number[])[]): Promise<number[]> {
    return this.#spread(vectors, (measuring, levels) => measuring.errorOf(levels));
  }

  async #spread<T>(
    vectors: readonly (readonly number[])[],
    ask: (measuring: Measuring, levels: readonly number[]) => Promise<T>,
  ): Promise<T[]> {
    const results: T[] = [];
    let next = 0;
    let failed = false;
    const work = async (measuring: Measuring): Promise<void> => {
      while (!failed && next < vectors.length) {
        const at = next++;
        results[at] = await ask(measuring, must(vectors[at], 'a level vector'));
      }
    };
    // All of them end before an error goes on: a thread must not be stopped while it computes.
    const ended = await Promise.allSettled(
      this.#all.map((measuring) =>
        work(measuring).catch((error: unknown) => {
          failed = true;
          throw error;
        }),
      ),
    );
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
    return results;
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await Promise.all(this.#all.map((measuring) => measuring.release()));
  }
}

/** An evaluator on a thread of its own. */
class MeasuringThread implements Measuring {
  readonly #thread = new AskedThread<MeasuringTask, MeasuringReply>(
    startThread(import.meta.url, 'thread'),
    'pack with --threads 1, which measures one variant after the other',
  );

  async start(task: MeasuringTask): Promise<void> {
    await this.#thread.ask(task);
  }

  async measureLevels(levels: readonly number[]): Promise<MeasuredVariant> {
    const reply = await this.#thread.ask({ kind: 'measure', levels });
    if (reply.kind === 'measured') return reply.result;
    throw unexpected(reply);
  }

  async errorOf(levels: readonly number[]): Promise<number> {
    const reply = await this.#thread.ask({ kind: 'error', levels });
    if (reply.kind === 'error') return reply.error;
    throw unexpected(reply);
  }

  release(): Promise<void> {
    return this.#thread.release();
  }
}

function unexpected({ kind }: MeasuringReply): BedsideError {
  return new BedsideError('E_INTERNAL', `internal: a measuring thread answered ${kind}`);
}

/** What prepares a thread; all threads read the same tensors. */
function startTask(
  bundle: MeasurableBundle,
  options: VariantEvaluatorOptions,
  whole: Float32Array,
): MeasuringTask {
  const { name, calibration, validation, seed, measure, lowRankFrom, batch } = options;
  const tensors = new Map(
    [...bundle.tensors].map(([key, { dims, data }]) => {
      const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
      shared.set(data);
      return [key, { dims, data: shared }] as const;
    }),
  );
  const sent: SentBundle = { manifest: bundle.manifest, model: writeModel(bundle.model), tensors };
  const own = { name, calibration, validation, seed, measure, lowRankFrom, batch, threads: 1 };
  return { kind: 'start', bundle: sent, options: own, whole };
}

function sampleBytes({ samples }: Dataset): number {
  return samples.byteLength;
}
