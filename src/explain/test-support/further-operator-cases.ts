// Tiny models around rarer operators, for tests of derivatives.
import { float, floatConstant, int, intConstant, ints, type OpName, string } from '../../onnx/internal.ts';
import type { Net } from './nets.ts';
import { type Case, IMAGE, one, unary } from './operator-cases.ts';

const positive = { range: [0.5, 3] } as const;
const inside = { range: [-0.8, 0.8] } as const;

/** A positive value made of the input, of one position a channel. */
const pooled = (net: Net): string => net.op('GlobalAveragePool', [net.op('Exp', [net.input])]);

/** A reduction over the last axes but the batch. */
function reduction(op: OpName, features: number, more: Partial<Case> & { axes?: number[] } = {}): Case {
  const { axes = [1, 3], ...rest } = more;
  return {
    op,
    title: `axes ${axes}`,
    sample: IMAGE,
    features,
    build: (net) =>
      op === 'ReduceSum'
        ? one(net, op, [net.builder.ints(axes)], { keepdims: int(0) })
        : one(net, op, [], { axes: ints(axes), keepdims: int(0) }),
    ...rest,
  };
}

/** An operator of the input and other values. */
const of = (op: OpName, title: string, inputs: (net: Net) => string[], more: Partial<Case> = {}): Case => ({
  op,
  title,
  sample: IMAGE,
  features: 60,
  build: (net) => net.op(op, inputs(net)),
  ...more,
});

export const FURTHER_CASES: readonly Case[] = [
  // Functions.
  unary('Abs', {}, { kinks: [0] }),
  unary('Acos', {}, inside),
  unary('Acosh', {}, { range: [1.3, 3] }),
  unary('Asin', {}, inside),
  unary('Asinh'),
  unary('Atan'),
  unary('Atanh', {}, inside),
  unary('Celu', { alpha: float(1.4) }, { kinks: [0] }),
  unary('Cos'),
  unary('Cosh'),
  unary('Log', {}, positive),
  unary('Mish', {}, { opset: 18 }),
  unary('Neg'),
  unary('Reciprocal', {}, positive),
  unary('Selu', {}, { kinks: [0] }),
  unary('Selu', { alpha: float(1.2), gamma: float(0.9) }, { kinks: [0], title: 'other constants' }),
  unary('Shrink', { lambd: float(0.4), bias: float(0.1) }, { kinks: [-0.4, 0.4] }),
  unary('Sin'),
  unary('Sinh'),
  unary('Softplus'),
  unary('Softsign', {}, { kinks: [0] }),
  unary('Swish', { alpha: float(1.3) }, { opset: 24 }),
  unary('Tan', {}, { range: [-1, 1] }),
  unary('ThresholdedRelu', { alpha: float(0.3) }, { kinks: [0.3] }),

  // Of several values.
  of('Sum', 'of three values, one broadcast', (net) => [net.input, net.op('Tanh', [net.input]), pooled(net)]),
  of('Mean', 'of three values, one broadcast', (net) => [
    net.input,
    net.op('Tanh', [net.input]),
    pooled(net),
  ]),
  of(
    'Max',
    'of three values, one broadcast',
    (net) => [
      net.input,
      net.op('Mul', [net.input, net.builder.scalar(-0.5)]),
      // Near .2, so that the winner changes near .2 and -.4.
      net.op('Add', [
        net.op('Mul', [net.op('GlobalAveragePool', [net.input]), net.builder.scalar(1e-3)]),
        net.builder.scalar(0.2),
      ]),
    ],
    { kinks: [0.2, -0.4], absorbs: true },
  ),
  of('Min', 'with a constant', (net) => [net.input, net.weights([3, 1, 1]), net.op('Cos', [net.input])]),
  of('Pow', 'a square', (net) => [net.input, net.builder.scalar(2)]),
  of('Pow', 'an integer exponent', (net) => [net.input, net.builder.constant(intConstant([3], []))]),
  of('Pow', 'a root', (net) => [net.input, net.builder.scalar(0.5)], positive),
  of('Pow', 'of a constant', (net) => [net.builder.constant(floatConstant([0.7])), net.input]),
  of('Pow', 'by a computed exponent', (net) => [net.input, pooled(net)], positive),
  of(
    'Where',
    'by a comparison',
    (net) => [
      net.op('Greater', [net.input, net.builder.scalar(0.1)]),
      net.op('Exp', [net.input]),
      net.op('GlobalAveragePool', [net.input]),
    ],
    { kinks: [0.1] },
  ),

  // Reductions.
  reduction('ReduceSum', 4),
  reduction('ReduceSum', 15, { axes: [-2] }),
  reduction('ReduceMax', 4, { distinct: true }),
  reduction('ReduceMin', 15, { axes: [2], distinct: true }),
  reduction('ReduceProd', 4),
  reduction('ReduceL1', 12, { axes: [3], range: [-0.6, 0.6], kinks: [0] }),
  reduction('ReduceL2', 4),
  reduction('ReduceLogSum', 20, { axes: [1], ...positive }),
  reduction('ReduceLogSumExp', 4),
  reduction('ReduceSumSquare', 12, { axes: [3], range: [-1, 1] }),
  {
    op: 'ReduceMax',
    title: 'axes as an input',
    sample: IMAGE,
    features: 20,
    opset: 18,
    distinct: true,
    build: (net) => one(net, 'ReduceMax', [net.builder.ints([1])]),
  },
  {
    op: 'ReduceL2',
    title: 'axes as an input',
    sample: IMAGE,
    features: 20,
    opset: 18,
    build: (net) => one(net, 'ReduceL2', [net.builder.ints([1])]),
  },

  // Moves.
  {
    op: 'DepthToSpace',
    title: 'depth first',
    sample: [8, 2, 3],
    features: 48,
    build: (net) => one(net, 'DepthToSpace', [], { blocksize: int(2) }),
  },
  {
    op: 'DepthToSpace',
    title: 'columns first',
    sample: [8, 2, 3],
    features: 48,
    build: (net) => one(net, 'DepthToSpace', [], { blocksize: int(2), mode: string('CRD') }),
  },
];
