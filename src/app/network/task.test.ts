// The task that an output has on labels of each kind, and what contradicts each other.
import { describe, expect, it } from 'vitest';
import type { LabelFacts } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { taskOnData } from './task.ts';

const classifier = (
  outputShape: readonly number[],
  task: Classifier['task'],
  classes: number,
): Classifier => ({
  ...{ input: 'x', sampleShape: [4], output: 'y', fixedBatch: undefined, taskSaid: false },
  ...{ task, outputShape, scores: outputShape.reduce((product, size) => product * size, 1), classes },
  ...{ probabilities: false, exclusive: task === 'single-label' },
});
const one = classifier([1], 'binary', 2);
const list = classifier([3], 'single-label', 3);
const positions = classifier([1, 8], 'segmentation', 2);
const whole = (shape: readonly number[], highest: number, oneHot = false): LabelFacts => ({
  ...{ shape, whole: true, lowest: 0, highest, oneHot },
});
const fractions = (shape: readonly number[]): LabelFacts => ({
  shape,
  whole: false,
  lowest: 0.1,
  highest: 2.5,
});

describe('the task on data', () => {
  it.each<[string, Classifier, string | undefined, LabelFacts | undefined, string, boolean]>([
    ['one score, 0 and 1', one, undefined, whole([], 1), 'binary', false],
    ['one score, fractions', one, undefined, fractions([]), 'regression', false],
    ['one score, counts', one, undefined, whole([], 90), 'regression', true],
    ['one score, no labels', one, undefined, undefined, 'binary', true],
    ['one sigmoid, no labels', one, 'Sigmoid', undefined, 'binary', false],
    ['a list, class numbers', list, undefined, whole([], 2), 'single-label', false],
    ['a list, rows with a single 1', list, undefined, whole([3], 1, true), 'single-label', true],
    ['sigmoids, rows with a single 1', list, 'Sigmoid', whole([3], 1, true), 'multi-label', true],
    ['a list, rows of 0 and 1', list, undefined, whole([3], 1), 'multi-label', true],
    ['a list, rows of fractions', list, undefined, fractions([3]), 'regression', true],
    ['positions, masks', positions, undefined, whole([1, 8], 1), 'segmentation', false],
    ['positions, fractions', positions, undefined, fractions([1, 8]), 'regression', false],
  ])('of %s', (_, given, end, labels, task, guessed) => {
    const found = taskOnData(given, end, labels, 'net');
    expect([found.task, found.why !== undefined]).toEqual([task, guessed]);
  });

  it.each<[string, Classifier, string | undefined, LabelFacts]>([
    ['one score and several labels', one, undefined, whole([3], 1)],
    ['one sigmoid and more classes', one, 'Sigmoid', whole([], 4)],
    ['a list and fractions', list, undefined, fractions([])],
    ['a list and rows of another length', list, undefined, whole([5], 1)],
    ['a softmax and several labels', list, 'Softmax', whole([3], 1)],
    ['positions and class numbers', positions, undefined, whole([], 2)],
  ])('of %s is refused', (_, given, end, labels) => {
    expect(() => taskOnData(given, end, labels, 'net')).toThrowError(
      expect.objectContaining({ code: 'E_DATA_FIT', message: expect.stringContaining("output 'y'") }),
    );
  });
});
