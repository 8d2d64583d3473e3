// Filters that run sample by sample: second-order sections and moving means.

/** A second-order Butterworth section, by the bilinear transform (Oppenheim and Schafer, Discrete-Time Signal Processing). */
export class Biquad {
  readonly #b: readonly [number, number, number];
  readonly #a: readonly [number, number];
  #x1 = 0;
  #x2 = 0;
  #y1 = 0;
  #y2 = 0;

  /**
   * @param cutoff in hertz, below half of `rate`
   * @param rate samples a second
   */
  constructor(kind: 'low-pass' | 'high-pass', cutoff: number, rate: number) {
    const w = Math.tan((Math.PI * cutoff) / rate);
    const norm = 1 / (1 + Math.SQRT2 * w + w * w);
    const low = w * w * norm;
    this.#b = kind === 'low-pass' ? [low, 2 * low, low] : [norm, -2 * norm, norm];
    this.#a = [2 * (w * w - 1) * norm, (1 - Math.SQRT2 * w + w * w) * norm];
  }

  /** The output for the next sample. */
  push(x: number): number {
    const [b0, b1, b2] = this.#b;
    const [a1, a2] = this.#a;
    const y = b0 * x + b1 * this.#x1 + b2 * this.#x2 - a1 * this.#y1 - a2 * this.#y2;
    this.#x2 = this.#x1;
    this.#x1 = x;
    this.#y2 = this.#y1;
    this.#y1 = y;
    return y;
  }

  /** As if input and output had long been these. */
  settle(x: number, y: number): void {
    this.#x1 = x;
    this.#x2 = x;
    this.#y1 = y;
    this.#y2 = y;
  }
}

/** The mean of the last samples; before there are as many, missing ones count as 0. */
export class MovingMean {
  readonly #values: Float64Array;
  #at = 0;
  #sum = 0;

  constructor(length: number) {
    this.#values = new Float64Array(Math.max(1, length));
  }

  /** The mean with the next sample. */
  push(x: number): number {
    const { length } = this.#values;
    this.#sum += x - (this.#values[this.#at] as number);
    this.#values[this.#at] = x;
    this.#at++;
    // Once a round the sum is taken anew, so that rounding errors do not add up for hours.
    if (this.#at === length) {
      this.#at = 0;
      this.#sum = 0;
      for (const value of this.#values) this.#sum += value;
    }
    return this.#sum / length;
  }

  clear(): void {
    this.#values.fill(0);
    this.#sum = 0;
  }
}
