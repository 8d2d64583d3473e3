// Every measure against a slow twin that counts pairs, thresholds and positions one by one.
import { describe, expect, it } from 'vitest';
import { foundMasks, Random, type ScoreForm, trueMasks } from '../../util/internal.ts';
import { agreement } from './agreement.ts';
import { binaryMeasures, describeLeftOut, mainMeasure, measuresOf } from './measures.ts';
import { auroc, averagePrecision } from './ranking.ts';
import { meanCosine, r2 } from './values.ts';

const form = (given: Partial<ScoreForm>): ScoreForm => ({
  task: 'multi-label',
  outputShape: [3],
  scores: 3,
  classes: 3,
  probabilities: false,
  exclusive: false,
  ...given,
});

/** Scores with many ties. */
function draw(random: Random, count: number): { scores: Float32Array; positive: Uint8Array } {
  const scores = Float32Array.from({ length: count }, () => random.integer(7) - 3);
  const positive = Uint8Array.from(scores, (score) => Number(score + 3 * random.normal() > 0));
  return { scores, positive };
}

function pairs(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < scores.length; i++) {
    for (let j = 0; j < scores.length; j++) {
      if (!positive[i] || positive[j]) continue;
      const [a, b] = [scores[i] as number, scores[j] as number];
      sum += a > b ? 1 : a === b ? 0.5 : 0;
      count++;
    }
  }
  return sum / count;
}

function precisionTwin(scores: Float32Array, positive: Uint8Array): number {
  const all = positive.reduce((sum, value) => sum + value, 0);
  let [recall, result] = [0, 0];
  for (const threshold of [...new Set(scores)].sort((a, b) => b - a)) {
    const found = [...scores.keys()].filter((i) => (scores[i] as number) >= threshold);
    const right = found.filter((i) => positive[i]).length;
    result += (right / all - recall) * (right / found.length);
    recall = right / all;
  }
  return result;
}

describe('ranking measures', () => {
  it('equal the share of pairs, and the sum over thresholds, with ties', () => {
    const random = new Random(3);
    for (let round = 0; round < 30; round++) {
      const { scores, positive } = draw(random, 5 + random.integer(40));
      if (new Set(positive).size < 2) continue;
      expect(auroc(scores, positive)).toBeCloseTo(pairs(scores, positive), 12);
      expect(averagePrecision(scores, positive)).toBeCloseTo(precisionTwin(scores, positive), 12);
    }
  });

  it('are not defined without both kinds', () => {
    expect(auroc([1, 2], [1, 1])).toBeNaN();
    expect(averagePrecision([1, 2], [0, 0])).toBeNaN();
  });

  it('of a binary task count what is above the threshold', () => {
    const scores = Float32Array.of(0.9, 0.5, 0.6, 0.1);
    const measured = binaryMeasures(
      form({ task: 'binary', scores: 1, probabilities: true }),
      scores,
      [1, 1, 0, 0],
    );
    // One of two found, and one found wrongly.
    expect(measured).toMatchObject({ auroc: 3 / 4, f1: 2 / 4 });
  });
});

describe('several labels', () => {
  it('average over labels that have both kinds, and name the others', () => {
    const scores = Float32Array.of(1, -1, 2, -1, 2, 1, 3, 1, 0);
    const truth = Uint8Array.of(1, 0, 1, 0, 1, 1, 1, 1, 1);
    const targets = { kind: 'labels', shape: [3], data: truth } as const;
    const measured = measuresOf(form({}), scores, targets, 'data');
    expect(measured.measures.auroc).toBe(1);
    expect(measured.leftOut).toEqual({ auroc: [2] });
    expect(describeLeftOut(measured, ['N', 'S', 'V'])[0]).toMatch(/^AUROC leaves out V/);
    // Of the third label two of three are above 0, all rightly.
    expect(measured.byLabel?.map(({ f1 }) => f1)).toEqual([1, 1, 4 / 5]);
    expect(measured.measures.f1).toBeCloseTo((1 + 1 + 4 / 5) / 3, 12);
    expect(mainMeasure(measured.measures)).toEqual({ name: 'auroc', value: 1 });
  });

  it('agree where whole sets are the same', () => {
    const a = Float32Array.of(1, -1, 1, -1, 1, 1);
    expect(agreement(form({}), a, Float32Array.of(2, -3, 4, -1, 1, -1))).toBe(1 / 2);
  });
});

