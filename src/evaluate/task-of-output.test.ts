// The task of an output, by its shape and its end; and what is refused.
import { describe, expect, it } from 'vitest';
import type { Model } from '../onnx/index.ts';
import { GraphBuilder, intConstant, withMetadata } from '../onnx/internal.ts';
import { CONTRACT_KEY } from '../util/internal.ts';
import { describeClassifier } from './classifier.ts';

/** A network that hands on six numbers in a shape, perhaps through an operator, and a reshape behind it. */
function shaped(shape: readonly number[], op?: string, behind?: readonly number[]): Model {
  const builder = new GraphBuilder();
  const reshape = (value: string, dims: readonly number[]): string =>
    builder.node('Reshape', [value, builder.constant(intConstant(dims), 'shape')], {}, 'shaped');
  let value = reshape(builder.input('x', ['batch', 6]), [-1, ...shape]);
  if (op) value = builder.node(op, [value], {}, 'end');
  if (behind) value = reshape(value, [-1, ...behind]);
  builder.output(value, undefined);
  return builder.model();
}

const said = (model: Model, task: string): Model =>
  withMetadata(model, CONTRACT_KEY, JSON.stringify({ task }));

describe('the task of an output', () => {
  it.each<[readonly number[], string | undefined, string, number, number]>([
    [[6], undefined, 'single-label', 6, 6],
    [[6, 1, 1], 'Softmax', 'single-label', 6, 6],
    [[6], 'Sigmoid', 'multi-label', 6, 6],
    [[2, 3], undefined, 'segmentation', 6, 2],
    [[1, 6], 'Sigmoid', 'segmentation', 6, 2],
    [[3, 1, 2], undefined, 'segmentation', 6, 3],
  ])('of %j behind %s is %s', (shape, op, task, scores, classes) => {
    expect(describeClassifier(shaped(shape, op), 'net')).toMatchObject({
      task,
      taskSaid: false,
      outputShape: shape,
      scores,
      classes,
      probabilities: op === 'Softmax' || op === 'Sigmoid',
    });
  });

  it('of one score is binary, with or without axes of size 1', () => {
    for (const dims of [['batch'], ['batch', 1], ['batch', 1, 1, 1]] as const) {
      const builder = new GraphBuilder();
      const input = builder.input('x', ['batch', 1]);
      const end = builder.node('Sigmoid', [input], {}, 'end');
      const shape = builder.constant(intConstant([-1, ...dims.slice(1).map(() => 1)]), 'shape');
      builder.output(builder.node('Reshape', [end, shape], {}, 'risk'), [...dims]);
      expect(describeClassifier(builder.model(), 'net')).toMatchObject({
        task: 'binary',
        outputShape: dims.slice(1).map(() => 1),
        scores: 1,
        classes: 2,
        probabilities: true,
      });
    }
  });

  it('is found behind operators that only give another shape', () => {
    expect(describeClassifier(shaped([6, 1], 'Sigmoid', [6]), 'net').task).toBe('multi-label');
  });

  it.each<[readonly number[], string | undefined, string, RegExp]>([
    [[6], 'Softmax', 'multi-label', /ends in a Softmax/],
    [[6], undefined, 'binary', /has 6 scores a sample, and a binary task needs one/],
    [[2, 3], undefined, 'single-label', /has scores \[2, 3\] a sample/],
    [[6], 'Softmax', 'regression', /gives shares of classes/],
  ])('of %j behind %s cannot be said to be %s', (shape, op, task, reason) => {
    expect(() => describeClassifier(said(shaped(shape, op), task), 'net')).toThrowError(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringMatching(reason) }),
    );
  });

  it('is what the contract says', () => {
    expect(describeClassifier(said(shaped([6]), 'segmentation'), 'net')).toMatchObject({
      task: 'segmentation',
      taskSaid: true,
      classes: 2,
      exclusive: false,
    });
  });
});
