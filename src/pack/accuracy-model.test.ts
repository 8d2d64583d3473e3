// The accuracy model on accuracies that it could have made, and what it says of its error.
import { describe, expect, it } from 'vitest';
import { allMixes } from '../repair/test-support/nets.ts';
import { Random } from '../util/internal.ts';
import { fitAccuracyModel } from './accuracy-model.ts';

const LOSS = [
  [0, 0.02, 0.3],
  [0, 0, 0.05],
  [0, 0.1, 0.11],
] as const;

const predicted = (
  unpruned: number,
  loss: readonly (readonly number[])[],
  levels: readonly number[],
): number =>
  levels.reduce(
    (product, level, group) => product * Math.exp(-(loss[group]?.[level] ?? Number.NaN)),
    unpruned,
  );

const measured = (levels: number[]) => ({ levels, accuracy: predicted(0.9, LOSS, levels) });

describe('fitAccuracyModel', () => {
  it('finds losses that made the accuracies', () => {
    const all = allMixes(3, 3).map(measured);
    const model = fitAccuracyModel(0.9, 'balanced', all, all, 3);
    expect(model).toMatchObject({ unpruned: 0.9, measure: 'balanced', fitted: 27, checked: 27 });
    model.loss.flat().forEach((value, i) => {
      expect(Math.abs(value - (LOSS.flat()[i] as number))).toBeLessThan(2e-3);
    });
    expect(model.maxError).toBeLessThan(2e-3);
    for (const { levels, accuracy } of all) {
      expect(Math.abs(predicted(0.9, model.loss, levels) - accuracy)).toBeLessThanOrEqual(
        model.maxError + 1e-12,
      );
    }
  });

  it('states the errors of the mixes that check it, in accuracy', () => {
    const random = new Random(2);
    const noisy = (levels: number[]) => ({
      levels,
      accuracy: Math.min(1, Math.max(0.1, measured(levels).accuracy + 0.1 * random.normal())),
    });
    const fitted = allMixes(3, 3).slice(0, 12).map(noisy);
    const checked = allMixes(3, 3).slice(12).map(noisy);
    const model = fitAccuracyModel(0.9, 'agreement', fitted, checked, 3);
    const errors = checked.map(({ levels, accuracy }) =>
      Math.abs(predicted(0.9, model.loss, levels) - accuracy),
    );
    expect(model.maxError).toBeCloseTo(Math.max(...errors), 12);
    expect(model.meanError).toBeCloseTo(errors.reduce((a, b) => a + b) / errors.length, 12);
    expect(model.maxError).toBeGreaterThan(0.05);
    expect(model).toMatchObject({ fitted: 12, checked: 15, measure: 'agreement' });
  });

  it('takes no gain for a loss below 0, and a lost network for no more than lost', () => {
    const loss = (accuracy: number) =>
      fitAccuracyModel(
        0.8,
        'balanced',
        [
          { levels: [0], accuracy: 0.8 },
          { levels: [1], accuracy },
        ],
        [],
        2,
      ).loss;
    expect(loss(0.95)).toEqual([[0, 0]]);
    expect(loss(0)[0]?.[1]).toBeCloseTo(Math.log(20), 1);
    expect(loss(0)).toEqual(loss(0.01));
  });

  it('holds finite numbers where the unpruned network is never right, or nothing checks it', () => {
    const model = fitAccuracyModel(
      0,
      'balanced',
      [
        { levels: [0], accuracy: 0 },
        { levels: [1], accuracy: 0 },
      ],
      [],
      2,
    );
    expect(model).toMatchObject({ unpruned: 0, loss: [[0, 0]], maxError: 0, meanError: 0, checked: 0 });
  });
});
