// A data set of synthetic ECG beats: strips of the dynamical model, recorded as an ambulatory recorder would, and cut
// into windows exactly as real beats are.
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { Dataset } from '../dataset.ts';
import { hashSamples } from '../hash.ts';
import { BEAT_CLASSES, type BeatClass, drawStrip } from './ecg-beats.ts';
import { integrateStrip } from './ecg-dynamics.ts';

/** Samples a second, as in the MIT-BIH Arrhythmia Database. */
export const ECG_RATE = 360;
/** Samples of a window, and how many of them lie before the R peak. */
export const ECG_WINDOW = 256;
export const ECG_BEFORE = 100;

/** The number of beats of each class, and the seed. */
export interface SyntheticEcgOptions {
  /** Beats of each class, or of every class in the order N S V F Q. */
  readonly perClass: number | readonly number[];
  /** The same seed gives the same beats, and more of them start with the fewer. */
  readonly seed: number;
  /** Two sets without a beat in common; default `local`. */
  readonly split?: 'local' | 'test';
}

/** One recorded beat before normalisation. */
export interface RecordedBeat {
  /** 256 samples in millivolts, quantised. */
  readonly window: Float64Array;
  /** Seconds to the R peak before, and after. */
  readonly rrBefore: number;
  readonly rrAfter: number;
}

/**
 * Generates beats of the five AAMI classes; samples are `[1, 256]`, normalised one by one, classes taking turns.
 * @throws BedsideError E_USAGE when a count or the seed is not a whole number in range, or no beat is asked for
 */
export function generateEcg(options: SyntheticEcgOptions): Dataset {
  const split = options.split ?? 'local';
  const counts = countsOf(options.perClass);
  if (!Number.isSafeInteger(options.seed) || options.seed < 0 || options.seed > 0xffffffff) {
    throw new BedsideError(
      'E_USAGE',
      `synthetic ECG: expected a whole seed from 0 to 4294967295, got ${options.seed}`,
    );
  }
  // One generator per split and class: the beats of one do not depend on how many there are of another.
  const root = new Random(options.seed);
  const streams = { local: BEAT_CLASSES.map(() => root.fork()), test: BEAT_CLASSES.map(() => root.fork()) }[
    split
  ];
  const size = counts.reduce((sum, count) => sum + count, 0);
  const samples = new Float32Array(size * ECG_WINDOW);
  const labels = new Int32Array(size);
  let at = 0;
  for (let turn = 0; at < size; turn++) {
    for (const [label, kind] of BEAT_CLASSES.entries()) {
      if (turn >= counts[label]!) continue;
      normaliseInto(samples, at * ECG_WINDOW, recordBeat(kind, streams[label]!).window);
      labels[at++] = label;
    }
  }
  return {
    kind: 'synthetic',
    name: `synthetic ECG (McSharry et al. 2003), seed ${options.seed}, ${split}`,
    size,
    sampleShape: [1, ECG_WINDOW],
    samples,
    labels,
    classNames: BEAT_CLASSES,
    origins: undefined,
    skipped: [],
    hash: hashSamples(samples, labels),
  };
}

/** Draws, integrates and records one beat: the window [r - 100, r + 156) around its annotated R peak. */
export function recordBeat(kind: BeatClass, random: Random): RecordedBeat {
  const { beats, target } = drawStrip(kind, random);
  const peak = beats[1].rr + beats[target].rr;
  const baseline = {
    amplitude: 0.15 * random.uniform(),
    frequency: 0.2 + 0.15 * random.uniform(),
    phase: 2 * Math.PI * random.uniform(),
  };
  // Annotations are a sample or two off the peak, as they are by hand.
  const r = Math.round(peak * ECG_RATE + 0.7 * random.normal());
  // A run-up of a seventh of a second, so that the window does not begin at the strip's idealised start.
  const runUp = 50;
  const from = (r - ECG_BEFORE - runUp) / ECG_RATE;
  const window = integrateStrip(beats, baseline, ECG_RATE, from, runUp + ECG_WINDOW).subarray(runUp);
  record(window, random);
  return { window, rrBefore: beats[target].rr, rrAfter: beats[3].rr };
}

// Adds the effects of electrode, amplifier and converter in place: gain, drift, muscle and mains noise, 200 units per
// millivolt.
function record(window: Float64Array, random: Random): void {
  const gain = Math.exp(0.3 * random.normal());
  const white = 0.012 * Math.exp(0.5 * random.normal());
  const muscle = 0.022 * Math.exp(0.6 * random.normal());
  const mains = 0.02 * random.uniform();
  const mainsStep = (2 * Math.PI * (random.uniform() < 0.5 ? 50 : 60)) / ECG_RATE;
  const mainsPhase = 2 * Math.PI * random.uniform();
  const drift = 0.25 * random.normal();
  const bend = 0.15 * random.normal();
  let noise = 0;
  for (let n = 0; n < window.length; n++) {
    // Muscle noise is white noise through a first-order low pass, kept at unit variance.
    noise = 0.7 * noise + Math.sqrt(1 - 0.7 * 0.7) * random.normal();
    const s = n / window.length - 0.5;
    const slow = drift * s + bend * (s * s - 1 / 12);
    const value = gain * window[n]! + slow + muscle * noise + white * random.normal();
    window[n] = Math.round(200 * (value + mains * Math.sin(mainsStep * n + mainsPhase))) / 200;
  }
}

// Minus the mean, over the population standard deviation + 1e-6.
function normaliseInto(out: Float32Array, offset: number, window: Float64Array): void {
  let sum = 0;
  for (const value of window) sum += value;
  const mean = sum / window.length;
  let squares = 0;
  for (const value of window) squares += (value - mean) * (value - mean);
  const scale = 1 / (Math.sqrt(squares / window.length) + 1e-6);
  for (let n = 0; n < window.length; n++) out[offset + n] = (window[n]! - mean) * scale;
}

function countsOf(perClass: number | readonly number[]): readonly number[] {
  const counts = typeof perClass === 'number' ? BEAT_CLASSES.map(() => perClass) : perClass;
  if (
    counts.length !== BEAT_CLASSES.length ||
    !counts.every((count) => Number.isSafeInteger(count) && count >= 0 && count <= 1e6) ||
    counts.every((count) => count === 0)
  ) {
    throw new BedsideError(
      'E_USAGE',
      `synthetic ECG: expected one count or ${BEAT_CLASSES.length} counts from 0 to 1000000, not all 0, got ${perClass}`,
    );
  }
  return counts;
}
