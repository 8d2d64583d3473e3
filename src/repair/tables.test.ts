// Where pruned channels are copies of kept ones, any mix put together from tables is exact; elsewhere mixes come nearer to
// the unpruned network than they were.
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { cloneModel } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { rounds } from '../util/test-support/rounds.ts';
import { repairTables } from './tables.ts';
import { allMixes, distance, draftOf, KINDS, ofKind, samplesFor } from './test-support/nets.ts';
import { withBiases } from './weights.ts';

const COMMON = { name: 'net', seed: 4 } as const;

async function tabled(model: Model, shares: readonly number[], size: number, seed = 4) {
  const { grouping, groups, draft } = draftOf(model, shares);
  const calibration = samplesFor(model, size);
  const found = await repairTables(model, grouping, groups, { ...COMMON, calibration, seed });
  return { ...found, repaired: draft, sliced: draftOf(model, shares).draft, groups };
}

/** Of all mixes, evenly spread: enough to see each pair of levels. */
function someMixes(groups: number, levels: number, count: number): number[][] {
  const all = allMixes(groups, levels).slice(1);
  return all.filter(
    (_, i) => Math.floor((i * count) / all.length) !== Math.floor(((i - 1) * count) / all.length),
  );
}

describe('tables', () => {
  it.each(Object.keys(KINDS))(
    'make every mix exact where what goes is a copy of what stays: %s',
    async (kind) => {
      const model = ofKind(kind, 2);
      const { tables, repaired, sliced, groups } = await tabled(model, [1, 0.5, 0.25], 24);
      repaired.add(tables);
      const mixes = someMixes(groups.length, 3, rounds(4, 12));
      expect(mixes.length).toBeGreaterThanOrEqual(2);
      for (const levels of mixes) {
        const before = await distance(model, sliced.assemble(levels));
        const after = await distance(model, repaired.assemble(levels));
        expect(before, levels.join()).toBeGreaterThan(1e-3);
        expect(after, levels.join()).toBeLessThan(1e-3 * before);
      }
    },
  );

  it.each(Object.keys(KINDS))('bring mixes nearer to the unpruned network: %s', async (kind) => {
    const model = ofKind(kind);
    const { tables, repaired, sliced, groups, repairs } = await tabled(model, [1, 0.75, 0.5], 40);
    repaired.add(tables);
    let [before, after] = [0, 0];
    for (const levels of someMixes(groups.length, 3, rounds(4, 10))) {
      before += await distance(model, sliced.assemble(levels));
      after += await distance(model, repaired.assemble(levels));
    }
    expect(after).toBeLessThan(0.8 * before);
    for (const { errorBefore, errorAfter, layer } of repairs) {
      expect(errorAfter, layer).toBeLessThanOrEqual(errorBefore);
    }
  });

  it('hold for mixes because they are fitted on mixes: in depth those of uniform networks do not', async () => {
    const net = new Net([3, 8, 8], 2);
    let x = net.relu(net.conv('a', net.input, 3, 12));
    for (let depth = 0; depth < 4; depth++) {
      x = net.relu(net.conv(`depthwise${depth}`, x, 12, 12, { group: 12 }));
      x = net.relu(net.conv(`point${depth}`, x, 12, 12, { kernel: 1 }));
    }
    const model = withBiases(canonicalModel(net.head(x, 12)));
    const calibration = samplesFor(model, 40);
    const errorOf = async (networks: number): Promise<number> => {
      const { grouping, groups, draft } = draftOf(model, [1, 0.75, 0.5]);
      draft.add((await repairTables(model, grouping, groups, { ...COMMON, calibration, networks })).tables);
      const random = new Random(5);
      let sum = 0;
      for (let turn = 0; turn < rounds(5, 12); turn++) {
        sum += await distance(model, draft.assemble(groups.map(() => random.integer(3))));
      }
      return sum;
    };
    expect(await errorOf(6)).toBeLessThan(0.5 * (await errorOf(1)));
  });

  it('hold every output of a layer, at every level above 0, and repeat by their seed', async () => {
    const model = ofKind('a depthwise layer');
    const { tables, repairs, groups } = await tabled(model, [1, 0.5, 0.25], 12);
    const names = ['depthwise', 'point', 'head'];
    expect(tables.map(({ layer, level }) => [layer, level])).toEqual(
      names.flatMap((layer) => [1, 2].map((level) => [layer, level])),
    );
    expect(repairs.map(({ layer, level }) => [layer, level])).toEqual(
      tables.map(({ layer, level }) => [layer, level]),
    );
    // A depthwise layer's rows are its channels; of the others all rows are there, whatever their own level.
    expect(tables.map(({ weightDims }) => weightDims)).toEqual([
      [4, 1, 3, 3],
      [2, 1, 3, 3],
      [8, 4, 1, 1],
      [8, 2, 1, 1],
      [4, 3],
      [2, 3],
    ]);
    expect(groups.map(({ layers }) => layers)).toEqual([['a', 'depthwise'], ['point']]);
    expect((await tabled(model, [1, 0.5, 0.25], 12)).tables).toEqual(tables);
    expect((await tabled(model, [1, 0.5, 0.25], 12, 5)).tables).not.toEqual(tables);
  });

  it('are left out where cutting changes how a convolution is grouped', async () => {
    const net = new Net([3, 8, 8], 10);
    const a = net.relu(net.conv('a', net.input, 3, 8));
    // Two outputs of each input: a cut takes convolution groups away.
    const wide = net.relu(net.conv('wide', a, 8, 16, { group: 8 }));
    const model = withBiases(canonicalModel(net.head(wide, 16)));
    const { tables, repaired, groups } = await tabled(model, [1, 0.5], 12);
    expect(tables.map(({ layer }) => layer)).toEqual(['head']);
    repaired.add(tables);
    const halves = groups.map(() => 1);
    const sliced = draftOf(model, [1, 0.5]).draft.assemble(halves);
    expect(await distance(model, repaired.assemble(halves))).toBeLessThan(await distance(model, sliced));
  });

  it('ask for two samples, and do with two', async () => {
    const model = ofKind('one dimension');
    await expect(tabled(model, [1, 0.5], 1)).rejects.toMatchObject({ code: 'E_DATA' });
    expect((await tabled(model, [1, 0.5], 2)).tables).toHaveLength(2);
  });

  it('are made of networks that fix their batch', async () => {
    const free = ofKind('a residual sum');
    const fixed = cloneModel(free);
    for (const value of [...fixed.graph.inputs, ...fixed.graph.outputs]) value.dims = value.dims?.with(0, 3);
    const { tables } = await tabled(fixed, [1, 0.5], 10);
    expect(tables).toEqual((await tabled(free, [1, 0.5], 10)).tables);
  });
});
