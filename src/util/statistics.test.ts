import { describe, expect, it } from 'vitest';
import { binomialLowerBound, median } from './statistics.ts';

describe('median', () => {
  it('takes the middle, or the mean of two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe('binomialLowerBound', () => {
  it('is alpha^(1/n) when all succeed', () => {
    expect(binomialLowerBound(10, 10, 0.95)).toBeCloseTo(0.05 ** 0.1, 12);
    expect(binomialLowerBound(600, 600, 0.95)).toBeCloseTo(0.05 ** (1 / 600), 12);
  });

  it('is 1 - (1 - alpha)^(1/n) for one success', () => {
    expect(binomialLowerBound(1, 20, 0.95)).toBeCloseTo(1 - 0.95 ** (1 / 20), 12);
  });

  it('agrees with tabulated bounds', () => {
    // Beta quantiles: qbeta(0.05, 8, 3), qbeta(0.05, 90, 11).
    expect(binomialLowerBound(8, 10, 0.95)).toBeCloseTo(0.4931, 4);
    expect(binomialLowerBound(90, 100, 0.95)).toBeCloseTo(0.83626, 4);
  });

  it('is 0 without successes and rises with them', () => {
    expect(binomialLowerBound(0, 10, 0.95)).toBe(0);
    expect(binomialLowerBound(0, 0, 0.95)).toBe(0);
    const bounds = Array.from({ length: 51 }, (_, k) => binomialLowerBound(k, 50, 0.95));
    bounds.slice(1).forEach((bound, k) => {
      expect(bound).toBeGreaterThan(bounds[k] as number);
    });
  });
});
