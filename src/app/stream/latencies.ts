// Times from R peak to answer, of any number of beats in bounded memory: counts in steps of one percent.
import type { LatencySummary } from './events.ts';

const STEP = Math.log(1.01);
const LEAST = 1e-4;
const STEPS = 1600;

/** Counts times, and tells their percentiles to within a percent. */
export class Latencies {
  readonly #counts = new Uint32Array(STEPS);
  #total = 0;

  /** @param seconds from R peak to answer */
  add(seconds: number): void {
    const step = Math.ceil(Math.log(Math.max(seconds, LEAST) / LEAST) / STEP);
    const at = Math.min(STEPS - 1, Math.max(0, step));
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#total++;
  }

  /** Takes in those of another signal. */
  merge(other: Latencies): void {
    for (const [at, count] of other.#counts.entries())
      this.#counts[at] = (this.#counts[at] as number) + count;
    this.#total += other.#total;
  }

  summary(): LatencySummary {
    return { p50: this.#share(0.5), p95: this.#share(0.95), p99: this.#share(0.99) };
  }

  #share(share: number): number {
    if (this.#total === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(share * this.#total));
    for (const [at, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return LEAST * Math.exp(STEP * at);
    }
    return Number.NaN;
  }
}
