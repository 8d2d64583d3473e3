import { readFile } from 'node:fs/promises';
import { defaultDevice, grad, init, type numpy as np } from '@jax-js/jax';
import { beforeAll, describe, expect, it } from 'vitest';
import { createSession } from '../../engine/index.ts';
import { type PlanningInstance, randomInstance } from '../../plan/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { batchOf, sampleOf } from '../train/batch.ts';
import { demonstrated } from '../train/demonstrations.ts';
import { arraysOfBatch, demonstrationArrays, forwardOf, imitationLoss } from '../train/imitate.ts';
import type { Parameters } from '../train/jax-arithmetic.ts';
import { arraysOf } from '../train/optimiser.ts';
import { exportPolicy } from './export.ts';
import { FEATURE_NAMES } from './feature-names.ts';
import { Features } from './features.ts';
import {
  compress,
  decompress,
  INPUT_NAMES,
  initialWeights,
  layersOf,
  POLICY_SHAPE,
  type PolicyShape,
} from './network.ts';
import { PolicyNetwork } from './policy-network.ts';

const SMALL: PolicyShape = { hidden: 8, blocks: 2, attention: true };
const instance = randomInstance({
  stages: 5,
  devices: 4,
  levels: 3,
  pairs: 3,
  quads: 1,
  seed: 4,
  mixedSplits: true,
});
const features = new Features();

beforeAll(async () => {
  await init('wasm');
  defaultDevice('wasm');
});

/** Scores by jax-js of a request padded to a larger shape. */
async function byJax(shape: PolicyShape, weights: ReturnType<typeof initialWeights>, pad: number) {
  features.load(instance);
  const sample = sampleOf(features);
  const sizes = { batch: 1 + pad, stages: sample.stages + pad, devices: sample.devices + pad };
  const padded = { ...sizes, sets: sample.sets + 2 * pad, levels: sample.levels + pad };
  const out = forwardOf(shape, arraysOf(weights), arraysOfBatch(batchOf([sample], padded)));
  const read = async (array: np.Array) => (await array.data()) as Float32Array;
  return {
    sample,
    padded,
    sets: await read(out.sets),
    levels: await read(out.levels),
    devices: await read(out.devices),
    request: await read(out.request),
  };
}

