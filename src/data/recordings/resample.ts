// Windows of a signal at another sampling rate. Band-limited interpolation (J. O. Smith, Digital Audio Resampling,
// 2002): each output is the signal under a sinc in a Kaiser window (J. F. Kaiser, 1974), cut off below the lower of
// both Nyquist frequencies, so that nothing folds back. Where a window stands at whole input samples, outputs have the
// same phases in every window, so the coefficients of each phase are computed once.

/** Zero crossings of the sinc on each side. */
const CROSSINGS = 32;
/** Kaiser window with side lobes 80 dB down. */
const BETA = 0.1102 * (80 - 8.7);
/** The cut-off as a share of the lower Nyquist frequency: half a transition band (0.157) below it. */
const CUTOFF = 0.92;

/** Cuts windows of `length` samples at one rate out of a signal at another. All in float64. */
export class WindowResampler {
  /** Whole input samples from the window's anchor to each output. */
  readonly #offsets: Int32Array;
  /** Coefficients of each output, `[length, taps]`; each output's sum to 1. */
  readonly #taps: Float64Array;
  readonly #reach: number;
  /** Input samples before the anchor and behind it that a window spans. */
  readonly #before: number;
  readonly #behind: number;

  /**
   * @param from samples a second of the signal
   * @param to samples a second of the windows
   * @param length of a window
   * @param before how many of a window's samples stand before the anchor
   */
  constructor(from: number, to: number, length: number, before: number) {
    const step = from / to;
    const band = Math.min(1, to / from);
    const half = CROSSINGS / band;
    this.#reach = Math.ceil(half);
    this.#before = before * step;
    this.#behind = (length - 1 - before) * step;
    this.#offsets = new Int32Array(length);
    const width = 2 * this.#reach;
    this.#taps = new Float64Array(length * width);
    for (let i = 0; i < length; i++) {
      const at = (i - before) * step;
      const whole = Math.floor(at);
      this.#offsets[i] = whole;
      const taps = this.#taps.subarray(i * width, (i + 1) * width);
      for (let k = 0; k < width; k++) taps[k] = kernel(k - this.#reach + 1 - (at - whole), band, half);
      const sum = taps.reduce((total, tap) => total + tap, 0);
      for (let k = 0; k < width; k++) taps[k] = (taps[k] as number) / sum;
    }
  }

  /** Bytes of the coefficients. */
  static bytesOf(from: number, to: number, length: number): number {
    return 8 * length * 2 * Math.ceil(CROSSINGS / Math.min(1, to / from));
  }

  /** The input samples that the window around `anchor` spans, first and last; both may lie outside of the signal. */
  spanOf(anchor: number): { readonly first: number; readonly last: number } {
    return { first: Math.floor(anchor - this.#before), last: Math.ceil(anchor + this.#behind) };
  }

  /**
   * The window around an input sample. Beyond its ends the signal is taken to stay as it was there.
   * @param signal without gaps
   */
  window(signal: Float64Array, anchor: number): Float64Array {
    const { length } = this.#offsets;
    const width = 2 * this.#reach;
    const end = signal.length - 1;
    const result = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const start = anchor + (this.#offsets[i] as number) - this.#reach + 1;
      let sum = 0;
      for (let k = 0; k < width; k++) {
        const at = Math.min(Math.max(start + k, 0), end);
        sum += (this.#taps[i * width + k] as number) * (signal[at] as number);
      }
      result[i] = sum;
    }
    return result;
  }
}

/** The sinc in its window, `t` input samples from its middle; 0 beyond `half`. */
function kernel(t: number, band: number, half: number): number {
  const inside = 1 - (t / half) ** 2;
  if (inside <= 0) return 0;
  const x = Math.PI * CUTOFF * band * t;
  const sinc = x === 0 ? 1 : Math.sin(x) / x;
  return (sinc * bessel(BETA * Math.sqrt(inside))) / bessel(BETA);
}

/** The modified Bessel function of the first kind and order 0, by its power series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** The signal with every gap filled by the value before it (at the start, by the first value). */
export function withoutGaps(signal: Float64Array): Float64Array {
  const first = signal.findIndex((value) => !Number.isNaN(value));
  if (first < 0 || !signal.some(Number.isNaN)) return signal;
  const filled = Float64Array.from(signal);
  let last = filled[first] as number;
  for (let i = 0; i < filled.length; i++) {
    const value = filled[i] as number;
    if (Number.isNaN(value)) filled[i] = last;
    else last = value;
  }
  return filled;
}
