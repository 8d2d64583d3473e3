// Two halves: together all samples, none in both, each with what it holds said of it and nothing else.
import { describe, expect, it } from 'vitest';
import { type Dataset, subset } from '../../data/index.ts';
import { hashSamples } from '../../data/internal.ts';
import { crossFitFolds } from './cross-fit-folds.ts';

function numbered(size: number): Dataset {
  const samples = Float32Array.from({ length: 2 * size }, (_, i) => i);
  const labels = Int32Array.from({ length: size }, (_, i) => i % 3);
  return {
    kind: 'npz',
    name: 'n.npz',
    size,
    sampleShape: [2],
    samples,
    labels,
    classNames: ['0', '1', '2'],
    origins: undefined,
    positions: Float64Array.from({ length: size }, (_, i) => 100 + i),
    skipped: [],
    hash: hashSamples(samples, labels),
  };
}

describe('subset', () => {
  it('gives a part the hash of the part, and the places of its samples', () => {
    const whole = numbered(7);
    const part = subset(whole, Int32Array.of(1, 4));
    expect([...part.samples]).toEqual([2, 3, 8, 9]);
    expect([...part.positions!]).toEqual([101, 104]);
    expect(part.hash).not.toBe(whole.hash);
    expect(part.hash).toBe(hashSamples(Float32Array.of(2, 3, 8, 9), Int32Array.of(1, 1)));
    const unlabelled = subset({ ...whole, labels: undefined }, Int32Array.of(1, 4));
    expect(unlabelled.hash).toBe(hashSamples(Float32Array.of(2, 3, 8, 9), undefined));
  });
});

describe('crossFitFolds', () => {
  it('divides 400,000 samples of one class', () => {
    const whole = { ...numbered(400_000), labels: undefined };
    const [first, second] = crossFitFolds(whole, 1);
    expect([first.length, second.length]).toEqual([200_000, 200_000]);
    expect(new Set([...first, ...second]).size).toBe(400_000);
  });
});
