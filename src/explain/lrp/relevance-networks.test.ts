// The relevance pass against its slow twin (test-support/twin.ts) through whole networks: residual sums, pools, means,
// operators that move values, gates and standing batch normalisations, under every rule and a mix of rules.

import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { float, floatConstant, int, intConstant, ints } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { rounds } from '../../util/test-support/rounds.ts';
import { expectTwin, type RulePair, rulePairs, setting } from '../test-support/compare.ts';
import { Net } from '../test-support/nets.ts';
import { randomNetwork } from '../test-support/random-net.ts';

const same = [1, 1, 1, 1];

/** Each builds a network and says how many values the last layer reads. */
const NETWORKS: Record<string, (seed: number) => Model> = {
  'residual block with a projection': (seed) => {
    const net = new Net([2, 6, 6], seed);
    const stem = net.relu(net.conv(net.input, 2, 4, { pads: same }));
    const inner = net.relu(net.conv(stem, 4, 6, { stride: 2, pads: same }));
    const outer = net.conv(inner, 6, 6, { pads: same });
    const projection = net.conv(stem, 4, 6, { kernel: [1, 1], stride: 2 });
    const block = net.relu(net.op('Add', [outer, projection]));
    const again = net.relu(net.op('Add', [net.conv(block, 6, 6, { pads: same }), block]));
    return net.classify(net.op('GlobalAveragePool', [again]), 6);
  },
  'overlapping and other max pools': (seed) => {
    const net = new Net([2, 11, 11], seed);
    const a = net.relu(net.conv(net.input, 2, 3, { pads: same }));
    const pool = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints(same) };
    const b = net.conv(net.op('MaxPool', [a], pool), 3, 4, { pads: same });
    const apart = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
    const c = net.relu(net.op('MaxPool', [b], apart));
    const gaps = { kernel_shape: ints([1, 2]), strides: ints([1, 1]) };
    return net.classify(net.op('MaxPool', [c], gaps), 4 * 6);
  },
  'max pool before the activation, ceil mode': (seed) => {
    const net = new Net([2, 8], seed);
    const a = net.conv(net.input, 2, 4, { kernel: [3], pads: [1, 1] });
    const pool = { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) };
    return net.classify(net.relu(net.op('MaxPool', [a], pool)), 16);
  },
  'max pool with gaps between its windows and a rest': (seed) => {
    const net = new Net([2, 9, 7], seed);
    const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
    const pool = { kernel_shape: ints([2, 2]), strides: ints([3, 2]) };
    return net.classify(net.op('MaxPool', [a], pool), 36);
  },
  'max pool with gaps in its windows': (seed) => {
    const net = new Net([2, 10], seed);
    const a = net.relu(net.conv(net.input, 2, 4, { kernel: [3], pads: [1, 1] }));
    // Windows {0, 2}, {2, 4}, ...: they overlap although the kernel is no longer than the stride.
    const pool = { kernel_shape: ints([2]), strides: ints([2]), dilations: ints([2]) };
    return net.classify(net.op('MaxPool', [a], pool), 16);
  },
  'global max pool': (seed) => {
    const net = new Net([2, 5, 5], seed);
    const a = net.conv(net.relu(net.conv(net.input, 2, 4)), 4, 6, { kernel: [1, 1] });
    return net.classify(net.op('GlobalMaxPool', [a]), 6);
  },
  'average pools with padding counted and not': (seed) => {
    const net = new Net([2, 7, 7], seed);
    const pool = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints(same) };
    const a = net.relu(net.conv(net.input, 2, 3, { pads: same }));
    const counted = net.op('AveragePool', [a], { ...pool, count_include_pad: int(1) });
    const b = net.conv(counted, 3, 4, { pads: same });
    return net.classify(net.op('AveragePool', [b], pool), 16);
  },
  'average pools with uneven padding and a rest': (seed) => {
    const net = new Net([3, 10], seed);
    const a = net.relu(net.conv(net.input, 3, 4, { kernel: [3], pads: [1, 1] }));
    const uneven = { kernel_shape: ints([4]), strides: ints([3]), pads: ints([1, 0]) };
    const b = net.conv(net.op('AveragePool', [a], uneven), 4, 4, { kernel: [1] });
    return net.classify(b, 12);
  },
  'average pools in ceil mode': (seed) => {
    const net = new Net([3, 8], seed);
    const a = net.relu(net.conv(net.input, 3, 4, { kernel: [3], pads: [1, 1] }));
    const pool = { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) };
    const b = net.conv(net.op('AveragePool', [a], pool), 4, 4, { kernel: [1] });
    const counted = { ...pool, pads: ints([1, 0]), count_include_pad: int(1) };
    return net.classify(net.op('AveragePool', [b], counted), 8);
  },
  'average pool with gaps in its windows': (seed) => {
    const net = new Net([3, 5, 6], seed);
    const a = net.relu(net.conv(net.input, 3, 4, { pads: same }));
    const pool = { kernel_shape: ints([2, 3]), dilations: ints([2, 2]), pads: ints([1, 0, 0, 1]) };
    return { ...net.classify(net.op('AveragePool', [a], pool), 4 * 4 * 3), opsets: new Map([['', 19]]) };
  },
  'means over axes': (seed) => {
    const net = new Net([3, 4, 5], seed);
    const a = net.relu(net.conv(net.input, 3, 4, { pads: same }));
    const rows = net.op('ReduceMean', [a], { axes: ints([-1]), keepdims: int(1) });
    const b = net.conv(rows, 4, 5, { kernel: [1, 1] });
    const both = net.op('ReduceMean', [b], { axes: ints([2, 3]), keepdims: int(0) });
    return net.finish(net.gemm(both, 5, 4));
  },
  'concatenation of branches and of the same value twice': (seed) => {
    const net = new Net([2, 5, 5], seed);
    const a = net.relu(net.conv(net.input, 2, 3, { pads: same }));
    const b = net.conv(net.input, 2, 2, { kernel: [1, 1] });
    const joined = net.op('Concat', [a, b, a], { axis: int(-3) });
    return net.classify(net.relu(net.conv(joined, 8, 4)), 36);
  },
  'split into used and unused parts': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.relu(net.conv(net.input, 2, 6, { pads: same }));
    const sizes = net.builder.constant(intConstant([1, 2, 3]));
    const [, second, third] = net.builder.nodes('Split', [a, sizes], { axis: int(1) }, ['p', 'q', 'r']);
    const [left, right] = net.builder.nodes('Split', [third as string], { axis: int(-1) }, ['l', 'm']);
    const sum = net.op('Sub', [left as string, right as string]);
    const b = net.relu(net.conv(second as string, 2, 3, { kernel: [1, 3] }));
    return net.classify(net.op('Add', [net.conv(sum, 3, 3, { kernel: [1, 1] }), b]), 24);
  },
  'slices: steps, from the end, backwards, two axes': (seed) => {
    const net = new Net([2, 9, 8], seed);
    const slice = (x: string, ...given: number[][]): string =>
      net.op('Slice', [x, ...given.map((list) => net.builder.ints(list))]);
    const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
    const spaced = slice(a, [1, 0], [9, -1], [2, 3], [2, 3]);
    const b = net.conv(spaced, 4, 4, { kernel: [1, 1] });
    const backwards = slice(b, [-1], [-100], [2], [-1]);
    const tail = slice(backwards, [-3], [Number.MAX_SAFE_INTEGER], [-3]);
    const skewed = slice(tail, [2, 100], [0, 0], [1, 2], [-1, -2]);
    return net.classify(skewed, 2 * 2 * 3);
  },
  'padding and cropping': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.relu(net.conv(net.input, 2, 3));
    const wide = net.op('Pad', [a, net.builder.ints([0, 1, 1, 0, 0, 0, 2, 1])]);
    const b = net.conv(wide, 4, 3, { pads: same });
    const filled = net.op('Pad', [b, net.builder.ints([0, 0, 2, 0, 0, 0, 0, 1]), net.builder.scalar(0.5)]);
    return net.classify(net.conv(filled, 3, 2), 20);
  },
  'reshapes and transposes': (seed) => {
    const net = new Net([2, 4, 6], seed);
    const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
    const tokens = net.op('Reshape', [a, net.builder.ints([0, 4, -1])]);
    const last = net.op('Transpose', [tokens], { perm: ints([0, 2, 1]) });
    const mixed = net.relu(net.op('MatMul', [last, net.weights([4, 5], 0.5)]));
    const mean = net.op('ReduceMean', [mixed], { axes: ints([1]), keepdims: int(1) });
    const column = net.op('Unsqueeze', [mean, net.builder.ints([-1])]);
    const row = net.op('Squeeze', [column, net.builder.ints([1, 3])]);
    return net.finish(net.gemm(row, 5, 4));
  },
  'three axes turned round, dropout and identity': (seed) => {
    const net = new Net([3, 4, 5], seed);
    const turned = net.op('Transpose', [net.input], { perm: ints([0, 3, 1, 2]) });
    const a = net.op('Identity', [net.relu(net.conv(turned, 5, 4, { kernel: [2, 2] }))]);
    const b = net.op('Transpose', [net.op('Dropout', [a])], { perm: ints([0, 2, 3, 1]) });
    return net.classify(b, 24);
  },
  'depth to space': (seed) => {
    const net = new Net([2, 3, 3], seed);
    const a = net.relu(net.conv(net.input, 2, 8, { pads: same }));
    const b = net.op('DepthToSpace', [a], { blocksize: int(2) });
    return net.classify(net.conv(b, 2, 2, { stride: 2 }), 8);
  },
  'channel gates': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
    const squeezed = net.op('GlobalAveragePool', [a]);
    const hidden = net.relu(net.conv(squeezed, 4, 2, { kernel: [1, 1] }));
    const gate = net.op('Sigmoid', [net.conv(hidden, 2, 4, { kernel: [1, 1] })]);
    const gated = net.op('Mul', [gate, a]);
    const b = net.conv(gated, 4, 3, { pads: same });
    const swish = net.op('Mul', [b, net.op('Sigmoid', [b])]);
    return net.classify(swish, 48);
  },
  'gates of gates: tanh is a signal to a sigmoid and a gate to others': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const branch = (op: string): string => net.op(op, [net.conv(net.input, 2, 3)]);
    const lstm = net.op('Mul', [branch('Sigmoid'), branch('Tanh')]);
    const turned = net.op('Mul', [branch('Tanh'), branch('Sigmoid')]);
    const mish = net.op('Mul', [branch('Tanh'), branch('Identity')]);
    const joined = net.op('Concat', [lstm, turned, mish], { axis: int(1) });
    return net.classify(joined, 36);
  },
  'gates behind constants and changes of shape': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.conv(net.input, 2, 3, { pads: same });
    const bounds = [net.builder.scalar(0), net.builder.scalar(6)];
    const part = net.op('Clip', [net.op('Add', [a, net.builder.scalar(3)]), ...bounds]);
    // Hard swish as exporters write it: the gate stands first, and behind a division or a factor.
    const swish = net.op('Mul', [net.op('Div', [part, net.builder.scalar(6)]), a]);
    const b = net.conv(swish, 3, 3, { pads: same });
    const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [b])]);
    const gate = net.op('Sigmoid', [net.gemm(pooled, 3, 3)]);
    const column = net.op('Reshape', [gate, net.builder.ints([-1, 3, 1, 1])]);
    const gated = net.op('Mul', [net.op('Mul', [net.builder.scalar(2), column]), b]);
    return net.classify(gated, 48);
  },
  'copies along new and old axes': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.conv(net.input, 2, 3, { pads: same });
    const pooled = net.op('GlobalAveragePool', [net.relu(a)]);
    const copied = net.op('Expand', [pooled, net.builder.ints([1, 3, 2, 4])]);
    return net.classify(net.relu(net.conv(copied, 3, 4, { kernel: [2, 2] })), 12);
  },
  'quotients, by and of constants': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const scale = net.builder.constant(floatConstant([0.5, -2, 3], [3, 1, 1]));
    const a = net.op('Div', [net.conv(net.input, 2, 3), scale]);
    const b = net.op('Div', [net.builder.scalar(2), net.op('Exp', [net.conv(net.input, 2, 3)])]);
    const c = net.op('Div', [net.conv(net.input, 2, 3), net.op('Exp', [a])]);
    const joined = net.op('Concat', [a, b, c], { axis: int(1) });
    return net.classify(joined, 36);
  },
  'products with constants, and their broadcasts': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.conv(net.input, 2, 3, { pads: same });
    const scaled = net.op('Mul', [net.weights([3, 1, 1]), a]);
    const pooled = net.op('GlobalAveragePool', [net.relu(scaled)]);
    const spread = net.op('Mul', [pooled, net.weights([1, 3, 2, 2])]);
    return net.classify(net.relu(net.conv(spread, 3, 4, { kernel: [1, 1] })), 16);
  },
  'sums and differences with constants, and their broadcasts': (seed) => {
    const net = new Net([2, 4, 4], seed);
    const a = net.op('Add', [net.conv(net.input, 2, 3, { pads: same }), net.weights([3, 1, 1])]);
    const pooled = net.op('GlobalAveragePool', [net.relu(a)]);
    const centred = net.op('Sub', [a, pooled]);
    const b = net.relu(net.conv(net.op('Sub', [net.weights([1], 0.5), centred]), 3, 4));
    return net.classify(net.op('Add', [b, b]), 16);
  },
  'batch normalisation that stands alone': (seed) => {
    const net = new Net([3, 4, 4], seed);
    const normalise = (x: string, channels: number): string => {
      const variance = Float32Array.from({ length: channels }, () => 0.5 + net.random.uniform());
      return net.op(
        'BatchNormalization',
        [
          x,
          net.weights([channels]),
          net.weights([channels]),
          net.weights([channels]),
          net.builder.constant(floatConstant(variance)),
        ],
        { epsilon: float(1e-3) },
      );
    };
    const a = net.relu(net.conv(normalise(net.input, 3), 3, 4, { pads: same }));
    return net.classify(net.relu(net.conv(normalise(a, 4), 4, 4)), 16);
  },
  'activations of other kinds': (seed) => {
    const net = new Net([2, 5, 5], seed);
    const a = net.op('LeakyRelu', [net.conv(net.input, 2, 4)], { alpha: float(0.1) });
    const bounds = [net.builder.scalar(0), net.builder.scalar(6)];
    const b = net.op('Clip', [net.conv(a, 4, 4, { kernel: [1, 1] }), ...bounds]);
    const c = net.op('Tanh', [net.conv(b, 4, 3, { kernel: [1, 1] })]);
    return net.classify(net.op('Sigmoid', [net.conv(c, 3, 3, { kernel: [1, 1] })]), 27);
  },
};

