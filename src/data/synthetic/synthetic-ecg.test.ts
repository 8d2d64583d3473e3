import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { BEAT_CLASSES, type BeatClass, drawStrip } from './ecg-beats.ts';
import { ECG_BEFORE, ECG_RATE, ECG_WINDOW, generateEcg, recordBeat } from './synthetic-ecg.ts';

const window = (data: { samples: Float32Array }, i: number): Float32Array =>
  data.samples.subarray(i * ECG_WINDOW, (i + 1) * ECG_WINDOW);

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const beatsOf = (kind: BeatClass, count: number, seed = 11) => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => recordBeat(kind, random));
};

/** Where the window deviates most from its median within 60 samples of the annotation. */
function peakOf(values: ArrayLike<number>): number {
  const level = median(Array.from(values));
  let best = ECG_BEFORE;
  for (let n = ECG_BEFORE - 60; n <= ECG_BEFORE + 60; n++) {
    if (Math.abs(values[n]! - level) > Math.abs(values[best]! - level)) best = n;
  }
  return best;
}

/** Samples around the peak that stay above half of its height. */
function halfWidth(values: ArrayLike<number>): number {
  const level = median(Array.from(values));
  const peak = peakOf(values);
  const half = (values[peak]! - level) / 2;
  const above = (n: number): boolean => (values[n]! - level) / half >= 1;
  let left = peak;
  let right = peak;
  while (left > 0 && above(left - 1)) left--;
  while (right < ECG_WINDOW - 1 && above(right + 1)) right++;
  return right - left + 1;
}

describe('generateEcg', () => {
  const data = generateEcg({ perClass: 30, seed: 3 });

  it('returns labelled windows, each with mean 0 and standard deviation 1', () => {
    expect(data).toMatchObject({
      kind: 'synthetic',
      size: 150,
      sampleShape: [1, 256],
      classNames: BEAT_CLASSES,
    });
    expect(data.samples.length).toBe(150 * 256);
    for (const label of [0, 1, 2, 3, 4]) expect(data.labels!.filter((l) => l === label).length).toBe(30);
    for (let i = 0; i < data.size; i++) {
      const values = window(data, i);
      const mean = values.reduce((sum, v) => sum + v, 0) / 256;
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 256;
      expect(Math.abs(mean)).toBeLessThan(1e-5);
      expect(Math.abs(variance - 1)).toBeLessThan(1e-4);
    }
  });

  it('depends on the seed alone', () => {
    const again = generateEcg({ perClass: 30, seed: 3 });
    expect(again.hash).toBe(data.hash);
    expect(again.samples).toEqual(data.samples);
    expect(generateEcg({ perClass: 30, seed: 4 }).hash).not.toBe(data.hash);
  });

  it('extends a smaller set of the same seed, and the counts of one class do not touch another', () => {
    const few = generateEcg({ perClass: [2, 0, 5, 0, 0], seed: 3 });
    expect(Array.from(few.labels!)).toEqual([0, 2, 0, 2, 2, 2, 2]);
    // Classes take turns in `data`: beat j of class c is sample 5 j + c.
    expect(window(few, 0)).toEqual(window(data, 0));
    expect(window(few, 2)).toEqual(window(data, 5));
    expect(window(few, 6)).toEqual(window(data, 5 * 4 + 2));
  });

  it('gives splits without a beat in common', () => {
    const test = generateEcg({ perClass: 30, seed: 3, split: 'test' });
    const known = new Set(Array.from({ length: data.size }, (_, i) => window(data, i).join()));
    expect(known.size).toBe(data.size);
    for (let i = 0; i < test.size; i++) expect(known.has(window(test, i).join())).toBe(false);
  });

  it.each([
    [{ perClass: -1, seed: 1 }],
    [{ perClass: 1.5, seed: 1 }],
    [{ perClass: 0, seed: 1 }],
    [{ perClass: [1, 2], seed: 1 }],
    [{ perClass: 1, seed: -1 }],
    [{ perClass: 1, seed: Number.NaN }],
  ])('refuses %j', (options) => {
    let caught: unknown;
    try {
      generateEcg(options);
    } catch (error) {
      caught = error;
    }
    expect(BedsideError.is(caught, 'E_USAGE')).toBe(true);
  });

  it('is quick enough to be generated when needed', () => {
    // The processor's time, whatever else runs on this machine.
    const start = process.cpuUsage();
    generateEcg({ perClass: 100, seed: 5 });
    expect(process.cpuUsage(start).user / 1e6).toBeLessThan(5);
  });
});

