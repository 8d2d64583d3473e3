// A network in another order computes the same, has the same groups, and keeping a prefix of it keeps the best.
import { describe, expect, it } from 'vitest';
import type { Model } from '../onnx/index.ts';
import { int, ints } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { findGroups, type Grouping } from './groups.ts';
import { reorderChannels } from './reorder.ts';
import { sliceModel } from './slice.ts';
import { Net, run } from './test-support/net.ts';
import { randomNet } from './test-support/random-net.ts';

function randomOrder(grouping: Grouping, random: Random): Map<number, number[]> {
  return new Map(
    grouping.groups.map(({ id, channels }) => [
      id,
      random.shuffle(Array.from({ length: channels }, (_, unit) => unit)),
    ]),
  );
}

/** The largest difference, relative to the largest logit. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number)) / scale), 0);
}

/** Random orders, checked in full; returns the groups that could not be put in order. */
async function expectOrdered(model: Model, seed = 3): Promise<ReadonlyMap<number, string>> {
  const grouping = findGroups(model);
  const random = new Random(seed);
  const order = randomOrder(grouping, random);
  const { model: reordered, fixed } = reorderChannels(model, grouping, order);
  const found = findGroups(reordered);
  expect(found.groups).toEqual(grouping.groups);
  expect(relativeDifference(await run(model), await run(reordered))).toBeLessThanOrEqual(1e-5);
  // Units 0 to count - 1 of the result are the first ones of the order.
  const prefixes = new Map<number, number[]>();
  const best = new Map<number, number[]>();
  for (const { id, channels } of grouping.groups) {
    const count = 1 + random.integer(channels - 1);
    const first = Array.from({ length: count }, (_, unit) => unit);
    prefixes.set(id, first);
    best.set(
      id,
      (fixed.has(id) ? first : must(order.get(id), 'an order').slice(0, count)).sort((a, b) => a - b),
    );
  }
  const expected = await run(sliceModel(model, grouping, best));
  const prefix = await run(sliceModel(reordered, found, prefixes));
  expect(relativeDifference(expected, prefix)).toBeLessThanOrEqual(1e-5);
  return fixed;
}

