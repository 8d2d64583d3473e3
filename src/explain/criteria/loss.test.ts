// Criteria of the loss, against differences of the cross-entropy in double precision when a channel's weights and bias
// are scaled: the derivative by a mask on the channel.
import { describe, expect, it } from 'vitest';
import type { Constant, Model } from '../../onnx/index.ts';
import { cloneModel, int } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { findPlainCriterion } from '../registry.ts';
import { context } from '../test-support/calibration.ts';
import { Net } from '../test-support/nets.ts';
import { forward } from '../test-support/twin.ts';

const COUNT = 6;
const LABELS = [0, 1, 2, 2, 1, 0];
const WEIGHTS = [1, 2, 0, 1, 3, 1];

/** Smooth, so that differences are exact enough everywhere. */
function network(ending?: 'Softmax' | 'LogSoftmax'): Model {
  const net = new Net([2, 4, 4], 6);
  const a = net.op('Tanh', [net.conv(net.input, 2, 3, { pads: [1, 1, 1, 1] })]);
  const b = net.op('Sigmoid', [net.conv(a, 3, 4)]);
  const logits = net.gemm(net.op('Flatten', [b]), 16, 3);
  return net.finish(ending ? net.op(ending, [logits], { axis: int(1) }) : logits, 3);
}

/** Cross-entropy of each sample against its target, `[count, classes]`. */
function losses(model: Model, targets: readonly (readonly number[])[]): number[] {
  const { samples, sampleShape } = context(model, { count: COUNT }).calibration;
  const trace = forward(model, { dims: [COUNT, ...sampleShape], data: Float64Array.from(samples) });
  const logits = must(trace.values.get('Gemm'), 'logits').data;
  return targets.map((target, n) => {
    const row = Array.from(logits.subarray(3 * n, 3 * n + 3));
    const total = Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0));
    return target.reduce((sum, share, k) => sum + share * (total - (row[k] as number)), 0);
  });
}

/** Per channel of a convolution, the derivative of every sample's loss by a mask on it. */
function maskGradients(layer: string, channels: number, targets: readonly (readonly number[])[]): number[][] {
  const step = 0.02;
  const scaled = (channel: number, factor: number): number[] => {
    const copy = cloneModel(network());
    const node = must(
      copy.graph.nodes.find(({ name }) => name === layer),
      layer,
    );
    for (const name of node.inputs.slice(1)) {
      const held = must<Constant>(copy.graph.constants.get(name), name);
      if (held.type !== 'float32') throw new Error(name);
      const size = held.data.length / channels;
      const data = held.data.map((value, i) => (Math.floor(i / size) === channel ? value * factor : value));
      copy.graph.constants.set(name, { ...held, data });
    }
    return losses(copy, targets);
  };
  return Array.from({ length: channels }, (_, c) => {
    const [up, down] = [scaled(c, 1 + step), scaled(c, 1 - step)];
    return up.map((loss, n) => (loss - (down[n] as number)) / (2 * step));
  });
}

const oneHot = (label: number): number[] => [0, 1, 2].map((k) => (k === label ? 1 : 0));
const mean = (list: readonly number[], weights: readonly number[]): number =>
  list.reduce((sum, x, n) => sum + x * (weights[n] as number), 0) / weights.reduce((a, b) => a + b, 0);

function expectClose(actual: Float64Array | undefined, expected: readonly number[]): void {
  const most = Math.max(...expected);
  expect(most).toBeGreaterThan(0);
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, c) => {
    expect(Math.abs((actual?.[c] ?? Number.NaN) - value)).toBeLessThan(2e-3 * most);
  });
}

const LAYERS = [
  ['Conv', 3],
  ['Conv_1', 4],
] as const;

describe.each([
  {
    name: 'taylor-squared',
    title: 'the square of the derivative of the mean loss',
    score: (g: number[], weights: number[]) => mean(g, weights) ** 2,
  },
  {
    name: 'fisher',
    title: "the mean square of the derivative of each sample's loss",
    score: (g: number[], weights: number[]) =>
      mean(
        g.map((x) => x * x),
        weights,
      ),
  },
])('$name', ({ name, title, score }) => {
  const criterion = findPlainCriterion(name);

  it(`is ${title}, by a mask on the channel`, async () => {
    for (const weights of [new Array<number>(COUNT).fill(1), WEIGHTS]) {
      const scores = await criterion.score(context(network(), { count: COUNT, labels: LABELS, weights }));
      for (const [layer, channels] of LAYERS) {
        const gradients = maskGradients(layer, channels, LABELS.map(oneHot));
        expectClose(
          scores.find((entry) => entry.layer === layer)?.scores,
          gradients.map((g) => score(g, weights)),
        );
      }
    }
  });

  it('takes a mix of classes as the distribution of the target', async () => {
    const target = Float32Array.of(0.5, 0.3, 0.2);
    const scores = await criterion.score(context(network(), { count: COUNT, target }));
    const gradients = maskGradients('Conv_1', 4, new Array<number[]>(COUNT).fill(Array.from(target)));
    const expected = gradients.map((g) => score(g, new Array<number>(COUNT).fill(1)));
    expectClose(scores.find(({ layer }) => layer === 'Conv_1')?.scores, expected);
  });

  it.each(['Softmax', 'LogSoftmax'] as const)('is the same for a model that ends in %s', async (ending) => {
    const options = { count: COUNT, labels: LABELS };
    const plain = await criterion.score(context(network(), options));
    const ended = await criterion.score(context(network(ending), options));
    plain.forEach(({ layer, scores }, i) => {
      expect(ended[i]?.layer).toBe(layer);
      const most = Math.max(...scores);
      scores.forEach((value, c) => {
        expect(Math.abs((ended[i]?.scores[c] as number) - value)).toBeLessThan(1e-4 * most);
      });
    });
  });

  it('stands in with the predicted class where there are no labels', async () => {
    const logits = must(
      forward(network(), {
        dims: [COUNT, 2, 4, 4],
        data: Float64Array.from(context(network(), { count: COUNT }).calibration.samples),
      }).values.get('Gemm'),
      'logits',
    ).data;
    const predicted = LABELS.map((_, n) => {
      const row = Array.from(logits.subarray(3 * n, 3 * n + 3));
      return row.indexOf(Math.max(...row));
    });
    const unlabelled = await criterion.score(context(network(), { count: COUNT }));
    expect(unlabelled).toEqual(
      await criterion.score(context(network(), { count: COUNT, labels: predicted })),
    );
  });
});

describe('the two', () => {
  it('differ: effects of opposite sign cancel in the mean loss and not in the mean square', async () => {
    const given = { count: COUNT, labels: LABELS };
    const [squared, fisher] = [
      await findPlainCriterion('taylor-squared').score(context(network(), given)),
      await findPlainCriterion('fisher').score(context(network(), given)),
    ];
    squared.forEach(({ scores }, l) => {
      scores.forEach((value, c) => {
        expect(value).toBeLessThan(fisher[l]?.scores[c] as number);
      });
    });
  });
});
