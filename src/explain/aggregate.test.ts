// Aggregations against hand arithmetic, with and without weights.
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../util/index.ts';
import { AGGREGATIONS, type Aggregation, Aggregator, parseAggregation } from './aggregate.ts';

// Three samples of two channels.
const ROWS = [
  [1, -4],
  [-3, 2],
  [5, -1],
];

function aggregate(kind: Aggregation, weights: readonly number[] = [1, 1, 1]): number[] {
  const sums = new Aggregator(kind, 2);
  ROWS.forEach((row, i) => {
    sums.add(Float32Array.from(row), weights[i] as number);
  });
  return Array.from(sums.finish());
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, c) => {
    expect(actual[c]).toBeCloseTo(value, 12);
  });
}

describe('aggregation', () => {
  // Weights 1, 2, 1 of 4; then 0, 1, 3 of 4.
  it.each<[Aggregation, number[], number[], number[]]>([
    ['mean-absolute', [9 / 3, 7 / 3], [(1 + 6 + 5) / 4, (4 + 4 + 1) / 4], [(3 + 15) / 4, (2 + 3) / 4]],
    ['mean', [3 / 3, -3 / 3], [(1 - 6 + 5) / 4, (-4 + 4 - 1) / 4], [(-3 + 15) / 4, (2 - 3) / 4]],
    ['absolute-mean', [1, 1], [0, 1 / 4], [3, 1 / 4]],
    ['square-mean', [1, 1], [0, 1 / 16], [9, 1 / 16]],
    ['positive', [6 / 3, 2 / 3], [6 / 4, 4 / 4], [15 / 4, 2 / 4]],
    ['mean-square', [35 / 3, 21 / 3], [(1 + 18 + 25) / 4, (16 + 8 + 1) / 4], [(9 + 75) / 4, (4 + 3) / 4]],
    // Sorted sizes: 1, 3, 5 (weights 1, 2, 1; then 0, 1, 3) and 1, 2, 4 (weights 1, 2, 1; then 3, 1, 0).
    [{ quantile: 0.5 }, [3, 2], [3, 2], [5, 1]],
    [{ quantile: 0.25 }, [1, 1], [1, 1], [3, 1]],
    [{ quantile: 0.8 }, [5, 4], [5, 4], [5, 2]],
    [{ quantile: 1 }, [5, 4], [5, 4], [5, 2]],
    [{ quantile: 0 }, [1, 1], [1, 1], [3, 1]],
  ])('%j', (kind, alike, weighted, uneven) => {
    expectClose(aggregate(kind), alike);
    expectClose(aggregate(kind, [1, 2, 1]), weighted);
    expectClose(aggregate(kind, [0, 1, 3]), uneven);
    // Only the proportions of the weights count.
    expectClose(aggregate(kind, [0.5, 1, 0.5]), weighted);
  });

  it('of nothing, or of samples that do not count, is zero', () => {
    for (const kind of [...AGGREGATIONS, { quantile: 0.5 }]) {
      expect(Array.from(new Aggregator(kind, 2).finish())).toEqual([0, 0]);
      expect(aggregate(kind, [0, 0, 0]).map(Math.abs)).toEqual([0, 0]);
    }
  });
});

describe('parseAggregation', () => {
  it.each([
    ...AGGREGATIONS.map((name): [string, Aggregation] => [name, name]),
    ['quantile=0.9', { quantile: 0.9 }] as [string, Aggregation],
    ['quantile=1', { quantile: 1 }] as [string, Aggregation],
    ['quantile=.5', { quantile: 0.5 }] as [string, Aggregation],
  ])('reads %s', (text, kind) => {
    expect(parseAggregation(text)).toEqual(kind);
  });

  it.each(['', 'max', 'quantile', 'quantile=', 'quantile=1.5', 'quantile=-1', 'quantile=x', 'Mean'])(
    'refuses %j',
    (text) => {
      let thrown: unknown;
      try {
        parseAggregation(text);
      } catch (error) {
        thrown = error;
      }
      expect(BedsideError.is(thrown, 'E_USAGE') && thrown.message).toContain(`'${text}'`);
      expect(BedsideError.is(thrown) && thrown.hint).toContain('mean-absolute');
    },
  );
});
