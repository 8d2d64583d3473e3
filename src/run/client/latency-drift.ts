// Whether requests take as long as they did when their plan was new.
import { median } from '../../util/index.ts';

/** Requests that say how long a plan takes, and how much longer or shorter is another matter. */
const FIRST = 8;
const LATEST = 16;
const FACTOR = 1.5;

/** Seconds of the requests of one plan. */
export class LatencyDrift {
  #first: number[] = [];
  #latest: number[] = [];

  /** A plan is new. */
  reset(): void {
    this.#first = [];
    this.#latest = [];
  }

  /** Takes one request's seconds; true when the latest take half as long again as the first did, or less than two thirds. */
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
