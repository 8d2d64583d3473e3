// The relevance pass against its slow twin (test-support/twin.ts): every rule on every kind of weighted layer.
// Whole networks of the other operators are in relevance-networks.test.ts.
import { describe, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { float } from '../../onnx/internal.ts';
import { LONG } from '../../util/test-support/rounds.ts';
import { expectTwin, type RulePair, rulePairs, setting } from '../test-support/compare.ts';
import { Net } from '../test-support/nets.ts';

interface Kind {
  readonly sample: readonly number[];
  /** Values of one sample after the layer. */
  readonly features: number;
  readonly layer: (net: Net, x: string) => string;
}

const KINDS: Record<string, Kind> = {
  'Conv 2-D, valid': { sample: [3, 5, 6], features: 4 * 12, layer: (net, x) => net.conv(x, 3, 4) },
  'Conv 2-D, same padding': {
    sample: [3, 4, 5],
    features: 4 * 20,
    layer: (net, x) => net.conv(x, 3, 4, { pads: [1, 1, 1, 1] }),
  },
  'Conv 2-D without a bias': {
    sample: [3, 5, 5],
    features: 4 * 9,
    layer: (net, x) => net.conv(x, 3, 4, { bias: false }),
  },
  // 6 + 2 - 3 is odd, so the last row and column of the padded input are read by no window.
  'Conv 2-D, stride 2 with a rest': {
    sample: [2, 6, 6],
    features: 4 * 9,
    layer: (net, x) => net.conv(x, 2, 4, { stride: 2, pads: [1, 1, 1, 1] }),
  },
  'Conv 2-D, stride 3 of a 1x1 kernel': {
    sample: [3, 6, 5],
    features: 4 * 4,
    layer: (net, x) => net.conv(x, 3, 4, { kernel: [1, 1], stride: 3 }),
  },
  'Conv 2-D, asymmetric padding': {
    sample: [2, 4, 5],
    features: 3 * 20,
    layer: (net, x) => net.conv(x, 2, 3, { pads: [2, 0, 0, 2] }),
  },
  'Conv 2-D, padding beyond the kernel': {
    sample: [2, 3, 3],
    features: 3 * 49,
    layer: (net, x) => net.conv(x, 2, 3, { pads: [3, 3, 3, 3] }),
  },
  'Conv 2-D, dilation 2': {
    sample: [2, 6, 7],
    features: 3 * 20,
    layer: (net, x) => net.conv(x, 2, 3, { dilation: 2, pads: [1, 1, 1, 1] }),
  },
  'Conv 2-D, dilation 2, stride 2': {
    sample: [2, 7, 8],
    features: 3 * 9,
    layer: (net, x) => net.conv(x, 2, 3, { dilation: 2, stride: 2, pads: [1, 1, 1, 1] }),
  },
  'Conv 2-D, 2 groups': {
    sample: [4, 4, 4],
    features: 6 * 4,
    layer: (net, x) => net.conv(x, 4, 6, { group: 2 }),
  },
  'Conv 2-D, 3 groups, stride 2': {
    sample: [6, 5, 5],
    features: 3 * 9,
    layer: (net, x) => net.conv(x, 6, 3, { group: 3, stride: 2, pads: [1, 1, 1, 1] }),
  },
  'Conv 2-D, depthwise': {
    sample: [4, 5, 5],
    features: 4 * 9,
    layer: (net, x) => net.conv(x, 4, 4, { group: 4 }),
  },
  'Conv 2-D, depthwise, two outputs each': {
    sample: [3, 4, 4],
    features: 6 * 16,
    layer: (net, x) => net.conv(x, 3, 6, { group: 3, pads: [1, 1, 1, 1] }),
  },
  'Conv 1-D': {
    sample: [2, 12],
    features: 4 * 12,
    layer: (net, x) => net.conv(x, 2, 4, { kernel: [5], pads: [2, 2] }),
  },
  'Conv 1-D, stride 2, dilation 2, uneven padding': {
    sample: [2, 11],
    features: 4 * 5,
    layer: (net, x) => net.conv(x, 2, 4, { kernel: [3], stride: 2, dilation: 2, pads: [0, 2] }),
  },
  'ConvTranspose 2-D': {
    sample: [3, 3, 4],
    features: 4 * 30,
    layer: (net, x) => net.convTranspose(x, 3, 4),
  },
  'ConvTranspose 2-D, stride 2, output padding, groups': {
    sample: [4, 3, 3],
    features: 6 * 36,
    layer: (net, x) =>
      net.convTranspose(x, 4, 6, { stride: 2, pads: [1, 1, 1, 1], outputPadding: [1, 1], group: 2 }),
  },
  'ConvTranspose 1-D, dilation 2, uneven padding': {
    sample: [3, 5],
    features: 2 * 11,
    layer: (net, x) => net.convTranspose(x, 3, 2, { kernel: [3], stride: 2, dilation: 2, pads: [2, 0] }),
  },
  'Gemm, transB': { sample: [9], features: 6, layer: (net, x) => net.gemm(x, 9, 6) },
  'Gemm, alpha and beta': {
    sample: [9],
    features: 6,
    layer: (net, x) =>
      net.op('Gemm', [x, net.weights([9, 6], 0.3), net.weights([6], 0.3)], {
        alpha: float(0.7),
        beta: float(-1.3),
      }),
  },
  'Gemm, one bias for all': {
    sample: [9],
    features: 6,
    layer: (net, x) => net.op('Gemm', [x, net.weights([9, 6], 0.3), net.weights([1], 0.3)]),
  },
  'MatMul of two axes': {
    sample: [9],
    features: 6,
    layer: (net, x) => net.op('MatMul', [x, net.weights([9, 6], 0.3)]),
  },
  'MatMul of three axes': {
    sample: [4, 5],
    features: 4 * 6,
    layer: (net, x) => net.op('MatMul', [x, net.weights([5, 6], 0.4)]),
  },
};

/** The layer on inputs of both signs or behind a Relu, followed by a Relu or not, and a dense layer. */
function around(kind: Kind, rectified: { before: boolean; after: boolean }, seed: number): Model {
  const net = new Net(kind.sample, seed);
  const before = rectified.before ? net.relu(net.input) : net.input;
  const layer = kind.layer(net, before);
  return net.classify(rectified.after ? net.relu(layer) : layer, kind.features);
}

const everywhere = (pair: RulePair) => (): RulePair => pair;

describe.each(Object.entries(KINDS))('relevance: %s', (_name, kind) => {
  // A Relu before and one after, each with and without: together they do what they do apart.
  const usual = [
    { before: true, after: false, seed: 2 },
    { before: false, after: true, seed: 3 },
  ];
  const others = [
    { before: true, after: true, seed: 1 },
    { before: false, after: false, seed: 4 },
  ];
  it.each(LONG ? [...usual, ...others] : usual)(
    'equals the twin under every rule, Relu before: $before, after: $after',
    async ({ seed, ...rectified }) => {
      const given = setting(around(kind, rectified, seed), 2, seed);
      for (const pair of rulePairs()) await expectTwin(given, everywhere(pair));
    },
  );
});

describe('relevance: stabilisers', () => {
  it('equals the twin with a large one, where it is felt most', async () => {
    const kind = KINDS['Conv 2-D, same padding'] as Kind;
    for (const before of [true, false]) {
      for (const after of [true, false]) {
        const given = setting(around(kind, { before, after }, 3));
        for (const pair of rulePairs(0.3)) await expectTwin(given, everywhere(pair));
      }
    }
  });
});
