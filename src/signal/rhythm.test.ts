// Rates and runs of beats, and of a lead that is off, counted by hand.
import { describe, expect, it } from 'vitest';
import { QualityWatch } from './quality.ts';
import { type RhythmRules, RhythmWatch } from './rhythm.ts';

/** Beats of these classes, one a second; `|` is where the signal was not readable, `-` a second without a beat. */
function watched(beats: string, rules: RhythmRules = {}, interval = 1) {
  const watch = new RhythmWatch(rules);
  let at = 0;
  for (const beat of beats) {
    if (beat === '|') watch.interrupt();
    else {
      if (beat !== '-') watch.beat(at, beat === '?' ? undefined : beat);
      at += interval;
    }
  }
  return watch.summary();
}

describe('RhythmWatch', () => {
  it.each([
    ['NNVVNN', 1, 0, 0],
    ['NVNVN', 0, 0, 0],
    ['NVVVN', 0, 1, 3],
    ['VVVVVVV', 0, 1, 7],
    ['NVVNVVVNVV', 2, 1, 3],
    ['NV|VN', 0, 0, 0],
    ['NV?VN', 0, 0, 0],
  ])('%s has %i couplets and %i runs', (beats, couplets, ventricularRuns, longestRun) => {
    expect(watched(beats)).toMatchObject({ couplets, ventricularRuns, longestRun });
  });

  it('counts runs by the rules of the operator', () => {
    expect(watched('NVVVN', { run: 4 })).toMatchObject({ couplets: 0, ventricularRuns: 0 });
    expect(watched('NVVVN', { runRate: 100 })).toMatchObject({ ventricularRuns: 0 });
    expect(watched('NVVVN', { runRate: 100 }, 0.5)).toMatchObject({ ventricularRuns: 1 });
    expect(watched('NBBBN', { ventricular: ['B', 'V'] })).toMatchObject({ ventricularRuns: 1 });
    expect(watched('NNN', { pause: 3 }).rules).toMatch(/pause: 3 s/);
  });

  it('counts pauses, but not where the signal was not readable', () => {
    expect(watched('NN--NN-N')).toMatchObject({ pauses: 2, longestPause: 3 });
    expect(watched('NN-|-NN')).toMatchObject({ pauses: 0, longestPause: 0 });
    expect(watched('NN-N', { pause: 2.5 }).pauses).toBe(0);
  });

  it('averages heart rates between breaks too', () => {
    expect(watched('NNNN|NNNNN|NN').heartRate).toEqual({ mean: 60, min: 60, max: 60 });
    const watch = new RhythmWatch();
    for (let at = 0; at < 60; at++) {
      if (at % 6 === 0) watch.interrupt();
      watch.beat(at < 30 ? at : 30 + (at - 30) / 2, 'N');
    }
    const { mean = 0, min = 0, max = 0 } = watch.summary().heartRate ?? {};
    expect([min, max]).toEqual([60, 120]);
    expect(mean).toBeGreaterThan(min);
  });

  it('averages heart rates', () => {
    expect(watched('N').heartRate).toBeUndefined();
    expect(watched('NN').heartRate).toEqual({ mean: 60, min: 60, max: 60 });
    const watch = new RhythmWatch({ rateOver: 2 });
    for (const at of [0, 1, 2, 3, 3.5, 4]) watch.beat(at, 'N');
    expect(watch.summary().heartRate).toEqual({ mean: 75, min: 60, max: 120 });
  });
});

it('QualityWatch tells flat and saturated stretches with their length', () => {
  const watch = new QualityWatch(100, { flat: 0.5, saturation: 5 });
  const changes = [];
  for (let i = 0; i < 400; i++) {
    const value = i >= 100 && i < 200 ? 0.25 : i >= 300 && i < 320 ? 5.2 : Math.sin(i);
    const change = watch.push(i === 399 ? Number.NaN : value);
    if (change) changes.push(change);
  }
  expect(changes).toEqual([
    { what: 'flat', sample: 100 },
    { what: 'readable', sample: 200 },
    { what: 'saturated', sample: 300 },
    { what: 'readable', sample: 320 },
  ]);
  expect(watch.samples).toEqual({ flat: 100, saturated: 20, missing: 1 });
});
