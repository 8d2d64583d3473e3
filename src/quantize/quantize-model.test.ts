// Quantisation of whole networks: what is kept in float32, what samples may hold, and how near the result is.
import { describe, expect, it } from 'vitest';
import { Net, run } from '../channels/test-support/net.ts';
import { subset } from '../data/index.ts';
import { tensor } from '../engine/index.ts';
import { runKernels } from '../engine/internal.ts';
import { canonicalModel, type Model, readModel, writeModel } from '../onnx/index.ts';
import { ints, knownOf, sizeOf } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { type QuantizeOptions, quantizeModel } from './quantize-model.ts';
import { saturates } from './saturates.ts';
import { noiseFor } from './test-support/kinds.ts';

/** Three convolutions, of which one is read twice. */
function smallNet(): Model {
  const net = new Net([2, 8, 8], 11);
  const a = net.relu(net.conv('a', net.input, 2, 8));
  const b = net.relu(net.conv('b', a, 8, 8));
  return canonicalModel(net.head(net.relu(net.op('Add', [net.conv('c', b, 8, 8), a])), 8));
}

const model = smallNet();
const calibration = noiseFor(model, 24);
const base: QuantizeOptions = { name: 'net', calibration, maxPositions: 512, copies: 1, budget: 1 };

describe('a quantised network', () => {
  it('is near the float one, a quarter of its bytes of weights, and readable again', async () => {
    const { model: quantized, layers, layersKeptFloat, distance } = await quantizeModel(model, base);
    expect(layers.map(({ layer }) => layer)).toEqual(['a', 'b', 'c', 'head']);
    expect(layersKeptFloat).toEqual([]);
    expect(distance).toBeLessThan(0.02);
    const read = readModel(writeModel(quantized), 'net');
    const [x, y] = [await run(model, 16), await run(read, 16)];
    const [error, size] = x.reduce(([e, s], v, i) => [e + (v - (y[i] ?? 0)) ** 2, s + v * v], [0, 0]);
    expect((error ?? 1) / (size ?? 1)).toBeLessThan(0.01);
  });

  it('comes out the same for the same seed', async () => {
    const [a, b] = [await quantizeModel(model, base), await quantizeModel(model, base)];
    expect(Buffer.from(writeModel(a.model)).equals(Buffer.from(writeModel(b.model)))).toBe(true);
  });

  it('has weights of seven bits where the engine needs them, and exact products here', async () => {
    const { tables } = await quantizeModel(model, { ...base, reducedRange: true });
    const most = [...tables.layers.values()].map(({ integers }) => Math.max(...integers.map(Math.abs)));
    expect(most.every((value) => value === 63)).toBe(true);
    expect(typeof (await saturates())).toBe('boolean');
  });

  it('has biases whose integers fit, also for a channel that is all but dead', async () => {
    const net = new Net([2, 8, 8], 12);
    const weight = net.weights([4, 2, 3, 3], 1e-12);
    const dead = canonicalModel(net.head(net.conv('a', net.input, 2, 4, { weight }), 4));
    const { tables, model: quantized } = await quantizeModel(dead, {
      ...base,
      calibration: noiseFor(dead, 8),
    });
    const stored = must(quantized.graph.constants.get('a_bias_int32'), 'a bias');
    const { data } = must(knownOf(stored), 'integers');
    const steps = must(quantized.graph.constants.get('a_bias_scale'), 'steps');
    const bias = must(tables.layers.get('a')?.bias, 'a bias');
    data.forEach((value, c) => {
      const step = must(knownOf(steps)?.data[c], 'a step');
      expect(Math.abs(value * step - (bias[c] ?? 0))).toBeLessThan(1e-6);
    });
  });
});

