import { describe, expect, it } from 'vitest';
import { Random } from '../util/internal.ts';
import { klDivergence, squaredDifference } from './probability-distance.ts';

/** Logits of given class probabilities, moved by any constant. */
const logits = (rows: readonly (readonly number[])[], offset = 0): Float32Array =>
  Float32Array.from(rows.flat().map((p) => Math.log(p) + offset));

describe('klDivergence', () => {
  it('is the expected logarithm of the ratio, summed over samples', () => {
    const p = [
      [0.5, 0.25, 0.25],
      [0.1, 0.1, 0.8],
    ];
    const q = [
      [0.25, 0.5, 0.25],
      [0.2, 0.2, 0.6],
    ];
    // 0.5 ln 2 - 0.25 ln 2, and 0.2 ln 0.5 + 0.8 ln (4/3).
    const wanted = 0.25 * Math.LN2 - 0.2 * Math.LN2 + 0.8 * Math.log(4 / 3);
    expect(klDivergence(logits(p), logits(q), 3)).toBeCloseTo(wanted, 6);
    expect(klDivergence(logits(p, 7), logits(q, -90), 3)).toBeCloseTo(wanted, 4);
    expect(klDivergence(logits(q), logits(p), 3)).not.toBeCloseTo(wanted, 3);
  });

  it('is 0 only for equal probabilities, and never below', () => {
    const random = new Random(1);
    const a = Float32Array.from({ length: 300 }, () => 5 * random.normal());
    const b = Float32Array.from({ length: 300 }, () => 5 * random.normal());
    expect(klDivergence(a, a, 3)).toBe(0);
    expect(klDivergence(a, b, 3)).toBeGreaterThan(1);
    const near = a.map((value) => value + 1e-4 * random.normal());
    expect(klDivergence(a, near, 3)).toBeGreaterThanOrEqual(0);
    expect(klDivergence(a, near, 3)).toBeLessThan(1e-5);
  });

  it('stays finite where one network rules out what the other is sure of', () => {
    const sure = Float32Array.of(1000, 0);
    const opposite = Float32Array.of(0, 1000);
    expect(klDivergence(sure, opposite, 2)).toBeCloseTo(-Math.log(1e-12), 6);
    expect(klDivergence(sure, sure, 2)).toBe(0);
  });
});

describe('squaredDifference', () => {
  it('is that of the probabilities, summed over samples and classes', () => {
    const a = logits([
      [0.5, 0.5],
      [0.9, 0.1],
    ]);
    const b = logits([
      [0.25, 0.75],
      [0.9, 0.1],
    ]);
    expect(squaredDifference(a, b, 2)).toBeCloseTo(2 * 0.25 ** 2, 6);
  });
});
