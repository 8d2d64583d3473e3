import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import type { Dataset } from '../dataset.ts';
import { hashSamples } from '../hash.ts';
import { classPrior, classWeights, selectIndices, subset } from './sampling.ts';
import { disjointDraws, splitInTwo } from './splits.ts';

// 90 samples: 60 of class 0, 20 of class 1, 10 of class 3, mixed.
const LABELS = Int32Array.from({ length: 90 }, (_, i) => (i % 9 < 6 ? 0 : i % 9 < 8 ? 1 : 3));

function dataset(): Dataset {
  const samples = Float32Array.from({ length: 180 }, (_, i) => i);
  return {
    kind: 'npz',
    name: 'd',
    size: 90,
    sampleShape: [1, 2],
    samples,
    labels: LABELS,
    classNames: ['a', 'b', 'c', 'd'],
    origins: Array.from({ length: 90 }, (_, i) => `s${i}`),
    skipped: [],
    hash: hashSamples(samples, LABELS),
  };
}

const select = (selection: Omit<Parameters<typeof selectIndices>[2], 'seed'>, seed = 1): number[] => [
  ...selectIndices(90, LABELS, { ...selection, seed }, 'd'),
];
const tally = (indices: readonly number[]): number[] =>
  [0, 1, 2, 3].map((c) => indices.filter((i) => LABELS[i] === c).length);

