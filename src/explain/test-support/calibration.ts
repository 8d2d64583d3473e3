// What criteria are given in tests, and a network that covers what they read.
import { type Model, sizeOf } from '../../onnx/index.ts';
import { Random } from '../../util/index.ts';
import type { CriterionContext } from '../criterion.ts';
import { Net, normals } from './nets.ts';

export interface ContextOptions {
  readonly count?: number;
  readonly labels?: readonly number[];
  readonly target?: 'label' | 'predicted';
  readonly batch?: number;
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A context with random samples. */
export function context(model: Model, options: ContextOptions = {}): CriterionContext {
  const { count = 11, labels, target = 'label', batch = 4, seed = 1, onProgress } = options;
  const sampleShape = (model.graph.inputs[0]?.dims ?? []).slice(1).map(Number);
  return {
    model,
    modelName: 'test',
    calibration: {
      samples: normals(count * sizeOf(sampleShape), 77),
      count,
      sampleShape,
      labels: labels && Int32Array.from(labels),
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
