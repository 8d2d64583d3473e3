import { init, numpy as np } from '@jax-js/jax';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Dataset, generateEcg } from '../../src/data/index.ts';
import { createSession, tensor } from '../../src/engine/index.ts';
import { writeModel } from '../../src/onnx/index.ts';
import { Random } from '../../src/util/internal.ts';
import { exportNetwork } from './export.ts';
import { type Architecture, initialise, type Parameters, stemColumns } from './network.ts';
import { makeStep, rateOf, startState } from './optimiser.ts';
import { accuracy, logitsOf, type Schedule, train } from './train.ts';

const SMALL: Architecture = {
  inputLength: 256,
  classes: 5,
  stem: { channels: 8, kernel: 7 },
  blocks: [8, 12],
  kernel: 5,
};

type Weights = Map<string, { dims: number[]; data: Float32Array }>;

// Biases start at zero, where a lost one would go unseen.
const shaken = (seed: number): Weights => {
  const random = new Random(seed);
  const weights = initialise(SMALL, random);
  for (const { data } of weights.values())
    for (let i = 0; i < data.length; i++) data[i]! += 0.05 * random.normal();
  return weights;
};

const onnxLogits = async (weights: Weights, data: Dataset): Promise<Float32Array> => {
  const session = await createSession(writeModel(exportNetwork(SMALL, weights)), { name: 'small.onnx' });
  const { logits } = await session.run({ input: tensor(data.samples, [data.size, 1, 256]) });
  await session.release();
  return logits!.data as Float32Array;
};

const crossEntropy = (logits: Float32Array, labels: Int32Array): number => {
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = Array.from(logits.subarray(i * 5, i * 5 + 5));
    sum += Math.log(row.reduce((total, value) => total + Math.exp(value), 0)) - row[labels[i]!]!;
  }
  return sum / labels.length;
};

beforeAll(async () => {
  await init('wasm');
});

describe('the exported graph', () => {
  it("computes the network's logits, for a full batch and a rest", async () => {
    const weights = shaken(2);
    const data = generateEcg({ perClass: 21, seed: 8 });
    const parameters: Parameters = {};
    for (const [name, { dims, data: values }] of weights) parameters[name] = np.array(values).reshape(dims);
    const expected = await logitsOf(SMALL, parameters, data);
    const actual = await onnxLogits(weights, data);
    expect(actual.length).toBe(105 * 5);
    for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(1e-4);
  });
});

describe('a training step', () => {
  it('reports the cross-entropy and moves every tensor against its gradient', async () => {
    const weights = shaken(4);
    const data = generateEcg({ perClass: 5, seed: 9 });
    const loss = async (name: string, i: number, by: number): Promise<number> => {
      const moved = new Map(weights);
      const { dims, data: values } = weights.get(name)!;
      const copy = values.slice();
      copy[i]! += by;
      moved.set(name, { dims, data: copy });
      return crossEntropy(await onnxLogits(moved, data), data.labels!);
    };
    const rows = Array.from({ length: data.size }, (_, i) => i);
    const columns = np.array(stemColumns(SMALL, data.samples, rows)).reshape([128, data.size, 7]);
    const oneHot = Float32Array.from({ length: data.size * 5 }, (_, i) =>
      data.labels![Math.floor(i / 5)] === i % 5 ? 1 : 0,
    );
    const step = makeStep(SMALL, 0);
    const labels = np.array(oneHot).reshape([data.size, 5]);
    const [value, next] = step(startState(weights), columns, labels, rateOf(1e-3, 1));
    expect((await value.data())[0]).toBeCloseTo(
      crossEntropy(await onnxLogits(weights, data), data.labels!),
      4,
    );

    // After one step Adam's mean is a tenth of the gradient: compared with central differences through ONNX Runtime.
    for (const name of weights.keys()) {
      const mean = (await next.mean[name]!.ref.data()) as Float32Array;
      const after = (await next.parameters[name]!.ref.data()) as Float32Array;
      const before = weights.get(name)!.data;
      const i = mean.reduce((best, v, j) => (Math.abs(v) > Math.abs(mean[best]!) ? j : best), 0);
      const h = 2e-3;
      const gradient = ((await loss(name, i, h)) - (await loss(name, i, -h))) / (2 * h);
      expect(Math.abs(10 * mean[i]! - gradient)).toBeLessThan(2e-3 + 0.03 * Math.abs(gradient));
      // Adam's first step is the learning rate in the direction of the sign.
      expect(after[i]! - before[i]!).toBeCloseTo(-1e-3 * Math.sign(gradient), 5);
    }
  });
});

describe('training', () => {
  const data = generateEcg({ perClass: 40, seed: 6 });
  const run = (seed: number, schedule: Schedule): Promise<Weights> =>
    train(SMALL, data, data, schedule, new Random(seed), () => {});

  it('learns', async () => {
    const weights = await run(1, { epochs: 12, batch: 25, rate: 1e-2, warmUp: 10, decay: 1e-2 });
    // Chance is 0.2.
    expect(accuracy(data, await onnxLogits(weights, data))).toBeGreaterThan(0.4);
  });

  it('repeats exactly by seed', async () => {
    const brief = { epochs: 2, batch: 25, rate: 5e-3, warmUp: 5, decay: 1e-2 };
    const first = await run(1, brief);
    expect(await run(1, brief)).toEqual(first);
    expect((await run(2, brief)).get('stem.weight')).not.toEqual(first.get('stem.weight'));
  });
});
