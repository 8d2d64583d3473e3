import { describe, expect, it } from 'vitest';
import { assertPrunable, findGroups, sliceModel } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import { Net } from '../../channels/test-support/net.ts';
import { modelCosts } from '../../onnx/index.ts';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { unitScores } from '../score/unit-scores.ts';
import { blockOf, detectBlock } from './block.ts';
import { selectForMacs } from './budget.ts';
import { alignedCount, selectGlobal, selectUniform } from './select.ts';

const RATIOS = [0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.75, 0.9, 0.999];

/** Groups: stem+b (20), a (24), c (32, in convolution groups of 2: 16 units), head frozen. */
function network() {
  const net = new Net([2, 6, 6]);
  const stem = net.relu(net.conv('stem', net.input, 2, 20));
  const trunk = net.op('Add', [net.conv('b', net.relu(net.conv('a', stem, 20, 24)), 24, 20), stem]);
  const model = net.head(net.relu(net.conv('c', trunk, 20, 32, { group: 2 })), 32);
  const grouping = findGroups(model);
  const random = new Random(3);
  const layerScores = ['stem', 'a', 'b', 'c', 'head'].map((layer, i) => ({
    layer,
    scores: Float64Array.from({ length: [20, 24, 20, 32, 3][i] as number }, () => random.uniform()),
  }));
  return { model, grouping, layerScores, scores: unitScores(grouping, layerScores, { normalise: 'max' }) };
}

