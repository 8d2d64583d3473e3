// Answers of each task for people.
import { describe, expect, it } from 'vitest';
import type { ScoreForm } from '../../util/internal.ts';
import { explainedWeights, readAnswer } from './answers.ts';

const form = (task: ScoreForm['task'], outputShape: number[], more: Partial<ScoreForm> = {}): ScoreForm => ({
  ...{ task, outputShape, exclusive: task === 'single-label', probabilities: false },
  scores: outputShape.reduce((product, axis) => product * axis, 1),
  classes: outputShape[0] ?? 1,
  ...more,
});
const scores = (...values: number[]) => Float32Array.from(values);

describe('an answer', () => {
  it('of classes has probabilities that add up, from logits or as they are', () => {
    const { probabilities, found } = readAnswer(
      form('single-label', [3]),
      scores(Math.log(6), Math.log(3), 0),
    );
    expect(probabilities?.map((p) => Number(p.toFixed(4)))).toEqual([0.6, 0.3, 0.1]);
    expect(found).toEqual([0]);
    const own = form('single-label', [2], { probabilities: true });
    expect(readAnswer(own, scores(0.25, 0.75))).toEqual({ probabilities: [0.25, 0.75], found: [1] });
  });

  it('of one label has both sides; of several the labels above the threshold', () => {
    const { probabilities, found } = readAnswer(form('binary', [1]), scores(Math.log(3)));
    expect([probabilities?.[1]?.toFixed(4), found]).toEqual(['0.7500', [1]]);
    expect(readAnswer(form('multi-label', [3]), scores(1, -1, 2)).found).toEqual([0, 2]);
  });

  it('of a mask has the class of each position, 0 for none', () => {
    const exclusive = form('segmentation', [3, 1, 2], { exclusive: true });
    const { mask, found } = readAnswer(exclusive, scores(5, 0, 0, 1, 1, 7));
    expect([mask?.shape, Array.from(mask?.data ?? []), found]).toEqual([
      [1, 2],
      [0, 2],
      [0, 2],
    ]);
    const one = readAnswer(form('segmentation', [1, 2]), scores(-1, 1));
    expect(Array.from(one.mask?.data ?? [])).toEqual([0, 1]);
  });

  it('of values and vectors has them', () => {
    expect(readAnswer(form('regression', [2]), scores(1, 2))).toEqual({ values: [1, 2] });
  });
});

describe('what is explained', () => {
  it('is the class that answers, or the one that was chosen', () => {
    const own = form('single-label', [3]);
    expect(Array.from(explainedWeights(own, scores(0, 2, 1), undefined))).toEqual([0, 1, 0]);
    expect(Array.from(explainedWeights(own, scores(0, 2, 1), 2))).toEqual([0, 0, 1]);
    expect(Array.from(explainedWeights(form('multi-label', [3]), scores(1, -1, 2), undefined))).toEqual([
      1, 0, 1,
    ]);
  });

  it('is refused for a class that there is not, and of values', () => {
    expect(() => explainedWeights(form('single-label', [3]), scores(0, 2, 1), 3)).toThrow(/not one of/);
    expect(() => explainedWeights(form('regression', [1]), scores(0), 0)).toThrow(/no class to choose/);
  });
});