describe('masks', () => {
  it('of one channel are counted over all positions of all samples', () => {
    const one = form({ task: 'segmentation', outputShape: [1, 4], scores: 4, classes: 2 });
    const scores = Float32Array.of(1, 1, -1, -1, -1, 1, -1, -1);
    const data = Uint8Array.of(1, 0, 0, 0, 1, 1, 1, 0);
    const { measures, byLabel } = measuresOf(one, scores, { kind: 'mask', shape: [1, 4], data }, 'data');
    // 2 in both, 3 found, 4 there.
    expect(measures).toEqual({ dice: 4 / 7, iou: 2 / 5 });
    expect(byLabel).toBeUndefined();
  });

  it('of classes leave the background out of the mean, whether given as classes or as masks', () => {
    const three = form({ task: 'segmentation', outputShape: [3, 2], scores: 6, classes: 3, exclusive: true });
    // Two samples of two positions: classes 0, 2 and 1, 1 by the highest score.
    const scores = Float32Array.of(5, 0, 1, 1, 0, 2, 0, 0, 3, 3, 1, 1);
    expect([...foundMasks(three, scores)]).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0]);
    const classes = Uint8Array.of(0, 1, 1, 1);
    const asClasses = { kind: 'mask', shape: [1, 2], data: classes } as const;
    const masks = trueMasks(three, classes, 2, 'data');
    const asMasks = { kind: 'mask', shape: [3, 2], data: masks } as const;
    const found = measuresOf(three, scores, asClasses, 'data');
    expect(measuresOf(three, scores, asMasks, 'data')).toEqual(found);
    // Class 1: 2 in both, 2 found, 3 there. Class 2: found once, nowhere there.
    expect(found.byLabel?.map(({ dice }) => dice)).toEqual([1, 4 / 5, 0]);
    expect(found.measures.dice).toBeCloseTo(2 / 5, 12);
    const wrong = { kind: 'mask', shape: [1, 2], data: Uint8Array.of(3, 0, 0, 0) } as const;
    expect(() => measuresOf(three, scores, wrong, 'data')).toThrowError(
      expect.objectContaining({ code: 'E_DATA_FIT' }),
    );
    expect(agreement(three, scores, scores)).toBe(1);
  });
});

describe('values', () => {
  const two = form({ task: 'regression', outputShape: [2], scores: 2, classes: 2 });
  const given = Float32Array.of(1, 5, 2, 5, 4, 8);
  const data = Float32Array.of(1, 7, 3, 7, 5, 7);

  it('have the error of each and the variance explained, and name those that do not vary', () => {
    const measured = measuresOf(two, given, { kind: 'values', shape: [2], data }, 'data');
    // First value: errors 0, 1, 1; mean 3, squares 4, 0, 4. The second does not vary.
    expect(measured.measures).toEqual({ r2: 1 - 2 / 8, meanAbsoluteError: (2 / 3 + 5 / 3) / 2 });
    expect(measured.leftOut).toEqual({ r2: [1] });
    expect(r2([1, 2], [5, 5])).toBeNaN();
  });

  it('agree by the variance of the first network', () => {
    expect(agreement(two, given, given)).toBe(1);
    const other = Float32Array.from(given, (value, i) => (i % 2 === 0 ? value + 1 : value));
    const mean = 7 / 3;
    const squares = (1 - mean) ** 2 + (2 - mean) ** 2 + (4 - mean) ** 2;
    expect(agreement(two, given, other)).toBeCloseTo((1 - 3 / squares + 1) / 2, 12);
  });

  it('of embeddings count by their angle', () => {
    expect(meanCosine([3, 4, 1, 0], [6, 8, 0, 2], 2)).toBe(1 / 2);
    expect(meanCosine([0, 0], [1, 0], 2)).toBe(0);
  });

  it('of another size are refused', () => {
    expect(() => measuresOf(two, given, { kind: 'labels', shape: [2], data }, 'data')).toThrowError(
      expect.objectContaining({ code: 'E_DATA_FIT' }),
    );
  });
});