describe('relevance through networks at random', () => {
  it.each(Array.from({ length: rounds(4, 24) }, (_, i) => i + 1))(
    'equals the twin, network %i',
    async (seed) => {
      const pairs = rulePairs();
      const model = randomNetwork(seed);
      const ruleOf = (name: string): RulePair => {
        const at = model.graph.nodes.findIndex((node) => node.name === name);
        return must(pairs[(at + seed) % pairs.length], 'no rule');
      };
      await expectTwin(setting(model, 2, seed), ruleOf, 5e-4);
    },
  );
});

describe.each(Object.entries(NETWORKS))('relevance through %s', (_name, build) => {
  it('equals the twin under every rule and a mix of them', async () => {
    const pairs = rulePairs();
    for (const seed of [1, 2]) {
      const model = build(seed);
      const given = setting(model, 2, seed);
      const mix = (name: string): RulePair => {
        const at = model.graph.nodes.findIndex((node) => node.name === name);
        return must(pairs[(at + seed) % pairs.length], 'no rule');
      };
      await expectTwin(given, mix);
      if (seed > 1) continue;
      for (const pair of pairs) {
        const { input } = await expectTwin(given, () => pair);
        // Guards the comparison itself: something must arrive.
        expect(Math.max(...(input ?? []).map(Math.abs))).toBeGreaterThan(1e-4);
      }
    }
  });
});
