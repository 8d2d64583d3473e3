// The detector on signals whose beats are known: rates, gaps, jumps, silence, small and large beats, noise.
import { describe, expect, it } from 'vitest';
import { Random } from '../util/internal.ts';
import { compareBeats } from './ec57.ts';
import { type DetectedBeat, MOST_QRS_DELAY, QrsDetector } from './qrs-detector.ts';
import { type MadeBeat, madeSignal, regularBeats } from './test-support/made-signal.ts';

function found(signal: Float64Array, rate: number): DetectedBeat[] {
  const detector = new QrsDetector(rate);
  const beats: DetectedBeat[] = [];
  for (const sample of signal) {
    const beat = detector.push(sample);
    if (beat) beats.push(beat);
  }
  return [...beats, ...detector.flush()];
}

function counts(made: readonly MadeBeat[], beats: readonly DetectedBeat[], rate: number, learning = 3) {
  const { tp, fp, fn } = compareBeats({
    reference: made.map(({ at }) => Math.round(at * rate)),
    detected: beats.map(({ sample }) => sample),
    ...{ rate, learning },
  });
  return { tp, fp, fn };
}

describe('QrsDetector', () => {
  it.each([100, 128, 250, 257, 360, 500, 1000])(
    'finds every beat at %i samples a second, in time and in place',
    (rate) => {
      const made = regularBeats(60);
      const beats = found(madeSignal(made, { rate, seconds: 60 }), rate);
      expect(counts(made, beats, rate)).toMatchObject({ fp: 0, fn: 0 });
      for (const { sample, decidedAt } of beats.slice(0, -1)) {
        expect((decidedAt - sample) / rate).toBeLessThanOrEqual(MOST_QRS_DELAY);
        expect(Math.min(...made.map(({ at }) => Math.abs(at - sample / rate)))).toBeLessThan(0.02);
      }
    },
  );

  it('finds small beats beside large ventricular ones, and no T waves', () => {
    const made = regularBeats(80, 0.75).map((beat, i) => ({ ...beat, ventricular: i % 3 === 2 }));
    const rate = 360;
    expect(counts(made, found(madeSignal(made, { rate, seconds: 80 }), rate), rate)).toMatchObject({
      fp: 0,
      fn: 0,
    });
  });

  it('does not take the ends of a gap for beats, and goes on behind it', () => {
    const rate = 250;
    const all = regularBeats(60);
    const signal = madeSignal(all, { rate, seconds: 60 });
    signal.fill(Number.NaN, 20 * rate, 23 * rate);
    signal.fill(Number.NaN, 40 * rate, 40 * rate + 20);
    for (let i = 23 * rate; i < signal.length; i++) signal[i] = (signal[i] as number) + 40;
    const made = all.filter(({ at }) => at < 20 || (at > 23.3 && Math.abs(at - 40) > 0.3));
    const beats = found(signal, rate).filter(({ sample }) => Math.abs(sample / rate - 40) > 0.3);
    const { fp, fn } = counts(made, beats, rate);
    expect(fp).toBe(0);
    expect(fn).toBeLessThanOrEqual(1);
  });

  it('goes over missing samples without taking them one by one', () => {
    const rate = 250;
    const made = regularBeats(30);
    const signal = madeSignal(made, { rate, seconds: 30 });
    const detector = new QrsDetector(rate);
    for (const sample of signal) detector.push(sample);
    detector.skip(1e12);
    expect(detector.samples).toBe(signal.length + 1e12);
    let beats = 0;
    for (const sample of signal) {
      const beat = detector.push(sample);
      if (!beat) continue;
      beats++;
      expect(beat.sample).toBeGreaterThan(signal.length + 1e12);
    }
    expect(beats).toBeGreaterThan(30);
  });

  it('learns anew when beats become ten times smaller', () => {
    const rate = 250;
    const made = regularBeats(60).map((beat) => ({ ...beat, height: beat.at < 20 ? 3 : 0.3 }));
    const beats = found(madeSignal(made, { rate, seconds: 60, noise: 0.005 }), rate);
    expect(counts(made, beats, rate, 28)).toMatchObject({ fp: 0, fn: 0 });
  });

  it('finds nothing in flat lines and small noise, also after beats', () => {
    const rate = 250;
    expect(found(new Float64Array(30 * rate).fill(1.5), rate)).toEqual([]);
    const random = new Random(1);
    expect(
      found(
        Float64Array.from({ length: 30 * rate }, () => 0.01 * random.normal()),
        rate,
      ),
    ).toEqual([]);
    const signal = madeSignal(regularBeats(20), { rate, seconds: 40, noise: 0.01 });
    expect(found(signal, rate).filter(({ sample }) => sample > 20.3 * rate)).toEqual([]);
  });

  it('refuses rates at which there is no QRS complex', () => {
    for (const rate of [0, 20, Number.NaN, 1e6])
      expect(() => new QrsDetector(rate)).toThrow(/E_DATA|not found at/);
  });
});