describe('reorderChannels', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('on random network %i', async (seed) => {
    const model = randomNet(seed);
    const fixed = await expectOrdered(model, seed);
    expect(fixed.size).toBeLessThan(findGroups(model).groups.length);
    // All but these can be put in order: an odd shuffle before a grouped convolution ties units of several sizes.
    for (const reason of fixed.values()) expect(reason).toMatch(/more often than others$/);
  });

  it('moves the weights of a layer, its bias, and what reads it', () => {
    const net = new Net([1, 2, 2]);
    const model = net.head(net.relu(net.conv('a', net.input, 1, 3, { kernel: 1 })), 3);
    const { model: result } = reorderChannels(model, findGroups(model), new Map([[0, [2, 0, 1]]]));
    const data = (from: Model, node: string, input: number): number[] => {
      const name = from.graph.nodes.find((other) => other.name === node)?.inputs[input] ?? '';
      const constant = from.graph.constants.get(name);
      return constant?.type === 'float32' ? [...constant.data] : [];
    };
    for (const input of [1, 2]) {
      const [x, y, z] = data(model, 'a', input);
      expect(data(result, 'a', input)).toEqual([z, x, y]);
    }
    const rows = data(model, 'head', 1);
    expect(data(result, 'head', 1)).toEqual([2, 0, 1, 5, 3, 4, 8, 6, 7].map((i) => rows[i]));
  });

  it('leaves the model and groups that are not listed alone', async () => {
    const model = randomNet(1);
    const grouping = findGroups(model);
    const before = await run(model);
    const constants = new Map(model.graph.constants);
    reorderChannels(model, grouping, randomOrder(grouping, new Random(1)));
    expect(model.graph.constants).toEqual(constants);
    const { model: same, fixed } = reorderChannels(model, grouping, new Map());
    expect(await run(same)).toEqual(before);
    expect(same.graph.constants).toEqual(constants);
    expect(fixed.size).toBe(0);
  });

  it('through grouped, depthwise and transposed convolutions', async () => {
    const net = new Net([2, 6, 6]);
    let x = net.relu(net.conv('a', net.input, 2, 8));
    x = net.relu(net.conv('g', x, 8, 12, { group: 2 }));
    x = net.relu(net.conv('t', x, 12, 8, { group: 4, transposed: true, kernel: 2, stride: 2 }));
    x = net.relu(net.conv('d', x, 8, 16, { group: 8 }));
    x = net.relu(net.conv('u', x, 16, 32, { group: 16, transposed: true, kernel: 2, stride: 2 }));
    expect(await expectOrdered(net.head(x, 32))).toEqual(new Map());
  });

  it('through weights that two layers share', async () => {
    const net = new Net([4, 6, 6]);
    const weight = net.weights([4, 4, 3, 3], 0.3);
    let x = net.input;
    for (const name of ['a', 'b', 'c']) x = net.relu(net.conv(name, x, 4, 4, { weight }));
    expect(await expectOrdered(net.head(x, 4))).toEqual(new Map());
  });

  it('through a Slice of a part, MatMul on either side, and channels on the last axis', async () => {
    const net = new Net([5, 4]);
    const first = net.op('MatMul', [net.input, net.weights([4, 8], 0.5)], {}, 'right');
    const x = net.relu(net.op('Add', [net.weights([8], 0.5), first]));
    const part = net.op('Slice', [x, net.ints([1]), net.ints([7]), net.ints([2])]);
    const turned = net.op('Transpose', [part], { perm: ints([0, 2, 1]) });
    const left = net.op('MatMul', [net.weights([6, 6], 0.4), turned], {}, 'left');
    const z = net.op('ReduceMean', [net.relu(left)], { axes: ints([2]), keepdims: int(0) });
    expect(await expectOrdered(net.finish(net.gemm('head', z, 6, 3)))).toEqual(new Map());
  });

  it('leaves a group as it is when some of its units are picked twice', async () => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 4));
    const picked = net.op('Gather', [x, net.ints([0, 3, 1, 2, 2])], { axis: int(1) });
    const y = net.relu(net.conv('b', picked, 5, 6));
    const fixed = await expectOrdered(net.head(y, 6));
    expect([...fixed]).toEqual([[0, "'Gather' holds some of its units more often than others"]]);
  });

  it('rewrites the indices of a Gather, also where it picks single places of flattened channels', async () => {
    const net = new Net([2, 1, 2]);
    const x = net.relu(net.conv('a', net.input, 2, 3, { kernel: 1 }));
    const flat = net.op('Flatten', [x], { axis: int(1) });
    // Of the first and second channel the first place, of the third the second.
    const picked = net.op('Gather', [flat, net.ints([0, 2, -1])], { axis: int(1) });
    const model = net.finish(net.gemm('head', picked, 3, 3));
    for (const seed of [1, 2, 3]) expect(await expectOrdered(model, seed)).toEqual(new Map());
  });

  it('leaves a group as it is when a Slice takes other places of one unit than of another', async () => {
    const net = new Net([2, 1, 2]);
    const x = net.relu(net.conv('a', net.input, 2, 2, { kernel: 1 }));
    const flat = net.op('Flatten', [x], { axis: int(1) });
    // The second place of the first channel, and the first of the second.
    const part = net.op('Slice', [flat, net.ints([1]), net.ints([3]), net.ints([1])]);
    const model = net.finish(net.gemm('head', part, 2, 3));
    const { fixed } = reorderChannels(model, findGroups(model), new Map([[0, [1, 0]]]));
    expect([...fixed]).toEqual([[0, "Slice 'Slice' relies on the order of its units"]]);
    await expectOrdered(model);
  });

  it('leaves tied units as they are when a Slice takes them from different parts', async () => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 8, { group: 2 }));
    const part = net.op('Slice', [x, net.ints([1]), net.ints([5]), net.ints([1])]);
    const fixed = await expectOrdered(net.head(net.relu(net.conv('b', part, 4, 6)), 6));
    expect([...fixed.values()]).toEqual(["Slice 'Slice' relies on the order of its units"]);
  });

  it.each([
    ['an unknown group', new Map([[9, [0]]])],
    ['a unit twice', new Map([[0, [0, 0, 1]]])],
    ['a unit out of range', new Map([[0, [0, 1, 3]]])],
    ['too few units', new Map([[0, [0, 1]]])],
  ])('refuses %s', (_, order) => {
    const net = new Net([1, 2, 2]);
    const model = net.head(net.relu(net.conv('a', net.input, 1, 3)), 3);
    expect(() => reorderChannels(model, findGroups(model), order)).toThrow(
      expect.objectContaining({ code: 'E_INTERNAL' }),
    );
  });
});
