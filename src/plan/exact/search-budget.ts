// The budget of a search. It is counted in labels, so that the same budget gives the same answer on any machine. The
// clock and the caller's signal can only stop a search.

/** Anything that can cancel a search, such as an AbortSignal. */
export interface Stop {
  readonly aborted: boolean;
}

/** Counts the labels of a search. */
export class SearchBudget {
  /** Labels made; a pass over arcs counts as one label for every `ARCS_A_LABEL`. */
  labels = 0;
  readonly #most: number;
  readonly #until: number;
  readonly #signal: Stop | undefined;
  readonly started = performance.now();
  #stopped = false;
  #next = 0;

  constructor(labels: number, seconds: number, signal: Stop | undefined) {
    this.#most = labels;
    this.#until = this.started + 1000 * seconds;
    this.#signal = signal;
  }

  get left(): number {
    return Math.max(0, this.#most - this.labels);
  }

  get seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  /** Counts a pass over so many arcs. */
  pass(arcs: number): void {
    this.labels += Math.ceil(arcs / ARCS_A_LABEL);
  }

  /** Whether labels, clock or signal end the search. */
  get spent(): boolean {
    if (this.#stopped || this.labels >= this.#most) return true;
    // The clock is read once in 512 labels.
    if (this.labels >= this.#next) {
      this.#next = this.labels + 512;
      this.#stopped = performance.now() >= this.#until || this.#signal?.aborted === true;
    }
    return this.#stopped;
  }
}

const ARCS_A_LABEL = 64;
