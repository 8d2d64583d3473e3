// Measures of variants and their lower bounds, against definitions written out by hand.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../data/index.ts';
import type { Targets } from '../data/internal.ts';
import { measuresOf, type ScoreForm } from '../evaluate/internal.ts';
import type { TaskKind } from '../util/index.ts';
import { binomialLowerBound, Random } from '../util/internal.ts';
import { judge, judgedBy } from './judge.ts';
import { aurocLowerBound, bootstrapLowerBound, measureOf } from './lower-bounds.ts';
import { summedDice, summedMean, summedR2 } from './summed-measures.ts';

const SIZE = 40;

const form = (task: TaskKind, outputShape: number[], more: Partial<ScoreForm> = {}): ScoreForm => {
  const scores = outputShape.reduce((product, size) => product * size, 1);
  const classes = task === 'binary' ? 2 : (outputShape[0] ?? 1);
  return { task, outputShape, scores, classes, probabilities: false, exclusive: false, ...more };
};

function noise(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

function dataset(targets: Targets | undefined, labels?: Int32Array): Dataset {
  return {
    ...{ kind: 'npz', name: 'd', size: SIZE, sampleShape: [1], samples: new Float32Array(SIZE), hash: '' },
    ...{ labels, targets, classNames: [], origins: undefined, skipped: [] },
  };
}

const LABELS = form('multi-label', [3]);
const MASK = form('segmentation', [1, 6], { classes: 2 });
const CLASSES = form('segmentation', [3, 6], { exclusive: true });
const VALUES = form('regression', [2]);

describe('a variant is judged', () => {
  const whole = noise(SIZE * 3, 1);
  const given = whole.map((value, i) => value + 0.4 * (noise(SIZE * 3, 2)[i] as number));

  it('by the share of right classes, as a whole or by class', () => {
    const one = form('binary', [1]);
    const [scores, unpruned] = [noise(SIZE, 3), noise(SIZE, 4)];
    const labels = Int32Array.from({ length: SIZE }, (_, i) => Number((unpruned[i] as number) > 0.3));
    const found = judge(one, 'balanced', dataset(undefined, labels), unpruned, scores);
    const recall = [0, 1].map((label) => {
      const own = [...labels.keys()].filter((i) => labels[i] === label);
      return own.filter((i) => Number((scores[i] as number) > 0) === label).length / own.length;
    });
    expect(found.recall).toEqual(recall);
    expect(found.accuracy).toBeCloseTo(((recall[0] ?? 0) + (recall[1] ?? 0)) / 2, 12);
    const alike = [...scores.keys()].filter((i) => (scores[i] ?? 0) > 0 === (unpruned[i] ?? 0) > 0).length;
    expect(found.agreement).toBe(alike / SIZE);
    const unlabelled = judge(one, 'agreement', dataset(undefined), unpruned, scores);
    expect(unlabelled).toEqual({
      accuracy: alike / SIZE,
      lowerBound: binomialLowerBound(alike, SIZE, 0.95),
      agreement: alike / SIZE,
      recall: [null, null],
    });
  });

  it('by the mean AUROC of labels, which have recalls and share their sets with the unpruned network', () => {
    const targets: Targets = {
      kind: 'labels',
      shape: [3],
      data: Uint8Array.from(whole, (value, i) => Number(value + 0.1 * (i % 3) > 0.2)),
    };
    const data = dataset(targets);
    const found = judge(LABELS, 'auroc', data, whole, given);
    expect(found.accuracy).toBe(measuresOf(LABELS, given, targets, 'd').measures.auroc);
    expect(found.lowerBound).toBeLessThan(found.accuracy);
    expect(found.lowerBound).toBeGreaterThan(found.accuracy - 0.3);
    const own = [...given.keys()].filter((i) => i % 3 === 1 && targets.data[i]);
    expect(found.recall[1]).toBeCloseTo(own.filter((i) => (given[i] as number) > 0).length / own.length, 12);
    const sets = [...Array(SIZE).keys()].filter((s) =>
      [0, 1, 2].every((k) => (given[3 * s + k] ?? 0) > 0 === (whole[3 * s + k] ?? 0) > 0),
    );
    expect(found.agreement).toBe(sets.length / SIZE);
    const nothing = { ...targets, data: new Uint8Array(SIZE * 3) };
    expect(() => judge(LABELS, 'auroc', dataset(nothing), whole, given)).toThrow(/do not allow AUROC/);
  });

  it('by Dice of masks, with recalls by position', () => {
    const [scores, unpruned] = [noise(SIZE * 6, 5), noise(SIZE * 6, 6)];
    const truth = Uint8Array.from(noise(SIZE * 6, 7), (value) => Number(value > 0.5));
    const targets: Targets = { kind: 'mask', shape: [1, 6], data: truth };
    const found = judge(MASK, 'dice', dataset(targets), unpruned, scores);
    let [both, total, outside, rejected] = [0, 0, 0, 0];
    truth.forEach((there, i) => {
      const yes = (scores[i] as number) > 0 ? 1 : 0;
      both += yes * there;
      total += yes + there;
      outside += 1 - there;
      rejected += (1 - yes) * (1 - there);
    });
    expect(found.accuracy).toBeCloseTo((2 * both) / total, 12);
    expect(found.recall[0]).toBeCloseTo(rejected / outside, 12);
    expect(found.recall).toHaveLength(2);
    expect(judge(MASK, 'agreement', dataset(undefined), scores, scores)).toMatchObject({
      accuracy: 1,
      agreement: 1,
      recall: [null, null],
    });
  });

  it('by R2 of values and the cosine of embeddings, at least 0, without recalls', () => {
    const [scores, unpruned] = [noise(SIZE * 2, 8), noise(SIZE * 2, 9)];
    const data = unpruned.map((value, i) => value + 0.3 * (noise(SIZE * 2, 10)[i] as number));
    const targets: Targets = { kind: 'values', shape: [2], data };
    const near = judge(VALUES, 'r2', dataset(targets), unpruned, unpruned);
    expect(near.accuracy).toBeCloseTo(measuresOf(VALUES, unpruned, targets, 'd').measures.r2 ?? 0, 9);
    expect(near).toMatchObject({ agreement: 1, recall: [] });
    expect(near.lowerBound).toBeLessThan(near.accuracy);
    expect(judge(VALUES, 'r2', dataset(targets), unpruned, scores)).toMatchObject({
      accuracy: 0,
      lowerBound: 0,
      agreement: 0,
    });
    const cosine = judge(form('embedding', [2]), 'cosine', dataset(targets), unpruned, unpruned);
    expect(cosine.accuracy).toBeCloseTo(
      measuresOf(form('embedding', [2]), unpruned, targets, 'd').measures.cosine ?? 0,
      9,
    );
  });

  it('by the measure of the task with labels, by agreement without, and by no other without', () => {
    expect(judgedBy(LABELS, dataset(undefined), undefined)).toBe('agreement');
    expect(() => judgedBy(LABELS, dataset(undefined), 'auroc')).toThrow(/no labels, so AUROC cannot/);
    const labels = new Int32Array(SIZE);
    expect(judgedBy(form('single-label', [3]), dataset(undefined, labels), undefined)).toBe('balanced');
    expect(judgedBy(MASK, dataset({ kind: 'mask', shape: [1, 6], data: new Uint8Array(0) }), undefined)).toBe(
      'dice',
    );
  });
});

describe('sums over samples', () => {
  it('give Dice, R2 and means as they are defined', () => {
    const scores = noise(SIZE * 18, 11);
    const there = new Uint8Array(SIZE * 18);
    const found = new Uint8Array(SIZE * 18);
    const random = new Random(12);
    for (let s = 0; s < SIZE; s++) {
      for (let at = 0; at < 6; at++) {
        there[18 * s + 6 * random.integer(3) + at] = 1;
        const own = [0, 1, 2].map((c) => scores[18 * s + 6 * c + at] as number);
        found[18 * s + 6 * own.indexOf(Math.max(...own)) + at] = 1;
      }
    }
    const targets: Targets = { kind: 'mask', shape: [3, 6], data: there };
    const { dice } = measuresOf(CLASSES, scores, targets, 'd').measures;
    expect(measureOf(summedDice(CLASSES, found, there))).toBeCloseTo(dice ?? 0, 12);
    const [a, b] = [noise(80, 13), noise(80, 14)];
    const values = measuresOf(VALUES, a, { kind: 'values', shape: [2], data: b }, 'd').measures;
    expect(measureOf(summedR2(a, b, 2))).toBeCloseTo(values.r2 ?? 0, 9);
    expect(measureOf(summedMean(Float64Array.of(1, 2, 6)))).toBe(3);
  });
});

describe('lower bounds', () => {
  it('of AUROC hold in about 95 of 100 draws, and are below 1 for a perfect order', () => {
    expect(aurocLowerBound(1, 10, 10)).toBeGreaterThan(0.75);
    expect(aurocLowerBound(1, 10, 10)).toBeLessThan(0.95);
    expect(aurocLowerBound(Number.NaN, 0, 10)).toBeNaN();
    // Scores of two normal classes whose means differ by d have the area Phi(d / sqrt 2): 0.9214 for 2.
    const random = new Random(15);
    let held = 0;
    for (let draw = 0; draw < 300; draw++) {
      const [up, down] = [12, 20].map((count, k) =>
        Array.from({ length: count }, () => random.normal() + 2 * (1 - k)),
      ) as [number[], number[]];
      const before = up.reduce((sum, x) => sum + down.filter((y) => y < x).length, 0);
      if (aurocLowerBound(before / 240, 12, 20) <= 0.9214) held++;
    }
    expect(held / 300).toBeGreaterThan(0.92);
  });

  it('by bootstrap hold in about 95 of 100 draws, and are below the value where nothing varies', () => {
    const random = new Random(16);
    let held = 0;
    for (let draw = 0; draw < 60; draw++) {
      const values = Float64Array.from({ length: 50 }, () => random.uniform());
      if (bootstrapLowerBound(summedMean(values)) <= 0.5) held++;
    }
    expect(held / 60).toBeGreaterThan(0.85);
    expect(bootstrapLowerBound(summedMean(new Float64Array(30).fill(1)))).toBeCloseTo(0.05 ** (1 / 30), 12);
  });
});
