// The last seconds of one or more leads, from which windows are cut.

/** Keeps so many of the latest samples of each lead. */
export class LeadRing {
  readonly #leads: readonly Float64Array[];
  readonly #size: number;
  #count = 0;

  /** @param size samples that are kept at least */
  constructor(leads: number, size: number) {
    this.#size = 2 ** Math.ceil(Math.log2(Math.max(2, size)));
    this.#leads = Array.from({ length: leads }, () => new Float64Array(this.#size).fill(Number.NaN));
  }

  /** Samples that came in, those that were skipped among them. */
  get count(): number {
    return this.#count;
  }

  /** Takes the next sample of a lead; `next` when all leads have theirs. */
  set(lead: number, sample: number): void {
    (this.#leads[lead] as Float64Array)[this.#count & (this.#size - 1)] = sample;
  }

  next(): void {
    this.#count++;
  }

  /** Goes over missing samples. */
  skip(samples: number): void {
    for (let i = 0; i < Math.min(samples, this.#size); i++) {
      for (let lead = 0; lead < this.#leads.length; lead++) this.set(lead, Number.NaN);
      this.#count++;
    }
    this.#count += Math.max(0, samples - this.#size);
  }

  /** A stretch of a lead. @param from at least 0; what is no longer kept, or has not come, is NaN */
  stretch(lead: number, from: number, to: number): Float64Array {
    const own = this.#leads[lead] as Float64Array;
    const oldest = this.#count - this.#size;
    return Float64Array.from({ length: Math.max(0, to - from) }, (_, i) => {
      const at = from + i;
      return at >= oldest && at < this.#count ? (own[at & (this.#size - 1)] as number) : Number.NaN;
    });
  }
}
