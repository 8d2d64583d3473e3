// Periods of a stream: together they count what the whole signal has, and each says its lead, its rate and its troubles.
import { describe, expect, it } from 'vitest';
import type { BeatsResult } from '../../interop/internal.ts';
import { BY } from '../../interop/test-support/results.ts';
import { RhythmWatch } from '../../signal/index.ts';
import { Random } from '../../util/internal.ts';
import { BeatCollector } from './beat-collector.ts';
import type { StreamEvent } from './events.ts';

const EVERY = 10;

function collected(events: readonly StreamEvent[], classes: readonly string[], seconds: number) {
  const results: BeatsResult[] = [];
  const collector = new BeatCollector(
    {
      ...{ by: BY, policy: 'policy', policySha256: undefined, classes, rules: {}, replayed: false },
      ...{ every: EVERY, stream: 's', patientOf: () => undefined, identifierOf: () => undefined },
    },
    (result) => results.push(result),
  );
  for (const event of events) collector.take(event);
  collector.end([{ bed: 'a', seconds } as never]);
  return results;
}

const where = (at: number) => ({
  ...{ bed: 'a', at, sample: Math.round(250 * at), lead: 'II', rate: 250, afterBreak: false },
});
const beat = (at: number, label: number, classes: readonly string[], more: object = {}): StreamEvent => ({
  ...{ kind: 'beat', ...where(at), class: classes[label] ?? '', label, probability: 0.9, confidence: 0.9 },
  ...{ levels: [0], devices: ['hub'], fallback: 'none', replanned: 0, latency: 0.5, requestSeconds: 0.1 },
  ...more,
});
const change = (what: 'gap' | 'flat', at: number): StreamEvent => ({
  ...{ kind: 'signal', bed: 'a', at, what, text: '' },
});

describe('periods', () => {
  it.each([1, 2, 3])('count together what the whole signal has (seed %i)', (seed) => {
    const random = new Random(seed);
    const classes = ['N', 'V'];
    const whole = new RhythmWatch({}, classes);
    const events: StreamEvent[] = [];
    for (let at = 0.4, i = 0; i < 300; i++) {
      const label = random.integer(2);
      const afterBreak = random.integer(40) === 0;
      if (afterBreak) whole.interrupt();
      whole.beat(at, classes[label]);
      events.push(beat(at, label, classes, { afterBreak }));
      // Now and then a pause of more than a period.
      at += random.integer(60) === 0 ? 23 : 0.3 + random.integer(200) / 100;
    }
    const results = collected(events, classes, 10_000);
    const sum = (of: (result: BeatsResult) => number | null | undefined): number =>
      results.reduce((total, own) => total + (of(own) ?? 0), 0);
    const { couplets, ventricularRuns, pauses } = whole.summary();
    expect(sum(({ beats }) => beats.length)).toBe(300);
    expect(sum(({ rhythm }) => rhythm?.couplets)).toBe(couplets);
    expect(sum(({ rhythm }) => rhythm?.ventricularRuns)).toBe(ventricularRuns);
    expect(sum(({ rhythm }) => rhythm?.pauses)).toBe(pauses);
    expect(results.length).toBeGreaterThan(10);
    for (const { lead, rate, beats } of results) {
      expect([lead, rate]).toEqual(['II', 250]);
      for (const { at } of beats) expect(at).toBeLessThan(EVERY);
    }
  });

  it('have a beat that is answered after a trouble of the next one at its own time', () => {
    const results = collected(
      [
        beat(1, 0, ['N', 'V']),
        // Told at once, before the answer of the beat before it.
        change('gap', 10.1),
        beat(9.8, 0, ['N', 'V']),
        beat(11, 0, ['N', 'V'], { afterBreak: true, rate: 500 }),
        beat(12, 0, ['N', 'V']),
        change('flat', 35),
      ],
      ['N', 'V'],
      36,
    );
    expect(results.map(({ beats }) => beats.map(({ at }) => Number(at.toFixed(3))))).toEqual([
      [1, 9.8],
      [1, 2],
      [],
    ]);
    expect(results.map(({ how }) => how.remarks)).toEqual([
      [],
      ['1 gaps in the signal.'],
      ['1 times that the lead was flat.'],
    ]);
    expect(results.map(({ rate }) => rate)).toEqual([250, undefined, undefined]);
    expect(results[0]?.rhythm?.pauses).toBe(1);
  });

  it('count no couplets and runs of a network without ventricular beats, which is no count of 0', () => {
    const classes = ['0', '1'];
    const [first] = collected([beat(1, 1, classes), beat(2, 1, classes)], classes, 3);
    expect(first?.rhythm).toMatchObject({ couplets: null, ventricularRuns: null, pauses: 0 });
    expect(first?.rhythm?.rules).toContain('couplets and runs are not counted: no class is called V');
  });
});
