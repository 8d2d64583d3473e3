// Heartbeats in one lead of an ECG, sample by sample: a causal QRS detector after Pan and Tompkins (IEEE Trans. Biomed.
// Eng. 32, 1985) with the peak rules of Hamilton and Tompkins (1986). It looks ahead at most 0.35 s and never searches
// back: the threshold falls instead while a beat is due, so that what was found stays as it was told.
import { BedsideError } from '../util/index.ts';
import { Biquad, MovingMean } from './filters.ts';
import { PeakLevels } from './peak-levels.ts';

/** A beat that was found. */
export interface DetectedBeat {
  /** The R peak, in samples since the detector's first. */
  readonly sample: number;
  /** Samples that had come in when it was decided. */
  readonly decidedAt: number;
  /** The largest deviation in the band of the QRS complex, in the signal's unit. */
  readonly amplitude: number;
}

// The band of a QRS complex, in hertz.
const HIGH_PASS = 5;
const LOW_PASS = 16;
/** Seconds over which a slope is taken. */
const SLOPE = 0.01;
/** Seconds over which slopes are averaged. */
const INTEGRATION = 0.06;
/** No two peaks are nearer than so many seconds: the heart cannot beat again. */
const APART = 0.2;
/** Within so many seconds of a beat, a peak may be its T wave. */
const T_WAVE = 0.36;
/** It is one if its steepest slope is below this share of the beat's. */
const T_WAVE_SLOPE = 0.5;
/** The R peak is looked for so many seconds before the integrated peak, and around what is found there. */
const LOOK_BACK = INTEGRATION + 0.05;
const REFINE = 0.045;
/** Seconds by which the band-pass filters delay a QRS complex. */
const FILTER_DELAY = 0.03;
/** Below this, in millivolts in the band, nothing is a beat: about 0.15 mV of a QRS complex (IEC 60601-2-27). */
const LEAST_AMPLITUDE = 0.03;
/** Seconds from which the levels of beats and noise are learned, at the start and after a silence. */
const LEARNING = 2;
/** After so many seconds without a beat, levels are learned anew: the signal may have become smaller for good. */
const SILENCE = 4;
/** Beyond so many seconds, a gap ends the rhythm: intervals across it are none. */
const LONG_GAP = 2;

/** Sampling rates that the detector takes: below, the band is not there; above, nothing is gained. */
export const QRS_RATES = { least: 50, most: 10_000 } as const;

/** Seconds from an R peak until it is told, at most. */
export const MOST_QRS_DELAY = 0.5;

/** Finds beats in one lead. Takes one sample at a time, for hours; memory does not grow. */
export class QrsDetector {
  /** Samples a second. */
  readonly rate: number;
  readonly #highPass: Biquad;
  readonly #lowPass: Biquad;
  readonly #integral: MovingMean;
  readonly #levels: PeakLevels;
  /** The last seconds of the signal, the band, its slopes and their mean, as rings. */
  readonly #raw: Float64Array;
  readonly #band: Float64Array;
  readonly #slopes: Float64Array;
  readonly #energy: Float64Array;
  readonly #mask: number;
  readonly #apart: number;
  /** Samples that came in. */
  #count = 0;
  /** Missing samples up to now; at the start everything is missing. */
  #missing = 1;
  /** The sample from which the signal is without a gap. */
  #whole = 0;
  /** The sample from which levels are learned; undefined once they are known. */
  #learningFrom: number | undefined = 0;
  #lastBeat = Number.NEGATIVE_INFINITY;
  #lastPeak = 0;
  #lastSlope = 0;
  #inRhythm = false;

  /**
   * @param rate samples a second
   * @throws BedsideError E_DATA for a rate outside of `QRS_RATES`
   */
  constructor(rate: number) {
    if (!(rate >= QRS_RATES.least && rate <= QRS_RATES.most)) {
      throw new BedsideError('E_DATA', `beats are not found at ${rate} samples a second`, {
        hint: `give a signal of ${QRS_RATES.least} to ${QRS_RATES.most} samples a second`,
      });
    }
    this.rate = rate;
    this.#highPass = new Biquad('high-pass', HIGH_PASS, rate);
    this.#lowPass = new Biquad('low-pass', Math.min(LOW_PASS, rate * 0.4), rate);
    this.#integral = new MovingMean(Math.round(INTEGRATION * rate));
    this.#levels = new PeakLevels();
    this.#apart = Math.round(APART * rate);
    const size = 2 ** Math.ceil(Math.log2(rate));
    this.#mask = size - 1;
    this.#raw = new Float64Array(size);
    this.#band = new Float64Array(size);
    this.#slopes = new Float64Array(size);
    this.#energy = new Float64Array(size);
  }

  /** Samples that came in. */
  get samples(): number {
    return this.#count;
  }