describe('selectIndices', () => {
  it('takes all without limits', () => {
    expect(select({})).toEqual(Array.from({ length: 90 }, (_, i) => i));
  });

  it('takes as many samples as a day of heartbeats has', () => {
    const labels = new Int32Array(300_000);
    const chosen = selectIndices(labels.length, labels, { perClass: 250_000, seed: 1 }, 'd');
    expect(chosen.length).toBe(250_000);
  });

  it('limits each class, in order, by the seed', () => {
    const chosen = select({ perClass: 15 });
    expect(tally(chosen)).toEqual([15, 15, 0, 10]);
    expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
    expect(select({ perClass: 15 })).toEqual(chosen);
    expect(select({ perClass: 15 }, 2)).not.toEqual(chosen);
  });

  it('filters classes without changing what is drawn of the others', () => {
    const both = select({ perClass: 5 });
    expect(select({ perClass: 5, classFilter: [1, 3] })).toEqual(both.filter((i) => LABELS[i] !== 0));
  });

  it('limits the whole, fairly', () => {
    expect(select({ limit: 7 })).toHaveLength(7);
    expect(select({ limit: 7, perClass: 2 })).toHaveLength(6);
    const seen = new Float64Array(90);
    for (let seed = 0; seed < 2000; seed++)
      for (const i of select({ limit: 9 }, seed)) seen[i] = seen[i]! + 1;
    // Each is drawn with probability 1/10: 200 of 2000 times, standard deviation 13.4; 5 of them either way.
    expect(Math.min(...seen)).toBeGreaterThan(133);
    expect(Math.max(...seen)).toBeLessThan(267);
  });

  it.each([{ perClass: 0 }, { perClass: 1.5 }, { limit: -1 }, { limit: Number.NaN }])(
    'refuses %j',
    (selection) => {
      expect(() => select(selection)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    },
  );

  it('refuses classes without labels, and an empty choice', () => {
    expect(() => selectIndices(3, undefined, { perClass: 1, seed: 1 }, 'd')).toThrow(/no labels/);
    expect(() => select({ classFilter: [2] })).toThrow(/no sample/);
    expect([...selectIndices(3, undefined, { limit: 2, seed: 1 }, 'd')]).toHaveLength(2);
  });
});

describe('subset', () => {
  it('takes samples, labels and origins together, in the order given', () => {
    const part = subset(dataset(), [8, 2]);
    expect(part).toMatchObject({
      size: 2,
      sampleShape: [1, 2],
      origins: ['s8', 's2'],
      classNames: ['a', 'b', 'c', 'd'],
    });
    expect([...part.samples]).toEqual([16, 17, 4, 5]);
    expect([...part.labels!]).toEqual([3, 0]);
    // The hash is SHA-256 of the little-endian samples and labels.
    const bytes = Buffer.alloc(24);
    for (const [i, v] of [16, 17, 4, 5].entries()) bytes.writeFloatLE(v, i * 4);
    for (const [i, v] of [3, 0].entries()) bytes.writeInt32LE(v, 16 + i * 4);
    expect(part.hash).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(() => subset(dataset(), [90])).toThrow(/index 90 of 90/);
  });
});

describe('splitInTwo', () => {
  it('shares no sample, loses none, and keeps the mix', () => {
    const [first, second] = splitInTwo(dataset(), 0.3, 4);
    expect(tally(first.origins!.map((o) => Number(o.slice(1))))).toEqual([18, 6, 0, 3]);
    expect(new Set([...first.origins!, ...second.origins!]).size).toBe(90);
    expect(first.size + second.size).toBe(90);
  });

  it('refuses a fraction outside (0, 1) and a single sample', () => {
    expect(() => splitInTwo(dataset(), 1, 1)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => splitInTwo(subset(dataset(), [1]), 0.5, 1)).toThrow(
      expect.objectContaining({ code: 'E_DATA' }),
    );
  });
});

describe('disjointDraws', () => {
  const numbers = (part: Dataset): number[] =>
    must(part.origins, 'origins').map((origin) => Number(origin.slice(1)));
  const draws = (first: number, second: number, seed = 1, of = dataset()) =>
    disjointDraws(of, { first, second, classes: 4 }, seed).map(numbers) as [number[], number[]];

  it('take as many samples as a day of heartbeats has', () => {
    const size = 400_000;
    const large = { ...dataset(), size, samples: new Float32Array(size), sampleShape: [1] };
    const [first, second] = disjointDraws(
      { ...large, labels: new Int32Array(size), origins: undefined },
      { first: 200_000, second: 200_000, classes: 1 },
      1,
    );
    expect([first.size, second.size]).toEqual([200_000, 200_000]);
  });

  it('share no sample, whatever the limits and the seed', () => {
    for (let seed = 0; seed < 50; seed++) {
      const [first, second] = draws(1 + (seed % 25), 1 + ((seed * 7) % 60), seed);
      expect(new Set([...first, ...second]).size).toBe(first.length + second.length);
      for (const part of [first, second]) expect(part).toEqual([...part].sort((a, b) => a - b));
    }
  });

  it('take as many of each class as asked for, and of small ones no more than half', () => {
    const [first, second] = draws(8, 30);
    expect(tally(first)).toEqual([8, 8, 0, 5]);
    expect(tally(second)).toEqual([30, 12, 0, 5]);
    const [wide, few] = draws(18, 2);
    expect(tally(wide)).toEqual([18, 18, 0, 8]);
    expect(tally(few)).toEqual([2, 2, 0, 2]);
  });

  it('repeat by seed, and keep labels with their samples', () => {
    expect(draws(5, 5, 3)).toEqual(draws(5, 5, 3));
    expect(draws(5, 5, 3)).not.toEqual(draws(5, 5, 4));
    for (const part of disjointDraws(dataset(), { first: 5, second: 20, classes: 4 }, 2)) {
      expect([...must(part.labels, 'labels')]).toEqual(numbers(part).map((i) => LABELS[i]));
    }
  });

  it('count all samples as one class without labels', () => {
    const [first, second] = draws(5, 10, 1, { ...dataset(), labels: undefined });
    expect([first.length, second.length]).toEqual([20, 40]);
    expect(new Set([...first, ...second]).size).toBe(60);
  });

  it('refuse what cannot be drawn', () => {
    expect(() => draws(5, 5, 1, subset(dataset(), [0]))).toThrow(expect.objectContaining({ code: 'E_DATA' }));
    expect(() => draws(0, 5)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
});

describe('classWeights', () => {
  it('turns the mix of the labels into the one wanted', () => {
    expect([...classPrior(LABELS, 4)]).toEqual([60 / 90, 20 / 90, 0, 10 / 90]);
    const weights = classWeights(LABELS, [1, 1, 0, 2]);
    const weighed = new Float64Array(4);
    for (const label of LABELS) weighed[label] = weighed[label]! + weights[label]! / 90;
    for (const [c, share] of [0.25, 0.25, 0, 0.5].entries()) expect(weighed[c]).toBeCloseTo(share, 12);
  });

  it('refuses a mix that cannot be', () => {
    expect(() => classWeights(LABELS, [1, 1, 1, 1])).toThrow(/class 2, but no sample/);
    for (const mix of [[], [0, 0], [1, -1], [Number.NaN, 1], [Number.POSITIVE_INFINITY, 1]]) {
      expect(() => classWeights(LABELS, mix)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    }
  });
});
