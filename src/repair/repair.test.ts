// Where what was pruned is a copy of what stayed, a repaired network can be exact; elsewhere it must come nearer.
import { describe, expect, it, vi } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import { Net } from '../channels/test-support/net.ts';
import { canonicalModel, type Model, modelCosts } from '../onnx/index.ts';
import { int } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { ReferenceMemory } from './reference-activations.ts';
import { repair } from './repair.ts';
import { distance, samplesFor } from './test-support/nets.ts';
import { NetworkWalk } from './walk.ts';

/** Makes the second half of a weighted node's output channels copies of the first half. */
function duplicate(model: Model, name: string): void {
  const node = must(
    model.graph.nodes.find((candidate) => candidate.name === name),
    `no node ${name}`,
  );
  for (const input of node.inputs.slice(1)) {
    const constant = must(model.graph.constants.get(input), input);
    if (constant.type !== 'float32') continue;
    const half = constant.data.length / 2;
    constant.data.copyWithin(half, 0, half);
  }
}

/** Keeps the first half of every group. */
async function repairHalf(model: Model, size = 24) {
  const grouping = findGroups(model);
  const keep = new Map(
    grouping.groups.map(({ id, channels }) => [id, Array.from({ length: channels >> 1 }, (_, i) => i)]),
  );
  const cut = sliceModel(model, grouping, keep);
  const repaired = await repair(model, cut, grouping, keep, {
    name: 'net',
    calibration: samplesFor(model, size),
  });
  expect(modelCosts(repaired.model).macs).toBe(modelCosts(cut).macs);
  return { cut, repaired, before: await distance(model, cut), after: await distance(model, repaired.model) };
}

describe('repair', () => {
  it('is exact where pruned channels are copies of kept ones', async () => {
    const net = new Net([2, 8, 8]);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const b = net.relu(net.conv('b', a, 8, 8, { stride: 2 }));
    const model = canonicalModel(net.head(b, 8));
    duplicate(model, 'a');
    duplicate(model, 'b');
    const { before, after, repaired } = await repairHalf(model);
    expect(before).toBeGreaterThan(0.01);
    expect(after).toBeLessThan(1e-4 * before);
    expect(repaired.layers.map(({ layer, refit }) => [layer, refit])).toEqual([
      ['b', true],
      ['head', true],
    ]);
  });

  it.each<[string, () => Model]>([
    [
      'a residual sum with a projection',
      () => {
        const net = new Net([3, 8, 8], 2);
        const a = net.relu(net.conv('a', net.input, 3, 12));
        const b = net.conv('b', net.relu(net.conv('inner', a, 12, 12, { stride: 2 })), 12, 12);
        const sum = net.op('Add', [b, net.conv('projection', a, 12, 12, { kernel: 1, stride: 2 })]);
        return net.head(net.relu(sum), 12);
      },
    ],
    [
      'a depthwise layer',
      () => {
        const net = new Net([3, 8, 8], 3);
        const a = net.relu(net.conv('a', net.input, 3, 12));
        const b = net.relu(net.conv('depthwise', a, 12, 12, { group: 12 }));
        return net.head(net.relu(net.conv('point', b, 12, 12, { kernel: 1 })), 12);
      },
    ],
    [
      'partial groups',
      () => {
        const net = new Net([3, 8, 8], 4);
        const a = net.relu(net.conv('a', net.input, 3, 12));
        return net.head(net.relu(net.conv('grouped', a, 12, 12, { group: 2 })), 12);
      },
    ],
    [
      '1-D, and a linear layer behind Flatten',
      () => {
        const net = new Net([2, 16], 5);
        const a = net.relu(net.conv('a', net.input, 2, 10, { kernel: 5, stride: 2 }));
        const b = net.relu(net.conv('b', a, 10, 10, { stride: 2 }));
        return net.finish(net.gemm('head', net.op('Flatten', [b], { axis: int(1) }), 40, 3));
      },
    ],
    [
      'a product with a constant, without a bias',
      () => {
        const net = new Net([2, 8, 8], 6);
        const a = net.relu(net.conv('a', net.input, 2, 10));
        const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [a])], { axis: int(1) });
        return net.finish(net.op('MatMul', [pooled, net.weights([10, 3], 0.5)], {}, 'head'));
      },
    ],
  ])('comes nearer to the unpruned network: %s', async (_name, make) => {
    const { before, after, repaired } = await repairHalf(canonicalModel(make()), 48);
    expect(before).toBeGreaterThan(1e-4);
    expect(after).toBeLessThan(0.8 * before);
    for (const { errorBefore, errorAfter } of repaired.layers)
      expect(errorAfter).toBeLessThanOrEqual(errorBefore);
  });

  it('says which layers it left alone, and repeats by its seed', async () => {
    const net = new Net([2, 8, 8], 7);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const model = canonicalModel(net.head(net.relu(net.conv('b', a, 8, 8)), 8));
    const grouping = findGroups(model);
    const keep = new Map([[1, [0, 2, 4, 6]]]);
    const cut = sliceModel(model, grouping, keep);
    const options = { name: 'net', calibration: samplesFor(model, 12), seed: 5 };
    const first = await repair(model, cut, grouping, keep, options);
    const second = await repair(model, cut, grouping, keep, options);
    // Only the last layer reads pruned channels.
    expect(first.layers.map(({ layer }) => layer)).toEqual(['head']);
    expect(await distance(first.model, second.model)).toBe(0);
  });

  it('computes the unpruned network once for several cuts, to the same weights', async () => {
    const net = new Net([2, 8, 8], 9);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const model = canonicalModel(net.head(net.relu(net.conv('b', a, 8, 8)), 8));
    const grouping = findGroups(model);
    const options = { name: 'net', calibration: samplesFor(model, 12), seed: 5 };
    const reference = new ReferenceMemory();
    const walked = vi.spyOn(NetworkWalk.prototype, 'visit');
    const visits: number[] = [];
    for (const units of [
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ]) {
      const keep = new Map(grouping.groups.map(({ id }) => [id, units]));
      const cut = sliceModel(model, grouping, keep);
      const alone = await repair(model, cut, grouping, keep, options);
      walked.mockClear();
      const shared = await repair(model, cut, grouping, keep, { ...options, reference });
      visits.push(walked.mock.calls.filter(([shown]) => shown === model).length);
      expect(await distance(alone.model, shared.model)).toBe(0);
      expect(shared.layers).toEqual(alone.layers);
    }
    expect(visits).toEqual([1, 0]);
    // Other places are other values.
    const keep = new Map([[1, [0, 1, 2, 3]]]);
    const cut = sliceModel(model, grouping, keep);
    const shared = await repair(model, cut, grouping, keep, { ...options, reference });
    expect(shared.layers).toEqual((await repair(model, cut, grouping, keep, options)).layers);
    walked.mockRestore();
  });

  it('asks for two samples', async () => {
    const net = new Net([2, 8, 8], 8);
    const model = canonicalModel(net.head(net.relu(net.conv('a', net.input, 2, 8)), 8));
    const grouping = findGroups(model);
    const keep = new Map([[0, [0, 1, 2, 3]]]);
    const cut = sliceModel(model, grouping, keep);
    const options = { name: 'net', calibration: samplesFor(model, 1) };
    await expect(repair(model, cut, grouping, keep, options)).rejects.toMatchObject({ code: 'E_DATA' });
  });
});
