// What a lead is worth while it comes: lead off (flat), saturated, missing.

/** A stretch in which a lead cannot be read. */
export interface QualityChange {
  readonly what: 'flat' | 'saturated' | 'readable';
  /** The sample from which that holds. */
  readonly sample: number;
}

/** By which rules. */
export interface QualityRules {
  /** Seconds of the same value that mean that the lead is off; default 1. */
  readonly flat?: number | undefined;
  /** Millivolts beyond which the amplifier is saturated; default 10. */
  readonly saturation?: number | undefined;
}

const FLAT = 1;
const SATURATION = 10;
/** Millivolts within which a value is the same. */
const SAME = 1e-4;

/** Watches one lead, sample by sample. */
export class QualityWatch {
  readonly #flat: number;
  readonly #saturation: number;
  #count = 0;
  #same = 0;
  #last = Number.NaN;
  #state: QualityChange['what'] = 'readable';
  /** Samples of each kind. */
  readonly samples = { flat: 0, saturated: 0, missing: 0 };

  /** @param rate samples a second */
  constructor(rate: number, { flat = FLAT, saturation = SATURATION }: QualityRules = {}) {
    this.#flat = Math.max(2, Math.round(flat * rate));
    this.#saturation = saturation;
  }

  /** Whether a value lies beyond what the amplifier gives: it is no signal. */
  isSaturated(sample: number): boolean {
    return Math.abs(sample) >= this.#saturation;
  }

  /** Whether the lead is off now: what comes is no signal, and the jump with which it comes back is no beat. */
  get isFlat(): boolean {
    return this.#state === 'flat';
  }

  /** Takes the next sample; NaN where it is missing. Tells when the lead becomes readable or stops to be. */
  push(sample: number): QualityChange | undefined {
    const at = this.#count++;
    if (Number.isNaN(sample)) {
      this.samples.missing++;
      this.#same = 0;
      this.#last = sample;
      return undefined;
    }
    this.#same = Math.abs(sample - this.#last) <= SAME ? this.#same + 1 : 1;
    this.#last = sample;
    if (this.isSaturated(sample)) {
      this.samples.saturated++;
      return this.#become('saturated', at);
    }
    if (this.#same < this.#flat) return this.#become('readable', at);
    const isNew = this.#state !== 'flat';
    this.samples.flat += isNew ? this.#same : 1;
    return this.#become('flat', at - this.#same + 1);
  }

  /** Goes over missing samples. */
  skip(samples: number): void {
    this.#count += samples;
    this.samples.missing += samples;
    this.#same = 0;
    this.#last = Number.NaN;
  }

  #become(what: QualityChange['what'], sample: number): QualityChange | undefined {
    if (what === this.#state) return undefined;
    this.#state = what;
    return { what, sample };
  }
}
