// Depthwise networks whose channels have ranges far apart: what equalisation gains, and that it changes nothing else.
import { describe, expect, it } from 'vitest';
import { Net, run } from '../channels/test-support/net.ts';
import { canonicalModel, type Model, readModel, writeModel } from '../onnx/index.ts';
import { equalisingFactors } from './equalise.ts';
import { type QuantizeOptions, quantizeModel } from './quantize-model.ts';
import { invertedResidual } from './test-support/inverted-residual.ts';
import { noiseFor } from './test-support/kinds.ts';

const options = (model: Model): QuantizeOptions => ({
  ...{ name: 'net', calibration: noiseFor(model, 16), maxPositions: 512, copies: 1, budget: 1 },
});

describe('equalised channels', () => {
  it('bring a depthwise network as near as one whose channels are alike', async () => {
    const [apart, alike] = [invertedResidual(2, false, 5), invertedResidual(0, false, 5)];
    const found = await quantizeModel(apart, options(apart));
    const names = found.layers.filter(({ equalised }) => equalised).map(({ layer }) => layer);
    expect(names).toEqual(['depthwise', 'project']);
    const reference = await quantizeModel(alike, options(alike));
    expect(found.distance).toBeLessThan(4 * reference.distance);
    const without = await quantizeModel(apart, { ...options(apart), equalise: false });
    expect(found.distance).toBeLessThan(0.1 * without.distance);
  });

  it('are left as they are where the whole network comes no nearer', async () => {
    const alike = invertedResidual(0, false, 5);
    const found = await quantizeModel(alike, options(alike));
    const without = await quantizeModel(alike, { ...options(alike), equalise: false });
    expect(found.distance).toBeLessThanOrEqual(without.distance);
  });

  it('leave the float32 weights of a network with Relu6 the same function, where layers go back to float32', async () => {
    const model = invertedResidual(2, true, 6);
    const { layers, model: mixed } = await quantizeModel(model, {
      ...options(model),
      ...{ keepFloat: ['stem'], refit: false, budget: 1e-9 },
    });
    expect(layers.length).toBeLessThan(4);
    const read = readModel(writeModel(mixed), 'mixed');
    const [x, y] = [await run(model, 32), await run(read, 32)];
    const [error, size] = x.reduce(([e, s], v, i) => [e + (v - (y[i] ?? 0)) ** 2, s + v * v], [0, 0]);
    expect((error ?? 1) / (size ?? 1)).toBeLessThan(0.01);
  });

  it('are not those of a value that something else reads, or of plain convolutions', async () => {
    const net = new Net([2, 8, 8], 7);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const both = net.op('Add', [net.relu(net.conv('depthwise', a, 8, 8, { group: 8 })), a]);
    const model = canonicalModel(net.head(net.relu(net.conv('b', net.conv('c', both, 8, 8), 8, 8)), 8));
    const { layers } = await quantizeModel(model, options(model));
    expect(layers.filter(({ equalised }) => equalised)).toEqual([]);
  });
});

it('divides the largest channel by 1 and dead ones by no less than the limit', () => {
  const of = new Int32Array();
  const channels = { of, lows: Float64Array.of(-4, 0, 0), highs: Float64Array.of(1, 1, 0) };
  expect(equalisingFactors(channels, 1)).toEqual(Float64Array.of(1, 0.25, 2 ** -8));
  expect(equalisingFactors(channels, 0.5)).toEqual(Float64Array.of(1, 0.5, 2 ** -4));
  expect(equalisingFactors({ of, lows: new Float64Array(2), highs: new Float64Array(2) }, 1)).toBeUndefined();
});