describe('layers in float32', () => {
  it('are those of choice, named', async () => {
    const kept = await quantizeModel(model, { ...base, keepFloat: ['first', 'c'] });
    expect(kept.layersKeptFloat).toEqual([
      { name: 'a', reason: 'by choice' },
      { name: 'c', reason: 'by choice' },
    ]);
    expect(kept.layers.map(({ layer }) => layer)).toEqual(['b', 'head']);
    await expect(quantizeModel(model, { ...base, keepFloat: ['hea'] })).rejects.toMatchObject({
      code: 'E_USAGE',
      hint: expect.stringContaining('head'),
    });
  });

  it('are those that lose most, until the budget is met', async () => {
    const { distanceWithAll } = await quantizeModel(model, base);
    const kept = await quantizeModel(model, { ...base, budget: distanceWithAll / 2 });
    expect(kept.layersKeptFloat.length).toBeGreaterThan(0);
    expect(kept.distance).toBeLessThan(distanceWithAll);
    expect(kept.layersKeptFloat[0]?.reason).toMatch(/eight bits lose too much/);
    expect((await run(kept.model)).length).toBe(9);
  });

  it('are recurrent ones, transposed ones and products of two computed values, with the reason', async () => {
    const net = new Net([2, 8, 8], 13);
    const up = net.relu(net.conv('up', net.relu(net.conv('a', net.input, 2, 4)), 4, 4, { transposed: true }));
    const product = net.op(
      'MatMul',
      [up, net.op('Transpose', [up], { perm: ints([0, 1, 3, 2]) })],
      {},
      'product',
    );
    const mixed = canonicalModel(net.head(net.conv('b', product, 4, 4), 4));
    const { layersKeptFloat, layers } = await quantizeModel(mixed, {
      ...base,
      calibration: noiseFor(mixed, 8),
    });
    expect(layers.map(({ layer }) => layer)).toEqual(['a', 'b', 'head']);
    expect(layersKeptFloat.map(({ name }) => name)).toEqual(['up', 'product']);
  });

  it('run in float32 between integers, where the engine would round their weights by itself', async () => {
    const { model: quantized } = await quantizeModel(model, { ...base, keepFloat: ['b', 'head'] });
    const { samples, sampleShape } = noiseFor(model, 1);
    const kernels = await runKernels(
      quantized,
      { input: tensor(samples, [1, ...sampleShape]) },
      { name: 'net' },
    );
    const layers = kernels.flatMap(({ op }) => (/Conv|Gemm/.test(op) ? [op] : []));
    expect(layers.toSorted()).toEqual(['Conv', 'Gemm', 'QLinearConv', 'QLinearConv']);
  });
});

describe('samples', () => {
  it('that are all alike, or zero, tell no range, and are refused', async () => {
    const { samples, sampleShape } = calibration;
    const size = sizeOf(sampleShape);
    for (const valueAt of [() => 0, () => 3, (i: number) => samples[i % size] as number]) {
      const alike = { ...calibration, samples: samples.map((_, i) => valueAt(i)) };
      await expect(quantizeModel(model, { ...base, copies: 2, calibration: alike })).rejects.toMatchObject({
        code: 'E_DATA',
        message: expect.stringContaining('every layer reads the same numbers'),
      });
    }
  });

  it('that give a layer the same numbers leave it in float32, with the reason', async () => {
    const net = new Net([2, 8, 8], 16);
    const dead = net.relu(net.op('Sub', [net.conv('a', net.input, 2, 4), net.scalar(1e6)]));
    const joined = net.op('Add', [net.conv('b', dead, 4, 4), net.conv('c', net.input, 2, 4)]);
    const half = canonicalModel(net.head(net.relu(joined), 4));
    const { layers, layersKeptFloat } = await quantizeModel(half, {
      ...base,
      calibration: noiseFor(half, 8),
    });
    expect(layers.map(({ layer }) => layer)).toEqual(['a', 'c', 'head']);
    expect(layersKeptFloat).toEqual([
      { name: 'b', reason: 'it reads the same numbers in every calibration sample, which tell no range' },
    ]);
  });

  it('with values that are not finite inside are refused, and named', async () => {
    const net = new Net([2, 8, 8], 14);
    const high = net.op(
      'Exp',
      [net.op('Mul', [net.conv('a', net.input, 2, 4), net.scalar(1e4)])],
      {},
      'high',
    );
    const wild = canonicalModel(net.head(net.conv('b', high, 4, 4), 4));
    await expect(quantizeModel(wild, { ...base, calibration: noiseFor(wild, 8) })).rejects.toMatchObject({
      code: 'E_NOT_FINITE',
      message: expect.stringContaining('high'),
    });
  });

  it('must be two or more', async () => {
    await expect(
      quantizeModel(model, { ...base, calibration: subset(calibration, Int32Array.of(0)) }),
    ).rejects.toMatchObject({ code: 'E_DATA' });
  });
});

it('refuses a network without layers that can have eight bits', async () => {
  const net = new Net([3, 8], 15);
  const scores = net.op('ReduceMean', [net.op('Tanh', [net.input])], { axes: ints([2]) });
  const flat = net.finish(net.op('Flatten', [scores]));
  await expect(
    quantizeModel(canonicalModel(flat), { ...base, calibration: noiseFor(flat, 4) }),
  ).rejects.toMatchObject({ code: 'E_UNSUPPORTED' });
});
