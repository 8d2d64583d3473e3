// Tiny models around one operator each, for tests of derivatives.
import type { Attribute } from '../../onnx/index.ts';
import { float, floatConstant, int, intConstant, ints, type OpName, string } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import type { Net } from './nets.ts';

/** A model around one operator. */
export interface Case {
  readonly op: OpName;
  readonly title: string;
  readonly sample: readonly number[];
  /** Makes the operator's output from the input; all of it is then flattened and weighted. */
  readonly build: (net: Net) => string;
  readonly features: number;
  readonly opset?: number;
  /** Points where the derivative jumps: no input value comes near them. */
  readonly kinks?: readonly number[];
  /** Input values are pulled into this range; normal numbers otherwise. */
  readonly range?: readonly [number, number];
  /** Whether constants in it keep a share of the relevance. */
  readonly absorbs?: boolean;
  /** Input values all differ by more than the step, so that no winner changes. */
  readonly distinct?: boolean;
}

export const IMAGE = [3, 4, 5] as const;

/** An operator that keeps the shape of a small image. */
export function unary(
  op: OpName,
  attributes: Record<string, Attribute> = {},
  more: Partial<Case> & { inputs?: (net: Net) => string[] } = {},
): Case {
  const { inputs, ...rest } = more;
  return {
    op,
    title: 'plain',
    sample: IMAGE,
    features: 60,
    build: (net) => net.op(op, [net.input, ...(inputs?.(net) ?? [])], attributes),
    ...rest,
  };
}

/** The operator on the input and constants. */
export const one = (
  net: Net,
  op: OpName,
  more: string[],
  attributes: Record<string, Attribute> = {},
): string => net.op(op, [net.input, ...more], attributes);