  /**
   * Takes the next sample in millivolts; NaN where it is missing.
   * @returns the beat that this sample decides, at most 0.5 s after its R peak
   */
  push(sample: number): DetectedBeat | undefined {
    if (!Number.isFinite(sample)) {
      this.#missing++;
      this.#write(this.#raw[(this.#count - 1) & this.#mask] ?? 0, 0, 0, 0);
      return undefined;
    }
    if (this.#missing > 0) this.#resume(sample);
    const band = this.#lowPass.push(this.#highPass.push(sample));
    const back = Math.max(1, Math.round(SLOPE * this.rate));
    const isWhole = this.#count - back >= this.#whole;
    const slope = isWhole ? Math.abs(band - (this.#band[(this.#count - back) & this.#mask] as number)) : 0;
    this.#write(sample, band, slope, this.#integral.push(slope));
    return this.#decide();
  }

  /** Tells that `samples` are missing, without going through them one by one. */
  skip(samples: number): void {
    const some = Math.min(samples, this.#mask + 1);
    this.#missing += samples - some;
    this.#count += samples - some;
    for (let i = 0; i < some; i++) this.push(Number.NaN);
  }

  /** Decides what is left when the signal has ended. */
  flush(): readonly DetectedBeat[] {
    const beats: DetectedBeat[] = [];
    if (this.#missing > 0) return beats;
    const last = this.#raw[(this.#count - 1) & this.#mask] as number;
    for (let i = 0; i <= this.#apart + Math.round(INTEGRATION * this.rate); i++) {
      const beat = this.push(last);
      if (beat) beats.push(beat);
    }
    return beats;
  }

  #write(raw: number, band: number, slope: number, energy: number): void {
    const at = this.#count & this.#mask;
    this.#raw[at] = raw;
    this.#band[at] = band;
    this.#slopes[at] = slope;
    this.#energy[at] = energy;
    this.#count++;
  }

  /** Goes on behind missing samples, as if the signal had always been what it is now: a jump is no beat. */
  #resume(sample: number): void {
    this.#highPass.settle(sample, 0);
    this.#lowPass.settle(0, 0);
    this.#integral.clear();
    if (this.#missing > LONG_GAP * this.rate) this.#inRhythm = false;
    this.#missing = 0;
    this.#whole = this.#count;
  }

  /** Whether the energy has a peak that is the largest of its surroundings, and whether that is a beat. */
  #decide(): DetectedBeat | undefined {
    const at = this.#count - 1 - this.#apart;
    if (at < this.#whole) return undefined;
    if (this.#learningFrom !== undefined && this.#count - this.#learningFrom > LEARNING * this.rate) {
      this.#levels.learned();
      this.#learningFrom = undefined;
    }
    const energy = this.#energy;
    const height = energy[at & this.#mask] as number;
    const before = energy[(at - 1) & this.#mask] as number;
    if (!(height > before && height >= (energy[(at + 1) & this.#mask] as number))) return undefined;
    for (let i = Math.max(at - this.#apart, 0); i < this.#count; i++)
      if ((energy[i & this.#mask] as number) > height) return undefined;
    return this.#judge(at, height);
  }

  #judge(at: number, height: number): DetectedBeat | undefined {
    let [slope, amplitude, peak] = [0, 0, at];
    for (let i = Math.max(at - Math.round(LOOK_BACK * this.rate), this.#whole); i <= at; i++) {
      slope = Math.max(slope, this.#slopes[i & this.#mask] as number);
      const size = Math.abs(this.#band[i & this.#mask] as number);
      if (size <= amplitude) continue;
      amplitude = size;
      peak = i;
    }
    if (this.#learningFrom !== undefined) {
      this.#levels.learn(height, amplitude >= LEAST_AMPLITUDE);
      return undefined;
    }
    const since = at - this.#lastPeak;
    const isT = since < T_WAVE * this.rate && slope < T_WAVE_SLOPE * this.#lastSlope;
    const seconds = this.#inRhythm ? since / this.rate : undefined;
    if (isT || amplitude < LEAST_AMPLITUDE || !this.#levels.isBeat(height, seconds)) {
      this.#levels.noise(height);
      if (since > SILENCE * this.rate) this.#learn(at);
      return undefined;
    }
    this.#levels.beat(height, seconds);
    this.#lastPeak = at;
    this.#lastSlope = slope;
    this.#inRhythm = true;
    const sample = Math.max(this.#rPeak(peak), this.#lastBeat + 1, 0);
    this.#lastBeat = sample;
    return { sample, decidedAt: this.#count, amplitude };
  }

  #learn(at: number): void {
    this.#learningFrom = at;
    this.#inRhythm = false;
    this.#levels.forget();
  }

  /** The R peak in the signal itself: its largest deviation from the line between both ends of the surroundings. */
  #rPeak(peak: number): number {
    const middle = peak - Math.round(FILTER_DELAY * this.rate);
    const reach = Math.round(REFINE * this.rate);
    const first = Math.max(middle - reach, this.#whole);
    const last = Math.min(middle + reach, this.#count - 1);
    const start = this.#raw[first & this.#mask] as number;
    const rise = ((this.#raw[last & this.#mask] as number) - start) / Math.max(1, last - first);
    let [best, at] = [-1, middle];
    for (let i = first; i <= last; i++) {
      const off = Math.abs((this.#raw[i & this.#mask] as number) - start - rise * (i - first));
      if (off > best) [best, at] = [off, i];
    }
    return at;
  }
}