describe('the network', () => {
  it.each([
    ['with attention', SMALL],
    ['without', { ...SMALL, attention: false }],
    ['as it is shipped', POLICY_SHAPE],
  ])('%s says the same in ONNX Runtime as in training, padded or not', async (_, shape) => {
    const weights = initialWeights(shape, new Random(3));
    const adviser = await PolicyNetwork.open(exportPolicy(shape, weights), 'test');
    const session = await createSession(exportPolicy(shape, weights), { name: 'test' });
    for (const pad of [0, 2]) {
      const { sample: s, padded: p, ...jax } = await byJax(shape, weights, pad);
      const advice = await adviser.run(instance);
      for (let l = 0; l < s.stages; l++) {
        for (let k = 0; k < s.sets; k++)
          expect(advice.sets[l * s.sets + k]).toBeCloseTo(must(jax.sets[l * p.sets + k], 'score'), 5);
        for (let q = 0; q < s.levels; q++)
          expect(advice.levels[l * s.levels + q]).toBeCloseTo(must(jax.levels[l * p.levels + q], 'score'), 5);
      }
      for (let d = 0; d < s.devices; d++)
        expect(advice.prices.memory[d]).toBeCloseTo(
          decompress(must(jax.devices[2 * d], 'price')) * s.unit,
          5,
        );
      expect(advice.prices.time).toBeCloseTo(decompress(must(jax.request[0], 'price')) * s.unit, 5);
    }
    expect([...session.inputNames].sort()).toEqual([...INPUT_NAMES].sort());
    await session.release();
    await adviser.close();
  });

  it('asks for another weight of a layer nowhere, and for no more than there are', () => {
    const weights = initialWeights(POLICY_SHAPE, new Random(1));
    const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(
      layersOf(POLICY_SHAPE).reduce((sum, { from, to, bias }) => sum + from * to + (bias ? to : 0), 0),
    ).toBe(parameters);
    expect(parameters).toBeLessThan(40_000);
  });

  it('has gradients that agree with finite differences', async () => {
    features.load(instance);
    const stored = {
      ...{ seed: 1, objective: 1, sets: instance.stages.map((_, l) => (l === 0 ? 0 : 1)) },
      ...{ levels: instance.stages.map((_, l) => (l === instance.stages.length - 1 ? 0 : 1)) },
      prices: [0.3, 0.01, 0.1, 0, 0.2, 0, 0.5, 0, 0, 0.1],
    };
    const row = demonstrated(instance, stored, features);
    const { stages, devices, sets, levels } = row.sample;
    const shape = { batch: 1, stages, devices, sets, levels };
    const weights = initialWeights(SMALL, new Random(7));
    const loss = (parameters: Parameters): np.Array =>
      imitationLoss(SMALL, parameters, demonstrationArrays([row], shape), 1);
    const gradients = grad(loss)(arraysOf(weights)) as Parameters;
    const at = async (): Promise<number> => must((await loss(arraysOf(weights)).data())[0], 'loss');
    const step = 3e-3;
    for (const name of [
      'pair.weight',
      'block0.key.weight',
      'block1.out.bias',
      'set.score.weight',
      'level.own.weight',
      'price.score.weight',
      'limit.whole.weight',
    ]) {
      const { data } = must(weights.get(name), name);
      const analytic = (await must(gradients[name], name).data()) as Float32Array;
      // The largest derivative of the tensor: small ones drown in single precision.
      const largest = analytic.reduce(
        (best, value, i) => (Math.abs(value) > Math.abs(analytic[best] ?? 0) ? i : best),
        0,
      );
      const kept = must(data[largest], 'a weight');
      data[largest] = kept + step;
      const above = await at();
      data[largest] = kept - step;
      const below = await at();
      data[largest] = kept;
      const numeric = (above - below) / (2 * step);
      const expected = must(analytic[largest], 'a derivative');
      expect(Math.abs(numeric - expected)).toBeLessThan(0.03 * Math.abs(expected) + 2e-4);
    }
  });

  it('gives permuted devices permuted answers', async () => {
    const order = [2, 0, 3, 1];
    const weights = initialWeights(POLICY_SHAPE, new Random(5));
    const adviser = await PolicyNetwork.open(exportPolicy(POLICY_SHAPE, weights), 'test');
    const first = await adviser.run(instance);
    const sets = adviser.features.sets;
    const [scores, prices] = [first.sets.slice(), [...first.prices.energy].slice(0, 4)];
    const other = await adviser.run(permuted(instance, order));
    instance.stages.forEach((stage, l) => {
      stage.sets.forEach((_, k) => {
        expect(other.sets[l * sets + k]).toBeCloseTo(must(scores[l * sets + k], 'score'), 4);
      });
    });
    order.forEach((was, now) => {
      expect(other.prices.energy[now]).toBeCloseTo(must(prices[was], 'price'), 4);
    });
    await adviser.close();
  });
});

describe('features', () => {
  it('are finite and not large, whatever the request', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const sizes = { stages: 2 + (seed % 12), devices: 1 + (seed % 9), levels: 1 + (seed % 8) };
      const own = randomInstance({
        ...sizes,
        seed,
        mixedSplits: true,
        missingLinks: seed % 2 === 0,
        privacy: 'strict',
      });
      features.load({
        ...own,
        devices: own.devices.map((device) => ({
          ...device,
          energy: seed % 3 ? device.energy : Number.POSITIVE_INFINITY,
        })),
        inputBytes: seed % 5 ? own.inputBytes : 0,
      });
      const { request, stage, device, pair, link, set, level } = sampleOf(features);
      for (const values of [request, stage, device, pair, link, set, level])
        expect(values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)).toBeLessThan(6);
    }
  });

  it('are explained in the documentation, one by one', async () => {
    const text = await readFile(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
    for (const name of Object.values(FEATURE_NAMES).flat()) expect(text).toContain(name);
  });
});

it('prices bend and unbend', () => {
  for (const price of [0, 1e-3, 0.1, 1, 10]) expect(decompress(compress(price))).toBeCloseTo(price, 9);
});

/** The instance with its devices in another order: `order[now]` is where a device was. */
function permuted(own: PlanningInstance, order: readonly number[]): PlanningInstance {
  const now = order.map((_, was) => order.indexOf(was));
  const rows = (table: readonly Float64Array[]): Float64Array[] =>
    order.map((from) => Float64Array.from(order, (to) => must(table[from]?.[to], 'a link')));
  return {
    ...own,
    source: must(now[own.source], 'the source'),
    devices: order.map((was) => must(own.devices[was], 'a device')),
    bandwidth: rows(own.bandwidth),
    latency: rows(own.latency),
    stages: own.stages.map((stage) => ({
      ...stage,
      sets: stage.sets.map((set) => set.map((d) => must(now[d], 'a device'))),
    })),
  };
}