/** Operators of layers, activations, pools and moves. */
export const CASES: readonly Case[] = [
  // Weighted layers.
  {
    op: 'Conv',
    title: '2-D, stride 2',
    sample: [2, 6, 6],
    features: 36,
    build: (net) => net.conv(net.input, 2, 4, { stride: 2, pads: [1, 1, 1, 1] }),
  },
  {
    op: 'Conv',
    title: '1-D, groups, dilation',
    sample: [4, 9],
    features: 30,
    build: (net) => net.conv(net.input, 4, 6, { kernel: [3], dilation: 2, group: 2 }),
  },
  {
    op: 'ConvTranspose',
    title: 'stride 2, groups',
    sample: [4, 3, 3],
    features: 4 * 49,
    build: (net) => net.convTranspose(net.input, 4, 4, { stride: 2, group: 2 }),
  },
  {
    op: 'Gemm',
    title: 'alpha, not transposed',
    sample: [7],
    features: 5,
    build: (net) => one(net, 'Gemm', [net.weights([7, 5]), net.weights([5])], { alpha: float(0.5) }),
  },
  {
    op: 'MatMul',
    title: 'of three axes',
    sample: [3, 4],
    features: 15,
    build: (net) => one(net, 'MatMul', [net.weights([4, 5])]),
  },
  {
    ...unary('BatchNormalization'),
    build: (net) =>
      one(net, 'BatchNormalization', [
        net.weights([3]),
        net.weights([3]),
        net.weights([3]),
        net.builder.constant(floatConstant([0.5, 1, 2])),
      ]),
  },

  // Elementwise.
  unary('Relu', {}, { kinks: [0] }),
  unary('LeakyRelu', { alpha: float(0.2) }, { kinks: [0] }),
  unary('PRelu', {}, { kinks: [0], inputs: (net) => [net.weights([3, 1, 1])] }),
  unary('Elu', { alpha: float(1.5) }, { kinks: [0] }),
  unary(
    'Clip',
    {},
    {
      title: 'both bounds',
      kinks: [-0.5, 0.7],
      inputs: (net) => [net.builder.scalar(-0.5), net.builder.scalar(0.7)],
    },
  ),
  unary('Clip', {}, { title: 'lower bound alone', kinks: [0.2], inputs: (net) => [net.builder.scalar(0.2)] }),
  unary(
    'Clip',
    {},
    { title: 'upper bound alone', kinks: [0.2], inputs: (net) => ['', net.builder.scalar(0.2)] },
  ),
  unary(
    'Clip',
    { min: float(-0.5), max: float(0.7) },
    { title: 'bounds as attributes', opset: 9, kinks: [-0.5, 0.7] },
  ),
  unary('HardSigmoid', { alpha: float(0.4), beta: float(0.45) }, { kinks: [-1.125, 1.375] }),
  unary('HardSwish', {}, { kinks: [-3, 3], range: [-4, 4] }),
  unary('Sigmoid'),
  unary('Tanh'),
  unary('Erf'),
  unary('Exp'),
  unary('Sqrt', {}, { range: [0.5, 3] }),
  unary('Gelu', {}, { title: 'exact', opset: 20 }),
  unary('Gelu', { approximate: string('tanh') }, { title: 'tanh', opset: 20 }),
  unary('Identity'),
  unary('Dropout'),
  unary('Cast', { to: int(1) }),

  // Over channels.
  // ONNX Runtime runs odd sizes alone.
  unary('LRN', { size: int(3), alpha: float(0.7), beta: float(0.6) }, { title: 'three channels' }),
  unary(
    'LRN',
    { size: int(5), alpha: float(0.7), beta: float(0.6), bias: float(1.2) },
    { title: 'five channels' },
  ),
  unary('Softmax', { axis: int(1) }, { title: 'over channels' }),
  unary('Softmax', {}, { title: 'over the last axis' }),
  unary('LogSoftmax', { axis: int(-3) }, { title: 'over channels' }),
  unary('LogSoftmax', {}, { title: 'over the last axis' }),

  // Pools and means.
  {
    op: 'MaxPool',
    title: 'overlapping',
    sample: [2, 6, 7],
    features: 24,
    distinct: true,
    build: (net) =>
      one(net, 'MaxPool', [], {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        pads: ints([1, 1, 1, 1]),
      }),
  },
  {
    op: 'MaxPool',
    title: 'apart, 1-D',
    sample: [3, 8],
    features: 12,
    distinct: true,
    build: (net) => one(net, 'MaxPool', [], { kernel_shape: ints([2]), strides: ints([2]) }),
  },
  {
    op: 'GlobalMaxPool',
    title: 'plain',
    sample: IMAGE,
    features: 3,
    distinct: true,
    build: (net) => one(net, 'GlobalMaxPool', []),
  },
  {
    op: 'AveragePool',
    title: 'padding not counted',
    sample: [2, 6, 7],
    features: 24,
    build: (net) =>
      one(net, 'AveragePool', [], {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        pads: ints([1, 1, 1, 1]),
      }),
  },
  {
    op: 'AveragePool',
    title: 'padding counted',
    sample: [2, 6, 7],
    features: 24,
    build: (net) =>
      one(net, 'AveragePool', [], {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        pads: ints([1, 1, 1, 1]),
        count_include_pad: int(1),
      }),
  },
  {
    op: 'AveragePool',
    title: 'ceil mode',
    sample: [2, 6],
    features: 6,
    build: (net) =>
      one(net, 'AveragePool', [], { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) }),
  },
  {
    op: 'AveragePool',
    title: 'strides beyond the window, with a rest',
    sample: [2, 8],
    features: 6,
    build: (net) => one(net, 'AveragePool', [], { kernel_shape: ints([2]), strides: ints([3]) }),
  },
  {
    op: 'GlobalAveragePool',
    title: 'plain',
    sample: IMAGE,
    features: 3,
    build: (net) => one(net, 'GlobalAveragePool', []),
  },
  {
    op: 'ReduceMean',
    title: 'two axes, kept',
    sample: IMAGE,
    features: 5,
    build: (net) => one(net, 'ReduceMean', [], { axes: ints([1, -2]), keepdims: int(1) }),
  },
  {
    op: 'ReduceMean',
    title: 'one axis, dropped',
    sample: IMAGE,
    features: 15,
    build: (net) => one(net, 'ReduceMean', [], { axes: ints([2]), keepdims: int(0) }),
  },
  {
    op: 'ReduceMean',
    title: 'axes as an input',
    sample: IMAGE,
    features: 12,
    opset: 18,
    build: (net) => one(net, 'ReduceMean', [net.builder.ints([3])]),
  },

  // Of two values, broadcast or not.
  { ...unary('Add', {}, { inputs: (net) => [net.op('Tanh', [net.input])] }), title: 'of two values' },
  {
    op: 'Add',
    title: 'broadcast over space',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Add', [net.op('GlobalAveragePool', [net.op('Exp', [net.input])])]),
  },
  {
    op: 'Sub',
    title: 'of a broadcast value',
    sample: IMAGE,
    features: 60,
    build: (net) =>
      one(net, 'Sub', [net.op('ReduceMean', [net.op('Exp', [net.input])], { axes: ints([1]) })]),
  },
  {
    op: 'Sub',
    title: 'from a constant',
    sample: [6],
    features: 6,
    build: (net) => net.op('Sub', [net.builder.scalar(2), net.op('Tanh', [net.input])]),
  },
  {
    op: 'Mul',
    title: 'by a channel gate',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Mul', [net.op('Sigmoid', [net.op('GlobalAveragePool', [net.input])])]),
  },
  { op: 'Mul', title: 'with itself', sample: [6], features: 6, build: (net) => one(net, 'Mul', [net.input]) },
  {
    op: 'Mul',
    title: 'by a constant',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Mul', [net.weights([3, 1, 1])]),
  },
  {
    op: 'Div',
    title: 'by a constant',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Div', [net.builder.constant(floatConstant([0.5, -2, 3], [3, 1, 1]))]),
  },
  {
    op: 'Div',
    title: 'by a broadcast value',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Div', [net.op('GlobalAveragePool', [net.op('Exp', [net.input])])]),
  },
  {
    op: 'Div',
    title: 'of a constant',
    sample: [6],
    features: 6,
    range: [0.5, 2],
    build: (net) => net.op('Div', [net.builder.scalar(2), net.input]),
  },
  {
    op: 'Expand',
    title: 'over space',
    sample: [3, 1, 4],
    features: 60,
    build: (net) => one(net, 'Expand', [net.builder.constant(intConstant([1, 3, 5, 4]))]),
  },

  // Moves.
  {
    op: 'Concat',
    title: 'with a function of the same value',
    sample: IMAGE,
    features: 120,
    build: (net) => one(net, 'Concat', [net.op('Tanh', [net.input])], { axis: int(2) }),
  },
  {
    op: 'Split',
    title: 'uneven, one part unused',
    sample: [6, 2],
    features: 6,
    build: (net) =>
      must(
        net.builder.nodes('Split', [net.input, net.builder.ints([1, 3, 2])], { axis: int(1) }, [
          'p',
          'q',
          'r',
        ])[1],
        'part',
      ),
  },
  {
    op: 'Slice',
    title: 'steps and backwards',
    sample: [5, 6],
    features: 6,
    build: (net) =>
      one(net, 'Slice', [
        net.builder.ints([-1, 1]),
        net.builder.ints([-6, 6]),
        net.builder.ints([1, 2]),
        net.builder.ints([-2, 3]),
      ]),
  },
  {
    op: 'Pad',
    title: 'two axes',
    sample: [2, 3, 3],
    features: 3 * 3 * 6,
    build: (net) => one(net, 'Pad', [net.builder.ints([0, 1, 0, 2, 0, 0, 0, 1])]),
  },
  { op: 'Flatten', title: 'plain', sample: IMAGE, features: 60, build: (net) => one(net, 'Flatten', []) },
  {
    op: 'Reshape',
    title: 'three axes',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Reshape', [net.builder.constant(intConstant([-1, 6, 10]))]),
  },
  {
    op: 'Transpose',
    title: 'of all axes but the batch',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'Transpose', [], { perm: ints([0, 3, 1, 2]) }),
  },
  {
    op: 'Squeeze',
    title: 'plain',
    sample: [3, 1, 4],
    features: 12,
    build: (net) => one(net, 'Squeeze', [net.builder.ints([2])]),
  },
  {
    op: 'Unsqueeze',
    title: 'plain',
    sample: [3, 4],
    features: 12,
    build: (net) => one(net, 'Unsqueeze', [net.builder.ints([1])]),
  },
];
