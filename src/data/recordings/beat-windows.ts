// Windows around R peaks at the network's sampling rate, from records of any rate.
import { BedsideError, formatBytes } from '../../util/index.ts';
import { availableMemory } from '../../util/internal.ts';
import type { PassedOverCount } from '../passed-over.ts';
import type { Peak } from './marks.ts';
import { WindowResampler, withoutGaps } from './resample.ts';
import type { Lead } from './source.ts';

/** Samples a second that networks of beats are taken to read where nothing says it: those of the MIT-BIH database. */
export const DEFAULT_RATE = 360;

// The documented geometry: 256 samples of which 100 stand before the R peak; other lengths scale it.
const WINDOW = 256;
const BEFORE = 100;
/** Beyond this, a rate is hardly meant: windows would be of a few samples, or filters of thousands. */
const MOST_RATIO = 64;

/** `outside`: a window leaves its record; `gap`: it has missing samples. */
export type WindowFault = 'outside' | 'gap';

/** What is said of windows with a fault, by what they are cut around. */
const FAULTS = {
  beats: {
    outside: 'beats whose window leaves the record',
    gap: 'beats with missing samples in their window',
  },
  windows: { outside: 'windows that leave the record', gap: 'windows with missing samples' },
} as const;

/** Cuts windows of one length at one rate. */
export class BeatWindows {
  /** Samples a second of the windows. */
  readonly rate: number;
  /** Samples of a window. */
  readonly length: number;
  /** Samples before the frame that a window is cut around. */
  readonly before: number;
  readonly #faults: Readonly<Record<WindowFault, string>>;
  readonly #resamplers = new Map<number, WindowResampler>();
  /** Signals that were cut from, with gaps filled. */
  readonly #filled = new WeakMap<Float64Array, Float64Array>();

  /**
   * @param length samples of a window
   * @param rate samples a second
   * @param before samples before the frame that a window is cut around
   * @param what each of them is, in words
   */
  constructor(
    length: number,
    rate: number,
    before = Math.round((length * BEFORE) / WINDOW),
    what: keyof typeof FAULTS = 'beats',
  ) {
    this.#faults = FAULTS[what];
    this.rate = rate;
    this.length = length;
    this.before = before;
  }

  /**
   * The peaks whose windows lie in the record and have no gap; the others are counted.
   * @param rate frames per second that peaks are counted in
   */
  whole(
    lead: Lead,
    peaks: readonly Peak[],
    passedOver: PassedOverCount,
    rate: number = lead.rate,
  ): readonly Peak[] {
    return peaks.filter((peak) => {
      const frame = rate === lead.rate ? peak.frame : Math.round((peak.frame * lead.rate) / rate);
      const fault = this.faultOf(lead, frame);
      if (fault) passedOver.add(this.#faults[fault], lead.record);
      return fault === undefined;
    });
  }

  /** Why there is no window around a frame; undefined if there is one. */
  faultOf(lead: Lead, frame: number): WindowFault | undefined {
    const { first, last } = this.#spanOf(lead, frame);
    if (first < 0 || last >= lead.signal.length) return 'outside';
    return hasGap(lead.signal, first, last) ? 'gap' : undefined;
  }

  /** The window around a frame without a fault, in the lead's units. */
  cut(lead: Lead, frame: number): Float64Array {
    const { signal, rate } = lead;
    if (rate === this.rate) return signal.subarray(frame - this.before, frame - this.before + this.length);
    const filled = this.#filled.get(signal) ?? withoutGaps(signal);
    this.#filled.set(signal, filled);
    return this.#resamplerOf(lead).window(filled, frame);
  }

  #spanOf(lead: Lead, frame: number): { readonly first: number; readonly last: number } {
    if (lead.rate !== this.rate) {
      const { first, last } = this.#resamplerOf(lead).spanOf(frame);
      // Annotations are rounded to the record's own samples: within one of its ends, the signal is taken to stay as it
      // is.
      const end = lead.signal.length;
      return { first: first === -1 ? 0 : first, last: last === end ? end - 1 : last };
    }
    const first = frame - this.before;
    return { first, last: first + this.length - 1 };
  }

  #resamplerOf({ rate, record }: Lead): WindowResampler {
    const known = this.#resamplers.get(rate);
    if (known) return known;
    if (rate > this.rate * MOST_RATIO || rate * MOST_RATIO < this.rate) {
      throw new BedsideError(
        'E_DATA',
        `record ${record} has ${rate} samples a second, too far from the network's ${this.rate} to be resampled`,
        { hint: 'check the rate in the header; leave the record out with --records' },
      );
    }
    const bytes = WindowResampler.bytesOf(rate, this.rate, this.length);
    if (bytes > availableMemory()) {
      throw new BedsideError(
        'E_DATA',
        `windows of ${this.length} samples are too long to be resampled from ${rate} Hz: that takes ${formatBytes(bytes)}`,
        { hint: `give records of ${this.rate} Hz` },
      );
    }
    const made = new WindowResampler(rate, this.rate, this.length, this.before);
    this.#resamplers.set(rate, made);
    return made;
  }
}

function hasGap(signal: Float64Array, first: number, last: number): boolean {
  for (let i = first; i <= last; i++) if (Number.isNaN(signal[i])) return true;
  return false;
}
