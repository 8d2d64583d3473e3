// The gradient pass against central differences of the model itself, run by ONNX Runtime: one tiny model for every
// operator that has a derivative, at random points away from kinks, and the readouts at a layer's output.
import { describe, expect, it } from 'vitest';
import type { Attribute, Model } from '../../onnx/index.ts';
import {
  cloneModel,
  float,
  floatConstant,
  int,
  intConstant,
  ints,
  OPS,
  type OpName,
  sizeOf,
  string,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { AttributionPass } from '../attribution/pass.ts';
import type { ReadoutKind } from '../attribution/readouts.ts';
import { worst } from '../test-support/compare.ts';
import { differences, runModel } from '../test-support/differences.ts';
import { Net, normals } from '../test-support/nets.ts';

/** A model around one operator. */
interface Case {
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
  /** Input values all differ by more than the step, so that no winner changes. */
  readonly distinct?: boolean;
}

const IMAGE = [3, 4, 5] as const;

/** An operator that keeps the shape of a small image. */
function unary(
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

const one = (net: Net, op: OpName, more: string[], attributes: Record<string, Attribute> = {}): string =>
  net.op(op, [net.input, ...more], attributes);

const CASES: readonly Case[] = [
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
  {
    op: 'DepthToSpace',
    title: 'depth first',
    sample: [8, 2, 3],
    features: 48,
    build: (net) => one(net, 'DepthToSpace', [], { blocksize: int(2) }),
  },
];

/** No derivative, or none that is written. */
const WITHOUT = new Set<OpName>(['Constant', 'ConstantOfShape', 'Shape', 'Einsum']);

const STEP = 4e-3;

describe('gradient of each operator', () => {
  it('covers every operator with a derivative', () => {
    const covered = new Set(CASES.map(({ op }) => op));
    expect(OPS.filter((op) => !covered.has(op) && !WITHOUT.has(op))).toEqual([]);
  });

  it.each(CASES)('$op, $title', async (given) => {
    const net = new Net(given.sample, 3);
    const made = given.build(net);
    // A smooth function behind the operator, so that what arrives at it depends on its own output.
    const smooth = net.op('Tanh', [net.op('Mul', [made, net.builder.scalar(0.5)])]);
    const model = net.finish(net.gemm(net.op('Flatten', [smooth]), given.features, 3), 3, given.opset);
    const dims = [2, ...given.sample];
    const samples = points(given, sizeOf(dims));
    const start = Float32Array.of(1, 0, 0, 0.5, -1, 2);
    const pass = await AttributionPass.create(model, {
      attribution: { kind: 'gradient' },
      wantInput: true,
      start: 'given',
      modelName: 'test',
    });
    const result = await pass.run(samples, dims, start);
    await pass.release();
    const expected = await differences(model, samples, dims, start, STEP);
    expect(expected.every((value) => value === 0)).toBe(false);
    expect(worst(result.input ?? [], expected)).toBeLessThan(1e-3);
  });
});

/** Random input values that keep clear of a case's kinks. */
function points({ kinks = [], range, distinct }: Case, count: number): Float32Array {
  const values = normals(count, 11);
  if (distinct) {
    const order = Array.from(values.keys()).sort((a, b) => (values[a] as number) - (values[b] as number));
    order.forEach((place, rank) => {
      values[place] = 0.05 * (rank - count / 2);
    });
  }
  return values.map((value) => {
    const [low, high] = range ?? [value, value];
    const within = range ? low + (high - low) / (1 + Math.exp(-2 * value)) : value;
    const near = kinks.find((kink) => Math.abs(within - kink) < 10 * STEP);
    return near === undefined ? within : near + 12 * STEP * (within < near ? -1 : 1);
  });
}

describe('readouts of the gradient', () => {
  const sample = [2, 5, 5];
  /** Two convolutions and a dense layer, all smooth. */
  function network(): Model {
    const net = new Net(sample, 8);
    const a = net.op('Tanh', [net.conv(net.input, 2, 3, { pads: [1, 1, 1, 1] })]);
    const b = net.op('Sigmoid', [net.conv(a, 3, 4, { stride: 2 })]);
    return net.classify(b, 16, 3);
  }

  /** The part of the network that reads a layer's output, with that as its input. */
  function after(model: Model, layer: string, outputDims: readonly number[]): Model {
    const part = cloneModel(model);
    const at = part.graph.nodes.findIndex((node) => node.name === layer);
    const output = must(part.graph.nodes[at]?.outputs[0], 'output');
    part.graph.nodes = part.graph.nodes.slice(at + 1);
    part.graph.inputs = [{ name: output, elemType: 1, dims: ['batch', ...outputDims] }];
    return part;
  }

  const READOUTS: Record<
    'sum' | 'absolute-sum' | 'times-activation',
    (gradient: number, activation: number) => number
  > = {
    sum: (gradient) => gradient,
    'absolute-sum': (gradient) => Math.abs(gradient),
    'times-activation': (gradient, activation) => gradient * activation,
  };

  it.each(Object.entries(READOUTS))('%s is that sum of differences at the layer', async (readout, term) => {
    const model = network();
    const dims = [2, ...sample];
    const samples = normals(sizeOf(dims), 5);
    const start = Float32Array.of(0, 1, 0, 1, 0, -2);
    const pass = await AttributionPass.create(model, {
      attribution: { kind: 'gradient' },
      readout: readout as ReadoutKind,
      start: 'given',
      modelName: 'test',
    });
    const result = await pass.run(samples, dims, start);
    await pass.release();
    const layers = [
      { name: 'Conv', dims: [3, 5, 5] },
      { name: 'Conv_1', dims: [4, 2, 2] },
    ];
    expect(result.layers.map(({ name }) => name)).toEqual(['Conv', 'Conv_1', 'Gemm']);
    for (const layer of layers) {
      const output = must(model.graph.nodes.find(({ name }) => name === layer.name)?.outputs[0], 'output');
      const probed = cloneModel(model);
      probed.graph.outputs = [{ name: output, elemType: 1, dims: undefined }];
      const activations = await runModel(probed, samples, dims);
      const rest = after(model, layer.name, layer.dims);
      const gradient = await differences(rest, activations, [2, ...layer.dims], start, STEP);
      const plane = sizeOf(layer.dims.slice(1));
      const expected = new Float64Array(activations.length / plane);
      activations.forEach((activation, i) => {
        const channel = Math.floor(i / plane);
        expected[channel] = (expected[channel] as number) + term(gradient[i] as number, activation);
      });
      const values = must(result.layers.find(({ name }) => name === layer.name)?.values, 'values');
      expect(worst(values, expected), layer.name).toBeLessThan(1e-2);
    }
  });
});
