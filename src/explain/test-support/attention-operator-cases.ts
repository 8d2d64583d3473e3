// Tiny models around the operators of attention, for tests of derivatives.
import { float, int, intConstant, ints } from '../../onnx/internal.ts';
import { type Case, IMAGE, one } from './operator-cases.ts';

export const ATTENTION_CASES: readonly Case[] = [
  {
    op: 'MatMul',
    title: 'of two computed values, one of them broadcast',
    sample: [2, 3, 4],
    features: 18,
    build: (net) => {
      const mean = net.op('ReduceMean', [net.input], { axes: ints([1]), keepdims: int(1) });
      return one(net, 'MatMul', [
        net.op('Transpose', [net.op('Tanh', [mean])], { perm: ints([0, 1, 3, 2]) }),
      ]);
    },
  },
  {
    op: 'LayerNormalization',
    title: 'over the last axis, without a bias',
    sample: [3, 4],
    features: 12,
    build: (net) => one(net, 'LayerNormalization', [net.weights([4])], { epsilon: float(1e-3) }),
  },
  {
    op: 'LayerNormalization',
    title: 'over two axes',
    sample: [3, 4],
    features: 12,
    build: (net) =>
      one(net, 'LayerNormalization', [net.weights([3, 4]), net.weights([3, 4])], { axis: int(1) }),
  },
  {
    op: 'Gather',
    title: 'of one position',
    sample: IMAGE,
    features: 15,
    build: (net) => one(net, 'Gather', [net.builder.constant(intConstant([-2], []))], { axis: int(2) }),
  },
  {
    op: 'Gather',
    title: 'of some positions, one of them twice',
    sample: IMAGE,
    features: 80,
    build: (net) =>
      one(net, 'Gather', [net.builder.constant(intConstant([2, 0, 2, 1], [2, 2]))], { axis: int(1) }),
  },
];