describe('the recorded beats', () => {
  it('have the classes of ANSI/AAMI EC57, in the order of real recordings', () => {
    expect(BEAT_CLASSES).toEqual(['N', 'S', 'V', 'F', 'Q']);
  });

  it('have their R peak near sample 100', () => {
    for (const kind of BEAT_CLASSES) {
      const off = beatsOf(kind, 100).map((beat) => Math.abs(peakOf(beat.window) - ECG_BEFORE));
      expect(median(off)).toBeLessThanOrEqual(3);
      expect(off.filter((d) => d <= 12).length).toBeGreaterThanOrEqual(90);
    }
    // A normal QRS is narrow, so that its top is where the annotation says, but for noise and deep S waves.
    const normal = beatsOf('N', 100).map((beat) => Math.abs(peakOf(beat.window) - ECG_BEFORE));
    expect(normal.filter((d) => d <= 4).length).toBeGreaterThanOrEqual(95);
  });

  it('are quantised as by an 11-bit converter over 10 mV', () => {
    for (const value of beatsOf('Q', 1)[0]!.window)
      expect(value * 200).toBeCloseTo(Math.round(value * 200), 9);
  });

  it('are wide when they start in a ventricle: V and Q at least twice as wide as N and S, F between', () => {
    const width = Object.fromEntries(
      BEAT_CLASSES.map((kind) => [kind, median(beatsOf(kind, 150).map((beat) => halfWidth(beat.window)))]),
    ) as Record<BeatClass, number>;
    // Normal: a half width of 20 to 50 ms.
    expect(width.N / ECG_RATE).toBeGreaterThan(0.02);
    expect(width.N / ECG_RATE).toBeLessThan(0.05);
    expect(Math.abs(width.S - width.N)).toBeLessThanOrEqual(2);
    expect(width.V).toBeGreaterThanOrEqual(2 * width.N);
    expect(width.Q).toBeGreaterThanOrEqual(2 * width.N);
    expect(width.F).toBeGreaterThan(width.N);
    expect(width.F).toBeLessThan(width.V);
  });

  it('come early when premature, and a pause follows', () => {
    const share = (kind: BeatClass) => beatsOf(kind, 150).map((beat) => beat.rrBefore / beat.rrAfter);
    expect(median(share('N'))).toBeCloseTo(1, 1);
    expect(median(share('S'))).toBeLessThan(0.75);
    expect(median(share('V'))).toBeLessThan(0.75);
    for (const early of share('S')) expect(early).toBeLessThan(0.95);
    // Some fast normal beats come sooner than some premature ones: the interval alone does not tell.
    const normal = beatsOf('N', 150).map((beat) => beat.rrBefore);
    const premature = beatsOf('S', 150).map((beat) => beat.rrBefore);
    expect(Math.min(...normal)).toBeLessThan(Math.max(...premature));
  });

  it('of paced kind have a spike before the QRS: the steepest step of 3 samples stands out of the slopes around', () => {
    // Second difference over 2 samples: large for a spike of 2 to 4 ms, small for the smooth waves.
    const sharpness = (beat: { window: Float64Array }): number => {
      const w = beat.window;
      let best = 0;
      for (let n = 40; n < 100; n++) best = Math.max(best, Math.abs(w[n - 2]! - 2 * w[n]! + w[n + 2]!));
      return best;
    };
    expect(median(beatsOf('Q', 150).map(sharpness))).toBeGreaterThan(
      2.5 * median(beatsOf('V', 150).map(sharpness)),
    );
  });
});

describe('strips', () => {
  const targets = (kind: BeatClass, count = 200) => {
    const random = new Random(23);
    return Array.from({ length: count }, () => drawStrip(kind, random)).map(
      (strip) => strip.beats[strip.target],
    );
  };

  it('give P waves to sinus and fusion beats only', () => {
    // A P wave: upward, before the QRS by more than 100 ms, wider than a spike.
    const upright = (kind: BeatClass): number =>
      targets(kind).filter((beat) => beat.waves.some((w) => w.height > 0 && w.time < -0.1 && w.width > 0.01))
        .length;
    expect(upright('N')).toBeGreaterThan(190);
    expect(upright('F')).toBeGreaterThan(190);
    expect(upright('V')).toBe(0);
    expect(upright('Q')).toBe(0);
    expect(upright('S')).toBeLessThan(80);
  });

  it('turn the T wave of ventricular beats against their QRS', () => {
    for (const beat of targets('V')) {
      const [qrs, , t] = beat.waves;
      expect(Math.sign(t!.height)).toBe(-Math.sign(qrs!.height));
    }
  });

  it('keep every interval a heart can keep', () => {
    const random = new Random(5);
    for (const kind of BEAT_CLASSES) {
      for (let i = 0; i < 200; i++) {
        for (const beat of drawStrip(kind, random).beats) {
          expect(beat.rr).toBeGreaterThan(0.25);
          expect(beat.rr).toBeLessThan(2.5);
        }
      }
    }
  });
});
