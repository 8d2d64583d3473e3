// Fits many problems of a layer: large ones on threads, several at once, small ones here.
import { AskedThread, startThread } from '../../util/internal.ts';
import type { Products } from '../products.ts';
import { fitLayer, type LayerFit, type LayerProblem } from '../refit.ts';

/** A problem, and the strength where its search starts. */
export interface FittingTask {
  readonly problem: LayerProblem;
  readonly start: number | undefined;
}

type FittingThread = AskedThread<FittingTask, LayerFit>;

/** Multiply-adds from which a thread is worth it: some tenths of a second. */
const LEAST_WORK = 2e9;
/** Each thread has rows of its own. */
const MOST_THREADS = 4;

/** Threads that fit; they start when they are needed, and must be released. */
export class Fitters {
  readonly #products: Products;
  readonly #threads: number;
  readonly #leastWork: number;
  readonly #all: FittingThread[] = [];
  readonly #idle: FittingThread[] = [];
  readonly #asked = new Set<Promise<LayerFit>>();
  readonly #waiting: ((thread: FittingThread) => void)[] = [];
  /** Ends when the last problem that is fitted here has its answer. */
  #here: Promise<unknown> = Promise.resolve();
  #released = false;

  /**
   * @param threads with one, everything is fitted here
   * @param leastWork multiply-adds from which a problem is fitted on a thread
   */
  constructor(products: Products, threads: number, leastWork = LEAST_WORK) {
    this.#products = products;
    this.#threads = Math.min(threads, MOST_THREADS);
    this.#leastWork = threads > 1 ? leastWork : Number.POSITIVE_INFINITY;
  }

  /**
   * As `fitLayer`. Inputs of a problem that goes to a thread are best in shared memory, which is not copied on the way.
   * @throws BedsideError as `fitLayer`; E_ENGINE for a thread that has ended
   */
  async fit(problem: LayerProblem, start: number | undefined): Promise<LayerFit> {
    // One that waited for an answer of before may come late, when nobody wants it any more.
    if (this.#released) return await new Promise<never>(() => undefined);
    if (!this.sends(problem.weights, problem.y[0]?.rows ?? 0)) {
      // One after the other: fits share the scratch memory of the products.
      const fit = this.#here.then(() => fitLayer(problem, this.#products, start));
      this.#here = fit.catch(() => undefined);
      return await fit;
    }
    const thread = await this.#taken();
    const answer = thread.ask({ problem, start });
    this.#asked.add(answer);
    try {
      return await answer;
    } finally {
      this.#asked.delete(answer);
      const next = this.#waiting.shift();
      if (next) next(thread);
      else this.#idle.push(thread);
    }
  }

  /** Whether a problem with these weights and so many rows is fitted on a thread. */
  sends(weights: LayerProblem['weights'], rows: number): boolean {
    return weights.reduce((sum, { rows: unknowns }) => sum + rows * unknowns ** 2, 0) >= this.#leastWork;
  }

  /** Ends the threads when all that was begun is fitted; what still waits for one, or comes later, never ends. */
  async release(): Promise<void> {
    this.#released = true;
    this.#waiting.length = 0;
    await Promise.allSettled([...this.#asked, this.#here]);
    await Promise.all(this.#all.map((thread) => thread.release()));
  }

  #taken(): FittingThread | Promise<FittingThread> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#all.length < this.#threads) {
      const thread: FittingThread = new AskedThread(
        startThread(import.meta.url, 'thread'),
        'run it with --threads 1, which fits one level after the other',
      );
      this.#all.push(thread);
      return thread;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
