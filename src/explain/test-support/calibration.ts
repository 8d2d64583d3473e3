// What criteria are given in tests, and a network that covers what they read.
import type { Model } from '../../onnx/index.ts';
import { cloneModel, floatConstant, sizeOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { CriterionContext, Target } from '../criterion.ts';
import { Net, normals } from './nets.ts';

export interface ContextOptions {
  readonly count?: number;
  readonly labels?: readonly number[];
  readonly target?: Target;
  readonly weights?: readonly number[];
  readonly batch?: number;
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A context with random samples. */
export function context(model: Model, options: ContextOptions = {}): CriterionContext {
  const { count = 11, labels, weights, target = 'label', batch = 4, seed = 1, onProgress } = options;
  const sampleShape = (model.graph.inputs[0]?.dims ?? []).slice(1).map(Number);
  return {
    model,
    modelName: 'test',
    calibration: {
      samples: normals(count * sizeOf(sampleShape), 77),
      count,
      sampleShape,
      labels: labels && Int32Array.from(labels),
      ...(weights ? { weights: Float64Array.from(weights) } : {}),
    },
    random: new Random(seed),
    target,
    batch,
    threads: 1,
    ...(onProgress ? { onProgress } : {}),
  };
}

/** Convolutions before a Relu, before a residual sum, and a dense layer; three classes. */
export function smallNetwork(seed = 4): Model {
  const net = new Net([2, 5, 5], seed);
  const a = net.relu(net.conv(net.input, 2, 4, { pads: [1, 1, 1, 1] }));
  const b = net.op('Add', [net.conv(a, 4, 4, { pads: [1, 1, 1, 1] }), a]);
  const c = net.relu(net.conv(net.relu(b), 4, 5, { stride: 2 }));
  return net.classify(c, 20, 3);
}

/** A copy with a batch normalisation of random scales behind a layer of four channels. */
export function withNormalisation(model: Model, layer: string): Model {
  const copy = cloneModel(model);
  const { nodes, constants } = copy.graph;
  const at = nodes.findIndex((node) => node.name === layer);
  const node = must(nodes[at], layer);
  const [output, raw] = [must(node.outputs[0], 'output'), `${layer}_raw`];
  node.outputs = [raw];
  const names = ['scale', 'shift', 'mean', 'variance'].map((part, i) => {
    const data = normals(4, 50 + i).map((value) => (part === 'variance' ? value * value + 0.5 : value));
    constants.set(`${layer}_${part}`, floatConstant(data, [4]));
    return `${layer}_${part}`;
  });
  const inputs = [raw, ...names];
  const name = `${layer}_bn`;
  nodes.splice(at + 1, 0, {
    name,
    op: 'BatchNormalization',
    domain: '',
    inputs,
    outputs: [output],
    attributes: new Map(),
  });
  return copy;
}
