// Which values are known never to be negative: never a wrong claim, and the claims that save work are made.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { cloneModel, float, int, ints } from '../../onnx/internal.ts';
import { runModel } from '../test-support/differences.ts';
import { Net, normals } from '../test-support/nets.ts';
import { nonNegativeValues } from './non-negative.ts';

/** Values of many kinds, on rectified and on plain inputs; names say what they are. */
function network(): Model {
  const net = new Net([4, 6, 6], 3);
  const plain = net.conv(net.input, 4, 4, { pads: [1, 1, 1, 1] });
  const rectified = net.relu(plain);
  const window = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
  const made: string[] = [];
  for (const [kind, x] of [
    ['of_plain', plain],
    ['of_rectified', rectified],
  ] as const) {
    const add = (op: string, more: string[] = [], attributes = {}, name = op): void => {
      made.push(net.op('Flatten', [net.op(op, [x, ...more], attributes, `${name}_${kind}`)]));
    };
    for (const op of ['Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Elu', 'Erf', 'Exp', 'LeakyRelu'])
      add(op);
    add('MaxPool', [], window);
    add('AveragePool', [], window);
    add('GlobalAveragePool');
    add('Softmax');
    add('LogSoftmax');
    add('Add', [rectified]);
    add('Mul', [rectified]);
    add('Mul', [plain], {}, 'square');
    add('Sub', [net.op('Exp', [rectified])]);
    add('Concat', [rectified], { axis: int(1) });
    add('Clip', [net.builder.scalar(0), net.builder.scalar(6)], {}, 'clip_above');
    add('Clip', [net.builder.scalar(-1), net.builder.scalar(6)], {}, 'clip_below');
    add('Clip', ['', net.builder.scalar(-1)], {}, 'clip_high');
    add('Pad', [net.builder.ints([0, 0, 1, 1, 0, 0, 1, 1])]);
    add('Pad', [net.builder.ints([0, 0, 1, 1, 0, 0, 1, 1]), net.builder.scalar(-1)], {}, 'pad_minus');
    add('LRN', [], { size: int(3), alpha: float(0.5) });
    add('PRelu', [net.weights([4, 1, 1])]);
  }
  return net.finish(net.op('Concat', made, { axis: int(1) }), 1);
}

describe('values that are never negative', () => {
  const model = network();
  const known = nonNegativeValues(model.graph);

  it('are not negative on any sample', async () => {
    const samples = normals(20 * 144, 5);
    for (const name of known) {
      const constant = model.graph.constants.get(name);
      if (constant) continue;
      const probed = cloneModel(model);
      probed.graph.outputs = [{ name, elemType: 1, dims: undefined }];
      const values = await runModel(probed, samples, [20, 4, 6, 6]);
      expect(
        values.every((value) => value >= 0),
        name,
      ).toBe(true);
    }
  });

  it('include what a Relu feeds', () => {
    const rectified = [
      'MaxPool',
      'AveragePool',
      'GlobalAveragePool',
      'Add',
      'Mul',
      'Concat',
      'Pad',
      'clip_above',
    ];
    expect(rectified.filter((op) => !known.has(`${op}_of_rectified`))).toEqual([]);
    expect(known.has('Relu')).toBe(true);
    expect(known.has('Sigmoid_of_plain')).toBe(true);
    expect(known.has('clip_above_of_plain')).toBe(true);
    expect(known.has('clip_below_of_plain')).toBe(false);
    expect(known.has('Conv')).toBe(false);
  });
});
