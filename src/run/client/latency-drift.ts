// Detects that requests take longer or shorter than when their plan was new.
import { median } from '../../util/index.ts';

/** Number of first and of latest requests that are compared, and the ratio of their medians that counts as drift. */
const FIRST = 8;
const LATEST = 16;
const FACTOR = 1.5;

/** Compares the latest requests of a plan with its first ones. */
export class LatencyDrift {
  #first: number[] = [];
  #latest: number[] = [];

  /** Starts over, because the plan is new. */
  reset(): void {
    this.#first = [];
    this.#latest = [];
  }

  /**
   * Records the seconds of one request.
   * @returns true if the latest requests took more than 1.5 times as long as the first ones, or less than two thirds
   */
  record(seconds: number): boolean {
    if (this.#first.length < FIRST) {
      this.#first.push(seconds);
      return false;
    }
    this.#latest.push(seconds);
    if (this.#latest.length > LATEST) this.#latest.shift();
    if (this.#latest.length < LATEST) return false;
    const ratio = median(this.#latest) / median(this.#first);
    return ratio > FACTOR || ratio < 1 / FACTOR;
  }
}
