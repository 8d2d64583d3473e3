// Small random networks with every kind of layer that can have eight bits, and what stays beside them.
import { Net } from '../../channels/test-support/net.ts';
import type { Dataset } from '../../data/index.ts';
import type { Model } from '../../onnx/index.ts';
import { float, floatConstant, int, ints, sizeOf, string } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';

/** A network, and the operators of the engine that must run it. */
export interface Kind {
  readonly model: () => Model;
  /** Kernels by operator, as the profile names them. */
  readonly kernels: Readonly<Record<string, number>>;
}

/** By what is in them. */
export const KINDS: Readonly<Record<string, Kind>> = {
  'convolutions, a maximum pool and dense layers': {
    model: () => {
      const net = new Net([2, 8, 8], 1);
      const a = net.relu(net.conv('a', net.input, 2, 8));
      const pooled = net.op('MaxPool', [a], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
      const flat = net.op('Flatten', [net.relu(net.conv('b', pooled, 8, 4, { stride: 2 }))], {
        axis: int(1),
      });
      return net.finish(net.gemm('head', net.relu(net.gemm('hidden', flat, 16, 8)), 8, 3, false));
    },
    kernels: { QLinearConv: 2, QGemm: 2 },
  },
  'depthwise layers with Relu6': {
    model: () => {
      const net = new Net([3, 8, 8], 2);
      const six = (x: string): string => net.op('Clip', [x, net.scalar(0), net.scalar(6)]);
      const a = six(net.conv('a', net.input, 3, 8, { stride: 2 }));
      const b = six(net.conv('depthwise', a, 8, 8, { group: 8 }));
      return net.head(net.conv('point', b, 8, 8, { kernel: 1, bias: false }), 8);
    },
    kernels: { QLinearConv: 3, QLinearGlobalAveragePool: 1, QGemm: 1 },
  },
  'a residual sum and a grouped layer': {
    model: () => {
      const net = new Net([3, 8, 8], 3);
      const a = net.relu(net.conv('a', net.input, 3, 8));
      const inner = net.relu(net.conv('grouped', a, 8, 8, { group: 2 }));
      return net.head(net.relu(net.op('Add', [net.conv('outer', inner, 8, 8), a])), 8);
    },
    kernels: { QLinearConv: 3, QLinearAdd: 1, QLinearGlobalAveragePool: 1, QGemm: 1 },
  },
  'a concatenation, an average pool and a leaky Relu': {
    model: () => {
      const net = new Net([3, 8, 8], 4);
      const a = net.op('LeakyRelu', [net.conv('a', net.input, 3, 8)], { alpha: float(0.1) });
      const b = net.relu(net.conv('b', net.input, 3, 4, { kernel: 1 }));
      const both = net.op('Concat', [a, b], { axis: int(1) });
      const pooled = net.op('AveragePool', [both], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
      return net.head(net.relu(net.conv('c', pooled, 12, 8)), 8);
    },
    kernels: {
      ...{ QLinearConv: 3, QLinearConcat: 1, QLinearAveragePool: 1, QLinearLeakyRelu: 1 },
      ...{ QLinearGlobalAveragePool: 1, QGemm: 1 },
    },
  },
  'one dimension with a gate': {
    model: () => {
      const net = new Net([2, 16], 5);
      const a = net.relu(net.conv('a', net.input, 2, 8));
      const squeezed = net.relu(net.conv('s', net.op('GlobalAveragePool', [a]), 8, 4, { kernel: 1 }));
      const gate = net.op('Sigmoid', [net.conv('e', squeezed, 4, 8, { kernel: 1 })]);
      return net.head(net.relu(net.conv('b', net.op('Mul', [a, gate]), 8, 8, { stride: 2 })), 8);
    },
    kernels: { QLinearConv: 4, QLinearMul: 1, QLinearSigmoid: 1, QLinearGlobalAveragePool: 2, QGemm: 1 },
  },
  'three dimensions': {
    model: () => {
      const net = new Net([1, 4, 4, 4], 6);
      const a = net.relu(net.conv('a', net.input, 1, 4));
      return net.head(net.relu(net.conv('b', a, 4, 4)), 4);
    },
    kernels: { QLinearConv: 2, QLinearGlobalAveragePool: 1, QGemm: 1 },
  },
  'tokens without biases': {
    model: () => {
      const net = new Net([6, 8], 7);
      const tokens = net.relu(net.matmul('a', net.input, 8, 16));
      const scored = net.matmul('b', tokens, 16, 3);
      return net.finish(net.op('ReduceMean', [scored], { axes: ints([1]), keepdims: int(0) }));
    },
    kernels: { QLinearMatMul: 1, MatMulIntegerToFloat: 1 },
  },
  'a skip over a resized branch': {
    model: () => {
      const net = new Net([2, 8, 8], 8);
      const a = net.relu(net.conv('a', net.input, 2, 4));
      const low = net.relu(net.conv('low', a, 4, 8, { stride: 2 }));
      const scales = net.builder.constant(floatConstant([1, 1, 2, 2]), 'scales');
      const attributes = { mode: string('nearest'), nearest_mode: string('floor') };
      const up = net.op('Resize', [low, '', scales], {
        ...attributes,
        coordinate_transformation_mode: string('asymmetric'),
      });
      return net.head(net.conv('b', net.op('Concat', [a, up], { axis: int(1) }), 12, 4), 4);
    },
    kernels: { QLinearConv: 3, QLinearConcat: 1, Resize: 1, QLinearGlobalAveragePool: 1, QGemm: 1 },
  },
};

/** Unlabelled normal noise of the model's shape. */
export function noiseFor(model: Model, size: number, seed = 3): Dataset {
  const sampleShape = must(model.graph.inputs[0]?.dims, 'no input').slice(1).map(Number);
  const random = new Random(seed);
  const samples = Float32Array.from({ length: size * sizeOf(sampleShape) }, () => random.normal());
  return {
    ...{ kind: 'synthetic', name: 'noise', size, sampleShape, samples, labels: undefined },
    ...{ classNames: ['0', '1', '2'], origins: undefined, skipped: [], hash: '' },
  };
}