describe('unitScores', () => {
  const { grouping, layerScores } = network();
  const of = (layer: string): Float64Array =>
    layerScores.find((row) => row.layer === layer)?.scores as Float64Array;

  it('combines the channels of every producing layer', () => {
    expect(grouping.groups.map((group) => `${group.layers.join('+')}:${group.channels}`)).toEqual([
      'stem+b:10',
      'a:24',
      'c:16',
    ]);
    // The trunk is read by two convolution groups: unit 4 is channels 4 and 14 of stem and of b.
    const four = [of('stem')[4], of('stem')[14], of('b')[4], of('b')[14]] as number[];
    const sum = four.reduce((a, b) => a + b);
    expect(unitScores(grouping, layerScores).get(0)?.[4]).toBeCloseTo(sum, 12);
    expect(unitScores(grouping, layerScores, { combine: 'mean' }).get(0)?.[4]).toBeCloseTo(sum / 4, 12);
    expect(unitScores(grouping, layerScores, { combine: 'max' }).get(0)?.[4]).toBe(Math.max(...four));
  });

  it('normalises each group', () => {
    for (const group of grouping.groups) {
      const values = (by: 'max' | 'sum' | 'l2') => [
        ...(unitScores(grouping, layerScores, { normalise: by }).get(group.id) ?? []),
      ];
      expect(Math.max(...values('max'))).toBe(1);
      expect(values('sum').reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      expect(values('l2').reduce((a, b) => a + b * b, 0)).toBeCloseTo(1, 12);
    }
  });

  it('takes scores that are no numbers, or all zero, for zero', () => {
    const broken = layerScores.map(({ layer, scores }) => ({ layer, scores: scores.map(() => Number.NaN) }));
    for (const values of unitScores(grouping, broken, { normalise: 'sum' }).values()) {
      expect(values.every((value) => value === 0)).toBe(true);
    }
  });

  it('refuses a group without scores and a list that is too short', () => {
    const internal = expect.objectContaining({ code: 'E_INTERNAL' });
    expect(() => unitScores(grouping, layerScores.slice(0, 1))).toThrow(internal);
    const short = layerScores.map(({ layer, scores }) => ({ layer, scores: scores.slice(0, 2) }));
    expect(() => unitScores(grouping, short)).toThrow(internal);
  });
});

describe.each([
  ['selectUniform', selectUniform],
  ['selectGlobal', selectGlobal],
])('%s', (name, select) => {
  const { model, grouping, scores } = network();

  it.each([1, 3, 8, 16])('keeps nested, aligned, non-empty sets of the best units, block %i', (block) => {
    let larger = new Map(grouping.groups.map((group) => [group.id, [...Array(group.channels).keys()]]));
    for (const ratio of RATIOS) {
      const keep = select(grouping, scores, { ratio, block });
      if (ratio === 0) expect(keep).toEqual(larger);
      for (const group of grouping.groups) {
        const kept = keep.get(group.id) as number[];
        expect(kept.length).toBeGreaterThan(0);
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(larger.get(group.id)).toEqual(expect.arrayContaining(kept));
        const width = group.members[0]?.units[0]?.length as number;
        if (kept.length < group.channels) expect((kept.length * width) % block).toBe(0);
        const own = scores.get(group.id) as Float64Array;
        const worst = Math.min(...kept.map((unit) => own[unit] as number));
        const gone = [...own.keys()].filter((unit) => !kept.includes(unit));
        for (const unit of gone) expect(own[unit] as number).toBeLessThanOrEqual(worst);
      }
      larger = keep;
    }
    expect(() => sliceModel(model, grouping, larger)).not.toThrow();
  });

  it('keeps the lower of equal units, and survives scores that are not numbers', () => {
    for (const value of [0.5, Number.NaN]) {
      const equal = new Map(grouping.groups.map((g) => [g.id, new Float64Array(g.channels).fill(value)]));
      const keep = select(grouping, equal, { ratio: 0.5, block: 1 });
      for (const kept of keep.values()) expect(kept).toEqual([...kept.keys()]);
    }
    const some = new Map(
      grouping.groups.map((g) => [
        g.id,
        new Float64Array(g.channels).map((_, i) => (i < 3 ? Number.NaN : 1)),
      ]),
    );
    const keep = select(grouping, some, { ratio: 0.1, block: 1 });
    expect(keep.get(1)).not.toContain(2);
  });

  it.each([-0.1, 1, 1.5, Number.NaN])('refuses ratio %d', (ratio) => {
    expect(() => select(grouping, scores, { ratio, block: 1 })).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });

  it.each([0, -8, 1.5, Number.NaN])('refuses block %d', (block) => {
    expect(() => select(grouping, scores, { ratio: 0.5, block })).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });

  it('removes what the ratio says', () => {
    const total = grouping.groups.reduce((sum, group) => sum + group.channels, 0);
    const keep = select(grouping, scores, { ratio: 0.5, block: 1 });
    const kept = grouping.groups.map((group) => keep.get(group.id)?.length as number);
    if (name === 'selectUniform') expect(kept).toEqual([5, 12, 8]);
    else expect(kept.reduce((a, b) => a + b)).toBe(total / 2);
  });
});

describe('selectGlobal', () => {
  it('takes from the weakest group first but leaves it a block', () => {
    const { grouping } = network();
    const weak = new Map(
      grouping.groups.map((g) => [g.id, new Float64Array(g.channels).fill(g.id === 1 ? 0.1 : 1)]),
    );
    // 50 units; 23 of the 24 in group 1 may go.
    const keep = selectGlobal(grouping, weak, { ratio: 0.46, block: 1 });
    expect([...keep.values()].map((units) => units.length)).toEqual([10, 1, 16]);
    expect(selectGlobal(grouping, weak, { ratio: 0.4, block: 8 }).get(1)?.length).toBe(8);
  });
});

describe('alignedCount', () => {
  const { grouping } = network();
  const [trunk, a, c] = grouping.groups;
  it.each([
    // units of one channel: nearest multiple of 8, or all 24
    [a, 24, 8, 24],
    [a, 20, 8, 24],
    [a, 19.9, 8, 16],
    [a, 1, 8, 8],
    [a, 10, 16, 16],
    [a, 21, 16, 24],
    [a, 3, 32, 24],
    [a, 11.5, 1, 12],
    [a, 24 * (1 - 0.7), 1, 7],
    // two channels a unit: 4 units fill 8 channels
    [trunk, 6, 8, 8],
    [trunk, 5.9, 8, 4],
    [trunk, 9.5, 8, 10],
    [c, 3, 16, 8],
  ])('case %#', (group, target, block, expected) => {
    expect(alignedCount(group as NonNullable<typeof group>, target, block)).toBe(expected);
  });
});

describe('selectForMacs', () => {
  const { model, grouping, scores } = network();
  const count = macsCounter(model, grouping);
  const full = modelCosts(model).macs;

  it.each([false, true])('comes closest from below, global %s', (global) => {
    const select = global ? selectGlobal : selectUniform;
    for (const macsFraction of [0.9, 0.5, 0.25, 0.1]) {
      const keep = selectForMacs(model, grouping, scores, { macsFraction, block: 1, global });
      const macs = modelCosts(sliceModel(model, grouping, keep)).macs;
      expect(macs).toBeLessThanOrEqual(full * macsFraction);
      // No ratio of a fine grid does better.
      for (let i = 0; i < 1000; i++) {
        const other = count(select(grouping, scores, { ratio: i / 1000, block: 1 }));
        if (other <= full * macsFraction) expect(other).toBeLessThanOrEqual(macs);
      }
    }
  });

  it('keeps everything at 1', () => {
    const keep = selectForMacs(model, grouping, scores, { macsFraction: 1, block: 16 });
    expect(count(keep)).toBe(full);
  });

  it('says the smallest fraction when the target is out of reach', () => {
    const smallest = count(selectUniform(grouping, scores, { ratio: 0.9999, block: 8 })) / full;
    try {
      selectForMacs(model, grouping, scores, { macsFraction: smallest * 0.99, block: 8 });
      expect.unreachable();
    } catch (error) {
      expect(BedsideError.is(error, 'E_USAGE')).toBe(true);
      expect((error as Error).message).toContain(smallest.toPrecision(4));
    }
  });

  it.each([0, -1, 1.1, Number.NaN])('refuses fraction %d', (macsFraction) => {
    expect(() => selectForMacs(model, grouping, scores, { macsFraction, block: 1 })).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });
});

describe('assertPrunable', () => {
  it('passes a model with groups and says why another has none', () => {
    expect(() => assertPrunable(network().grouping, 'm')).not.toThrow();
    const net = new Net([4]);
    const linear = findGroups(net.finish(net.gemm('only', net.input, 4, 3)));
    try {
      assertPrunable(linear, 'linear.onnx');
      expect.unreachable();
    } catch (error) {
      expect(BedsideError.is(error, 'E_NO_CHANNELS')).toBe(true);
      expect((error as Error).message).toBe(
        "no channel of linear.onnx can be pruned: only (3 channels): they reach the model's output 'only'",
      );
    }
    const bare = new Net([3]);
    const empty = findGroups(bare.finish(bare.relu(bare.input)));
    expect(() => assertPrunable(empty, 'bare')).toThrow('no layer with constant weights');
  });
});

describe('detectBlock', () => {
  it('reads the flags of /proc/cpuinfo', () => {
    expect(blockOf('model name\t: X\nflags\t\t: fpu sse2 avx2 avx512f avx512bw\n')).toBe(16);
    expect(blockOf('flags\t\t: fpu sse2 avx2\n')).toBe(8);
    expect(blockOf('Features\t: asimd\n')).toBe(8);
    expect([8, 16]).toContain(detectBlock());
  });
});
