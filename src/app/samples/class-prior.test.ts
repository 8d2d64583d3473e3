// The class prior: its shares, how samples weigh by it, and what is refused.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/index.ts';
import { accuracies } from '../../evaluate/internal.ts';
import {
  describePrior,
  explanationTarget,
  priorShares,
  priorWeighting,
  samplesInPrior,
  sampleWeights,
} from './class-prior.ts';

const NAMES = ['N', 'S', 'V'];

function dataset(labels: readonly number[] | undefined): Dataset {
  const size = labels?.length ?? 4;
  return {
    kind: 'npz',
    name: 'beats',
    size,
    sampleShape: [1],
    samples: Float32Array.from({ length: size }, (_, i) => i),
    labels: labels && Int32Array.from(labels),
    classNames: NAMES,
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

describe('priorShares', () => {
  it('takes names and numbers, and makes the shares sum to 1', () => {
    expect(
      priorShares(
        new Map([
          ['N', 9],
          ['V', 1],
        ]),
        NAMES,
      ),
    ).toEqual(Float64Array.of(0.9, 0, 0.1));
    expect(priorShares({ 2: 0.5, n: 1.5 }, NAMES)).toEqual(Float64Array.of(0.75, 0, 0.25));
    // A name counts before a number, and may hold a colon.
    expect(priorShares({ 1: 1 }, ['1', '0'])).toEqual(Float64Array.of(1, 0));
    expect(priorShares({ 'a:b': 1 }, ['x', 'a:b'])).toEqual(Float64Array.of(0, 1));
  });

  it.each([{ X: 1 }, { 3: 1 }, { N: 1, 0: 1 }])('refuses %o for these classes, and lists them', (prior) => {
    expect(() => priorShares(prior, NAMES)).toThrowError(
      expect.objectContaining({ code: 'E_USAGE', hint: expect.stringMatching(/0 N, 1 S, 2 V|once/) }),
    );
  });

  it.each([{}, { N: 0 }, { N: 1, V: -0.5 }, { N: Number.NaN }])('refuses the amounts of %o', (prior) => {
    expect(() => priorShares(prior, NAMES)).toThrowError(expect.objectContaining({ code: 'E_USAGE' }));
  });
});

describe('samples of a mix', () => {
  const data = dataset([0, 0, 0, 1, 2, 2]);
  const shares = Float64Array.of(0.9, 0, 0.1);

  it('are those of its classes, and those of each class weigh its share together', () => {
    const chosen = samplesInPrior(data, shares);
    expect(Array.from(chosen.samples)).toEqual([0, 1, 2, 4, 5]);
    const weights = sampleWeights(chosen, shares);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expect(((weights[0] as number) * 3) / total).toBeCloseTo(0.9, 12);
    expect(((weights[3] as number) * 2) / total).toBeCloseTo(0.1, 12);
    expect(new Set(weights.subarray(0, 3)).size).toBe(1);
  });

  it('are refused when a class of the mix has none, or nothing has a label', () => {
    expect(() => sampleWeights(dataset([0, 0]), shares)).toThrowError(
      expect.objectContaining({ code: 'E_DATA' }),
    );
    expect(() => samplesInPrior(dataset([1, 1]), shares)).toThrowError(
      expect.objectContaining({ code: 'E_DATA' }),
    );
    expect(() => priorWeighting(dataset(undefined), shares, undefined)).toThrowError(
      expect.objectContaining({ code: 'E_DATA' }),
    );
  });

  it('start relevance from the mix that is given, else from their own', () => {
    expect(explanationTarget('mix', data, shares)).toEqual(Float32Array.of(0.9, 0, 0.1));
    expect(explanationTarget('mix', data, undefined)).toEqual(Float32Array.of(3 / 6, 1 / 6, 2 / 6));
    expect(explanationTarget('label', data, shares)).toBe('label');
    expect(() => explanationTarget('mix', dataset(undefined), undefined)).toThrowError(
      expect.objectContaining({ code: 'E_DATA' }),
    );
    // Without labels a given mix can still be what relevance starts from.
    expect(priorWeighting(dataset(undefined), shares, 'mix')).toEqual({
      weights: undefined,
      target: Float32Array.of(0.9, 0, 0.1),
    });
  });

  it('are said in words', () => {
    expect(describePrior(shares, NAMES)).toBe('90 % N, 10 % V');
  });
});

describe('accuracy in a mix', () => {
  it('is the sum of share x recall', () => {
    // Recalls 3/4, 0/1, 1/2.
    const expected = Int32Array.of(0, 0, 0, 0, 1, 2, 2);
    const predictions = Int32Array.of(0, 0, 0, 1, 2, 2, 0);
    const found = accuracies(predictions, expected, 3, [9, 0, 1]);
    expect(found.accuracy).toBeCloseTo(0.9 * 0.75 + 0.1 * 0.5, 12);
    expect(found.balancedAccuracy).toBeCloseTo((0.75 + 0.5) / 2, 12);
    expect(found.recall).toEqual([0.75, 0, 0.5]);
    expect(() => accuracies(Int32Array.of(0), Int32Array.of(0), 3, [1, 1, 0])).toThrowError(
      expect.objectContaining({ code: 'E_DATA' }),
    );
  });
});
