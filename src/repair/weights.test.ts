// The form that repaired weights are stored for computes what the model computed.
import { describe, expect, it } from 'vitest';
import { largestDifference, Net, run } from '../channels/test-support/net.ts';
import { randomNet } from '../channels/test-support/random-net.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { cloneModel, float, floatConstant, int, intAttribute, weightedLayers } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { setWeights, withBiases } from './weights.ts';

async function expectSame(model: Model): Promise<Model> {
  const before = cloneModel(model);
  const biased = withBiases(model);
  expect(largestDifference(await run(biased), await run(model))).toBeLessThan(1e-5);
  // The model that was given is left alone.
  expect(model).toEqual(before);
  for (const { node } of weightedLayers(biased)) {
    if (node.op !== 'MatMul') expect(biased.graph.constants.has(node.inputs[2] ?? ''), node.name).toBe(true);
    if (node.op !== 'Gemm') continue;
    expect(intAttribute(node, 'transB', 0)).toBe(0);
    expect(node.attributes.has('alpha') || node.attributes.has('beta')).toBe(false);
  }
  return biased;
}

describe('withBiases', () => {
  it.each([
    [true, 3],
    [true, 1],
    [true, 0],
    [false, 3],
    [false, 1],
    [false, 0],
  ])('lays linear layers out without factors (transB %s, bias of %i)', async (transB, bias) => {
    const net = new Net([5]);
    const hidden = net.relu(net.gemm('hidden', net.input, 5, 4));
    const inputs = [hidden, net.weights(transB ? [3, 4] : [4, 3], 1)];
    if (bias > 0) inputs.push(net.weights([bias], 1));
    const attributes = { alpha: float(0.7), beta: float(-1.3), transB: int(transB ? 1 : 0) };
    await expectSame(canonicalModel(net.finish(net.op('Gemm', inputs, attributes, 'head'))));
  });

  it('ignores the bias that a factor of 0 takes off', async () => {
    const net = new Net([5]);
    const inputs = [net.input, net.weights([5, 3], 1), net.weights([3], 1)];
    await expectSame(canonicalModel(net.finish(net.op('Gemm', inputs, { beta: float(0) }, 'head'))));
  });

  it('gives convolutions of every kind a bias, and products with a constant none', async () => {
    const net = new Net([2, 8, 8]);
    const a = net.relu(net.conv('a', net.input, 2, 6, { bias: false }));
    const b = net.relu(net.conv('depthwise', a, 6, 6, { group: 6, bias: false }));
    const c = net.relu(net.conv('transposed', b, 6, 4, { transposed: true, bias: false }));
    const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [c])], { axis: int(1) });
    const last = net.op('MatMul', [pooled, net.weights([4, 3], 1)], {}, 'head');
    const biased = await expectSame(canonicalModel(net.finish(last)));
    expect(weightedLayers(biased).map(({ name, bias }) => [name, bias?.length])).toEqual([
      ['a', 6],
      ['depthwise', 6],
      ['transposed', 4],
      ['head', undefined],
    ]);
  });

  it('parts constants that several layers share', async () => {
    const net = new Net([4, 8, 8]);
    const weight = net.builder.constant(
      floatConstant(
        Float32Array.from({ length: 4 * 4 * 9 }, (_, i) => Math.sin(i)),
        [4, 4, 3, 3],
      ),
    );
    const a = net.relu(net.conv('a', net.input, 4, 4, { weight }));
    await expectSame(canonicalModel(net.head(net.relu(net.conv('b', a, 4, 4, { weight, bias: false })), 4)));
  });

  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'leaves logits of random networks equal, seed %i',
    async (seed) => {
      await expectSame(canonicalModel(randomNet(seed)));
    },
  );
});

describe('setWeights', () => {
  it('changes one layer and leaves the constants that others read', async () => {
    const net = new Net([4, 8, 8]);
    const weight = net.weights([4, 4, 3, 3], 0.3);
    const a = net.relu(net.conv('a', net.input, 4, 4, { weight }));
    const model = canonicalModel(net.head(net.relu(net.conv('b', a, 4, 4, { weight })), 4));
    const before = weightedLayers(model);
    const layer = must(before[1], 'b');
    const given = { weight: layer.weight.map((value) => 2 * value), bias: new Float32Array(4).fill(7) };
    const after = weightedLayers(setWeights(model, layer, given.weight, given.bias));
    expect(after.map(({ weight: w, bias }) => [w, bias])).toEqual([
      [before[0]?.weight, before[0]?.bias],
      [given.weight, given.bias],
      [before[2]?.weight, before[2]?.bias],
    ]);
  });
});
