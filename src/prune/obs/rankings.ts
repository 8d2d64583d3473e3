// Ranks the units of groups: small ones at once, large ones on other threads, while the network goes on running.
import type { Products } from '../../repair/internal.ts';
import { AskedThread, startThread } from '../../util/internal.ts';
import { type Elimination, eliminate } from './eliminate.ts';
import type { RankingTask } from './ranking-thread.ts';
import { Reader, type ReaderProblem } from './surgeon.ts';

/** Multiply-adds that are done before a message is worth it: about a quarter of a second. */
const LEAST_WORK = 2e8;
/** The network runs beside them, so more would only wait for processors. */
const MOST_THREADS = 2;
/** Matrices that may wait for threads, in bytes. */
const MOST_WAITING = 512 * 2 ** 20;

/** The eliminations of a network's groups. */
export class Rankings {
  readonly #products: Products;
  readonly #leastWork: number;
  readonly #found = new Map<number, Promise<Elimination>>();
  readonly #threads: RankingThread[] = [];
  readonly #mostThreads: number;
  #waitingBytes = 0;

  /**
   * @param threads with one, everything is ranked at once
   * @param leastWork multiply-adds from which a group is ranked on another thread
   */
  constructor(products: Products, threads: number, leastWork = LEAST_WORK) {
    this.#products = products;
    this.#mostThreads = Math.min(threads, MOST_THREADS);
    this.#leastWork = threads > 1 ? leastWork : Number.POSITIVE_INFINITY;
  }

  has(group: number): boolean {
    return this.#found.has(group);
  }

  /** Ranks a group, or has it ranked; then waits while much is waiting. */
  async rank(group: number, units: number, problems: readonly ReaderProblem[]): Promise<void> {
    const work = problems.reduce((sum, problem) => sum + workOf(problem), 0);
    if (work < this.#leastWork) {
      const readers = problems.map((problem) => new Reader(problem, this.#products));
      this.#found.set(group, Promise.resolve(await eliminate(units, readers)));
      return;
    }
    const thread = this.#leastBusy();
    const bytes = problems.reduce((sum, problem) => sum + bytesOf(problem), 0);
    thread.work += work;
    this.#waitingBytes += bytes;
    const ranked = thread.asked.ask({ units, problems }).finally(() => {
      thread.work -= work;
      this.#waitingBytes -= bytes;
    });
    // Told by `all`, or here where the caller has to wait.
    ranked.catch(() => undefined);
    this.#found.set(group, ranked);
    if (this.#waitingBytes > MOST_WAITING) await ranked;
  }

  /** All eliminations, by group. */
  async all(): Promise<Map<number, Elimination>> {
    const all = new Map<number, Elimination>();
    for (const [group, elimination] of this.#found) all.set(group, await elimination);
    return all;
  }

  /** Ends the threads. */
  async release(): Promise<void> {
    await Promise.allSettled(this.#found.values());
    await Promise.all(this.#threads.map(({ asked }) => asked.release()));
  }

  /** An idle thread, a new one, or the one with the least to do. */
  #leastBusy(): RankingThread {
    const least = this.#threads.toSorted((a, b) => a.work - b.work)[0];
    if (least && (least.work === 0 || this.#threads.length === this.#mostThreads)) return least;
    const asked: RankingThread['asked'] = new AskedThread(
      startThread(import.meta.url, 'ranking-thread'),
      'run it with --threads 1, which ranks one group after the other',
    );
    const thread = { asked, work: 0 };
    this.#threads.push(thread);
    return thread;
  }
}

interface RankingThread {
  readonly asked: AskedThread<RankingTask, Elimination>;
  /** Multiply-adds that it was asked for and has not done. */
  work: number;
}

/** Multiply-adds of an elimination, roughly: each of `n` unknowns changes the weights and a part of the inverse. */
function workOf({ inverse: { rows: n }, weights: { columns } }: ReaderProblem): number {
  return (n * n * (columns + n)) / 2;
}

function bytesOf({ inverse, weights }: ReaderProblem): number {
  return inverse.data.byteLength + weights.data.byteLength;
}
