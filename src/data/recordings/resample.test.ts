// Resampled windows against signals that are known at every instant, and tones that must not fold back.
import { describe, expect, it } from 'vitest';
import { WindowResampler, withoutGaps } from './resample.ts';

type Wave = (seconds: number) => number;

const sampled = (wave: Wave, rate: number, seconds: number): Float64Array =>
  Float64Array.from({ length: Math.round(rate * seconds) }, (_, i) => wave(i / rate));

/** The largest difference between a resampled window and the wave itself. */
function error(wave: Wave, from: number, to: number, at = 4): number {
  const [length, before] = [256, 100];
  const signal = sampled(wave, from, 8);
  const anchor = Math.round(at * from);
  const window = new WindowResampler(from, to, length, before).window(signal, anchor);
  return window.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - wave(anchor / from + (i - before) / to))),
    0,
  );
}

describe('WindowResampler', () => {
  it.each([
    [250, 360],
    [128, 360],
    [360, 250],
    [360, 128],
    [1000, 360],
    [500, 360],
    [250.5, 360],
    [257, 360],
    [360, 360],
  ])('gives what a band-limited signal is between its samples, from %d to %d Hz', (from, to) => {
    // Tones up to .84 of the lower Nyquist frequency, at odd phases.
    const highest = 0.84 * (Math.min(from, to) / 2);
    const wave: Wave = (t) =>
      0.3 +
      [0.01, 0.13, 0.4, 0.71, 1].reduce(
        (sum, share, k) => sum + Math.sin(2 * Math.PI * share * highest * t + k),
        0,
      );
    expect(error(wave, from, to)).toBeLessThan(1e-3);
  });

  it.each([
    [1000, 360, 185],
    [1000, 360, 300],
    [360, 128, 70],
    [360, 128, 119],
    [2000, 250, 126],
  ])('lets no tone above Nyquist fold back: from %d to %d Hz, a tone of %d Hz', (from, to, hertz) => {
    const wave: Wave = (t) => Math.sin(2 * Math.PI * hertz * t + 0.4);
    const signal = sampled(wave, from, 8);
    const window = new WindowResampler(from, to, 256, 100).window(signal, 4 * from);
    expect(window.reduce((most, value) => Math.max(most, Math.abs(value)), 0)).toBeLessThan(3e-4);
  });

  it('keeps a constant, also at the ends of the signal', () => {
    const signal = new Float64Array(400).fill(2.5);
    for (const anchor of [0, 30, 399]) {
      const window = new WindowResampler(128, 360, 256, 100).window(signal, anchor);
      for (const value of window) expect(value).toBeCloseTo(2.5, 12);
    }
  });

  it('says which samples a window spans', () => {
    const resampler = new WindowResampler(128, 360, 256, 100);
    expect(resampler.spanOf(1000)).toEqual({ first: 1000 - 36, last: 1000 + 56 });
    expect(new WindowResampler(360, 360, 256, 100).spanOf(100)).toEqual({ first: 0, last: 255 });
  });
});

describe('withoutGaps', () => {
  it('fills gaps by the value before, at the start by the first', () => {
    const gap = Number.NaN;
    expect([...withoutGaps(Float64Array.of(gap, 1, gap, gap, 2, gap))]).toEqual([1, 1, 1, 1, 2, 2]);
    const whole = Float64Array.of(1, 2);
    expect(withoutGaps(whole)).toBe(whole);
  });
});
