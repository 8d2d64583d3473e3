// How often each variant has answered lately: counts by minute, and nothing else.

const MINUTES = 60;

interface Minute {
  /** Minutes since the process began. */
  readonly at: number;
  /** Samples by variant; -1 for levels that are no measured variant. */
  readonly samples: Map<number, number>;
}

/** Answers of the last hour by variant. */
export class AnswerCounts {
  readonly #minutes: Minute[] = [];
  readonly #now: () => number;
  readonly #began: number;

  /** @param now seconds on any clock that never goes back */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
    this.#began = now();
  }

  /** Seconds that the counts cover: an hour, or since the start. */
  get seconds(): number {
    return Math.min(60 * MINUTES, this.#now() - this.#began);
  }

  /** Counts samples that a variant answered; undefined for levels that are no measured variant. */
  add(variant: number | undefined, samples: number): void {
    const at = Math.floor(this.#now() / 60);
    let minute = this.#minutes.at(-1);
    if (minute?.at !== at) {
      minute = { at, samples: new Map() };
      this.#minutes.push(minute);
    }
    const key = variant ?? -1;
    minute.samples.set(key, (minute.samples.get(key) ?? 0) + samples);
    while ((this.#minutes[0]?.at ?? at) <= at - MINUTES) this.#minutes.shift();
  }

  /** Samples by variant, most first; null for levels that are no measured variant. */
  get byVariant(): { readonly variant: number | null; readonly samples: number }[] {
    const since = Math.floor(this.#now() / 60) - MINUTES;
    const sums = new Map<number, number>();
    for (const { at, samples } of this.#minutes) {
      if (at <= since) continue;
      for (const [variant, count] of samples) sums.set(variant, (sums.get(variant) ?? 0) + count);
    }
    return [...sums]
      .map(([variant, samples]) => ({ variant: variant < 0 ? null : variant, samples }))
      .sort((a, b) => b.samples - a.samples);
  }
}
