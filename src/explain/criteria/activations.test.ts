// Criteria of activations, against averages over ONNX Runtime's own outputs of the layers.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { cloneModel, int } from '../../onnx/internal.ts';
import { context, smallNetwork } from '../test-support/calibration.ts';
import { runModel } from '../test-support/differences.ts';
import { Net } from '../test-support/nets.ts';
import { ACTIVATION, ACTIVATION_STD, APOZ } from './activations.ts';

const COUNT = 11;

/** The value of each channel at each place, samples in turn: `[channel][place]`. */
async function activationsOf(model: Model, value: string, channels: number): Promise<number[][]> {
  const probed = cloneModel(model);
  probed.graph.outputs = [{ name: value, elemType: 1, dims: undefined }];
  const { samples, sampleShape } = context(model, { count: COUNT }).calibration;
  const data = await runModel(probed, samples, [COUNT, ...sampleShape]);
  const places = data.length / COUNT / channels;
  const result: number[][] = Array.from({ length: channels }, () => []);
  data.forEach((x, i) => {
    result[Math.floor(i / places) % channels]?.push(x);
  });
  return result;
}

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

/** Layer by layer: the value whose statistics count. A Relu that alone reads the layer comes first. */
const READ = [
  { layer: 'Conv', value: 'Relu', channels: 4 },
  { layer: 'Conv_1', value: 'Conv_1', channels: 4 },
  { layer: 'Conv_2', value: 'Relu_2', channels: 5 },
  { layer: 'Gemm', value: 'Gemm', channels: 3 },
];

describe.each([
  { criterion: ACTIVATION, statistic: (list: number[]) => mean(list.map(Math.abs)) },
  {
    criterion: ACTIVATION_STD,
    statistic: (list: number[]) => Math.sqrt(mean(list.map((x) => (x - mean(list)) ** 2))),
  },
  { criterion: APOZ, statistic: (list: number[]) => 1 - mean(list.map((x) => (x > 0 ? 0 : 1))) },
])('$criterion.name', ({ criterion, statistic }) => {
  it('is its statistic over samples and space, behind the activation', async () => {
    const model = smallNetwork();
    const scores = await criterion.score(context(model, { count: COUNT }));
    expect(scores.map(({ layer }) => layer)).toEqual(READ.map(({ layer }) => layer));
    for (const [i, { layer, value, channels }] of READ.entries()) {
      const expected = (await activationsOf(model, value, channels)).map(statistic);
      expect(scores[i]?.scores).toHaveLength(channels);
      expected.forEach((score, c) => {
        expect(scores[i]?.scores[c], `${layer} ${c}`).toBeCloseTo(score, 5);
      });
      expect(new Set(expected).size).toBeGreaterThan(1);
    }
  });

  it('does not depend on the batch, and says how far it is', async () => {
    const model = smallNetwork();
    const seen: number[] = [];
    const onProgress = (done: number): void => {
      seen.push(done);
    };
    const single = await criterion.score(context(model, { batch: 1 }));
    const seven = await criterion.score(context(model, { batch: 7, onProgress }));
    expect(seen).toEqual([7, 11]);
    single.forEach(({ scores }, i) => {
      scores.forEach((score, c) => {
        expect(seven[i]?.scores[c]).toBeCloseTo(score, 6);
      });
    });
  });

  it('reads the layer itself where an activation is not all that reads it', async () => {
    const net = new Net([2, 5, 5], 2);
    const conv = net.conv(net.input, 2, 4);
    const model = net.classify(net.op('Add', [net.relu(conv), conv]), 36, 3);
    const [first] = await criterion.score(context(model, { count: COUNT }));
    const expected = (await activationsOf(model, 'Conv', 4)).map(statistic);
    expected.forEach((score, c) => {
      expect(first?.scores[c]).toBeCloseTo(score, 5);
    });
  });

  it('takes the last axis of a MatMul as channels, and leaves the model as it was', async () => {
    const net = new Net([4, 3], 2);
    const dense = net.op('MatMul', [net.input, net.weights([3, 5])]);
    const total = net.op('ReduceMean', [net.relu(dense)], {
      axes: { type: 'ints', value: [1n] },
      keepdims: int(0),
    });
    const model = net.finish(net.gemm(total, 5, 3), 3);
    const nodes = model.graph.nodes.length;
    const [first] = await criterion.score(context(model, { count: COUNT }));
    const turned = cloneModel(model);
    turned.graph.nodes.push({
      name: 'turned',
      op: 'Transpose',
      domain: '',
      inputs: ['Relu'],
      outputs: ['turned'],
      attributes: new Map([['perm', { type: 'ints', value: [0n, 2n, 1n] }]]),
    });
    const expected = (await activationsOf(turned, 'turned', 5)).map(statistic);
    expected.forEach((score, c) => {
      expect(first?.scores[c]).toBeCloseTo(score, 5);
    });
    expect(model.graph.nodes).toHaveLength(nodes);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['Gemm']);
  });
});
