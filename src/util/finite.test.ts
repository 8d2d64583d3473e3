import { describe, expect, it } from 'vitest';
import { argmax, assertFiniteRows, assertFiniteSamples, firstNonFinite, tellNonFinite } from './finite.ts';

const NOT = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

describe('numbers that are not finite', () => {
  it('are found at their place, and finite ones are none', () => {
    expect(firstNonFinite(Float32Array.of(0, -0, 1e-45, 3.4e38, -3.4e38))).toBe(-1);
    for (const bad of NOT) expect(firstNonFinite(Float32Array.of(1, 2, bad, 4, bad))).toBe(2);
    expect(firstNonFinite(Float32Array.of(Number.NaN, 1, 2, Number.NaN), 1, 3)).toBe(-1);
    expect(tellNonFinite(Float32Array.of(0, 0, 0, 0, 0, Number.NaN), 5, [3, 1, 2])).toBe('NaN at [2, 0, 1]');
  });

  it('are found at their place in long rows of doubles', () => {
    for (const length of [0, 1, 1023, 1024, 5000]) {
      const values = Float64Array.from({ length }, (_, i) => i - 1e308);
      expect(firstNonFinite(values)).toBe(-1);
      for (const at of [0, 1022, 1023, 1024, 4095, 4999]) {
        for (const bad of NOT) {
          const broken = values.slice();
          if (at < length) broken[at] = bad;
          expect(firstNonFinite(broken)).toBe(at < length ? at : -1);
          expect(firstNonFinite(broken, at + 1)).toBe(-1);
        }
      }
    }
  });

  it('have no largest among them', () => {
    expect(argmax(Float32Array.of(-3, -1, -1, -2))).toBe(1);
    expect(argmax(Float32Array.of(9, 9, 1, 2, 3, 9), 2, 3)).toBe(2);
    for (const bad of NOT) {
      for (let at = 0; at < 3; at++) {
        const scores = Float32Array.of(1, 2, 3);
        scores[at] = bad;
        expect(() => argmax(scores, 0, 3, 'the scores of sample 7')).toThrow(
          expect.objectContaining({ code: 'E_NOT_FINITE', message: expect.stringContaining('sample 7') }),
        );
      }
    }
  });

  it('are told by row and entry, only of the rows asked for', () => {
    const values = Float32Array.of(1, 2, 3, Number.NaN, 5, Number.NaN);
    const look = (rows: number) => () => assertFiniteRows(values, rows, 2, (row) => `row ${row}`);
    expect(look(1)).not.toThrow();
    expect(look(3)).toThrow('row 1 are not finite: entry 1 is NaN');
  });

  it('are told of samples by index and origin, never by what else is in them', () => {
    const samples = Float32Array.of(1.25, 2.5, 3.75, Number.NaN);
    const set = { name: 'beats', size: 2, samples, origins: ['100', '208'] };
    expect(() => assertFiniteSamples(set)).toThrow(
      expect.objectContaining({ code: 'E_DATA', message: expect.stringMatching(/beats: sample 1 \(208\)/) }),
    );
    expect(() => assertFiniteSamples(set)).toThrow(/^(?!.*(1\.25|2\.5|3\.75)).*$/);
  });
});
