// Small classifiers that hold their samples in every way that models do, for tests of what must not depend on the batch.
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { type Attribute, int, intConstant, ints, type Model } from '../graph.ts';
import { randomConstant } from './models.ts';

/** A network under construction, with five classes; every method returns the name of the value it makes. */
export class BatchNet {
  readonly builder = new GraphBuilder();
  readonly #random: Random;
  readonly input: string;

  constructor(sample: readonly number[], seed = 5, batch: number | string = 'N') {
    this.#random = new Random(seed);
    this.input = this.builder.input('x', [batch, ...sample]);
  }

  weights(dims: readonly number[], scale = 1): string {
    return this.builder.constant(randomConstant(this.#random, dims, scale), 'w');
  }

  op(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.builder.node(op, inputs, attributes);
  }

  conv(x: string, from: number, to: number, kernel: readonly number[]): string {
    const pads = ints([...kernel, ...kernel].map((size) => (size - 1) >> 1));
    const weight = this.weights([to, from, ...kernel], 1 / Math.sqrt(from * kernel.reduce((a, b) => a * b)));
    return this.builder.node(
      'Relu',
      [
        this.builder.node(
          'Conv',
          [x, weight, this.weights([to], 0.3)],
          { pads, kernel_shape: ints(kernel) },
          'conv',
        ),
      ],
      {},
      'relu',
    );
  }

  /** A linear layer for any number of axes, the last one read. */
  linear(x: string, from: number, to: number): string {
    const product = this.builder.node(
      'MatMul',
      [x, this.weights([from, to], 1 / Math.sqrt(from))],
      {},
      'dense',
    );
    return this.op('Add', [product, this.weights([to], 0.3)]);
  }

  relu(x: string): string {
    return this.op('Relu', [x]);
  }

  shape(x: string, dims: readonly number[]): string {
    return this.op('Reshape', [x, this.builder.constant(intConstant(dims), 'shape')]);
  }

  turned(x: string, perm: readonly number[]): string {
    return this.op('Transpose', [x], { perm: ints(perm) });
  }

  mean(x: string, axes: readonly number[]): string {
    return this.op('ReduceMean', [x], { axes: ints(axes), keepdims: int(0) });
  }

  /** The finished model, with a last layer. */
  classify(x: string, from: number): Model {
    const [batch] = must(this.builder.graph.inputs[0], 'no input').dims ?? [];
    const dense = [x, this.weights([from, 5], 1 / Math.sqrt(from)), this.weights([5], 0.3)];
    this.builder.output(this.builder.node('Gemm', dense, {}, 'y'), [batch, 5]);
    return this.builder.model(13);
  }
}

/** By name: a network, and a shape of samples that it reads. */
export const BATCH_NETS: Readonly<Record<string, (batch?: number | string) => Model>> = {
  plain(batch) {
    const net = new BatchNet([2, 6, 6], 5, batch);
    const a = net.conv(net.conv(net.input, 2, 6, [3, 3]), 6, 8, [3, 3]);
    const pool = net.op('MaxPool', [a], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    return net.classify(net.op('Flatten', [pool]), 72);
  },
  'slices of a volume': (batch) => slicesOf(false, batch),
  'one network for each lead': (batch) => {
    const net = new BatchNet([3, 20], 7, batch);
    const leads = net.shape(net.input, [-1, 1, 20]);
    const a = net.conv(net.conv(leads, 1, 6, [3]), 6, 8, [3]);
    const flat = net.shape(net.op('GlobalAveragePool', [a]), [-1, 24]);
    return net.classify(net.relu(net.linear(flat, 24, 9)), 9);
  },
  'time first': (batch) => sequence(true, batch),
  'time first, flattened': (batch) => {
    const net = new BatchNet([6, 4], 8, batch);
    const a = net.relu(net.linear(net.turned(net.input, [1, 0, 2]), 4, 8));
    const flat = net.relu(net.linear(net.shape(a, [-1, 8]), 8, 7));
    // As many rows as there are samples and places: which is which only the order of axes tells.
    const apart = net.shape(flat, batch === undefined ? [6, -1, 7] : [6, batch as number, 7]);
    return net.classify(net.mean(apart, [0]), 7);
  },
  'distributed over time': (batch) => {
    const net = new BatchNet([5, 1, 4, 4], 9, batch);
    const frames = net.shape(net.input, [-1, 1, 4, 4]);
    const a = net.shape(net.conv(frames, 1, 6, [3, 3]), [-1, 5, 96]);
    const b = net.relu(net.linear(a, 96, 8));
    return net.classify(net.mean(b, [1]), 8);
  },
  'joined along the batch': (batch) => {
    const net = new BatchNet([2, 10], 10, batch);
    const axis = net.builder.ints([1]);
    const part = (from: number): string =>
      net.op('Slice', [net.input, net.builder.ints([from]), net.builder.ints([from + 1]), axis]);
    const both = net.op('Concat', [part(0), part(1)], { axis: int(0) });
    const a = net.conv(net.conv(both, 1, 6, [3]), 6, 8, [3]);
    const flat = net.op('Flatten', [net.op('GlobalAveragePool', [a])]);
    const [left, right] = net.builder.nodes('Split', [flat], { axis: int(0) }, ['left', 'right']);
    return net.classify(net.op('Add', [left ?? '', right ?? '']), 8);
  },
};

/** Linear layers on a sequence, with a residual sum, in one of the two orders of axes. */
export function sequence(timeFirst: boolean, batch?: number | string): Model {
  const net = new BatchNet([3, 12], 11, batch);
  const steps = net.turned(net.conv(net.input, 3, 6, [3]), timeFirst ? [2, 0, 1] : [0, 2, 1]);
  const a = net.relu(net.linear(steps, 6, 10));
  const sum = net.op('Add', [steps, net.relu(net.linear(a, 10, 6))]);
  return net.classify(net.mean(sum, [timeFirst ? 0 : 1]), 6);
}

/** A network on slices of a volume, merged with the batch; its linear layer on values of three axes, where no bias has a place. */
function slicesOf(threeAxes: boolean, batch?: number | string): Model {
  const net = new BatchNet([4, 6, 6], 6, batch);
  const slices = net.shape(net.input, [-1, 1, 6, 6]);
  const a = net.conv(net.conv(slices, 1, 6, [3, 3]), 6, 8, [3, 3]);
  const flat = net.op('Flatten', [net.op('GlobalAveragePool', [a])]);
  const b = net.relu(net.linear(threeAxes ? net.shape(flat, [-1, 1, 8]) : flat, 8, 10));
  return net.classify(net.mean(net.shape(b, [-1, 4, 10]), [1]), 10);
}

/** The network on slices of a volume with the batch left alone: convolutions in three dimensions, one slice deep. */
export function volume(batch?: number | string): Model {
  const net = new BatchNet([4, 6, 6], 6, batch);
  const deep = net.op('Unsqueeze', [net.input, net.builder.ints([1])]);
  const a = net.conv(net.conv(deep, 1, 6, [1, 3, 3]), 6, 8, [1, 3, 3]);
  const slices = net.turned(net.mean(a, [3, 4]), [0, 2, 1]);
  return net.classify(net.mean(net.relu(net.linear(slices, 8, 10)), [1]), 10);
}

/** Networks that hold their samples on another axis or merged, each with one of the same weights that does not. */
export const TWINS: readonly (readonly [string, () => Model, () => Model])[] = [
  ['sequences, time first', () => sequence(true), () => sequence(false)],
  ['slices of a volume', () => slicesOf(true), () => volume()],
];
