// Pruning in one shot and in steps, protected layers, and what is comparable between groups.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import { unitMacs } from '../channels/internal.ts';
import { Net, run } from '../channels/test-support/net.ts';
import type { Dataset } from '../data/index.ts';
import type { Criterion } from '../explain/index.ts';
import { canonicalModel, type Model, modelCosts } from '../onnx/index.ts';
import { canonicalGraph } from '../onnx/internal.ts';
import { nearestNames, Random } from '../util/internal.ts';
import { findCriterion } from './criteria.ts';
import { pruneModel, type RankOptions, rankModel } from './prune-model.ts';
import { scoreModel } from './score/score-model.ts';
import { unitScores } from './score/unit-scores.ts';
import { selectGlobal, selectUniform } from './select/select.ts';

const SAMPLE = [2, 10];

/** Convolutions of unlike widths around a residual sum, with batch normalisation. */
function network(): Model {
  const net = new Net(SAMPLE, 3);
  const stem = net.relu(net.batchNorm(net.conv('stem', net.input, 2, 12), 12));
  const wide = net.relu(net.batchNorm(net.conv('wide', stem, 12, 24), 24));
  const sum = net.op('Add', [stem, net.batchNorm(net.conv('back', wide, 24, 12), 12)], {}, 'sum');
  return net.head(net.relu(net.conv('last', net.relu(sum), 12, 16)), 16);
}

const model = canonicalModel(network());
const unmerged = canonicalGraph(network());
const grouping = findGroups(model);

function samples(size: number): Dataset {
  const random = new Random(11);
  return {
    kind: 'npz',
    name: 'noise',
    size,
    sampleShape: SAMPLE,
    samples: Float32Array.from({ length: size * 20 }, () => random.normal()),
    labels: Int32Array.from({ length: size }, (_, i) => i % 3),
    classNames: ['0', '1', '2'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

function options(criterion: string, more: Partial<RankOptions> = {}): RankOptions {
  return { name: 'net', criterion: findCriterion(criterion), calibration: samples(12), block: 1, ...more };
}

const counts = (keep: ReadonlyMap<number, readonly number[]>): number[] =>
  [...keep.values()].map((units) => units.length);

describe('pruneModel', () => {
  it.each([
    ['lrp-epsilon', false],
    ['taylor', true],
  ])('in one step is score, select, slice (%s, global %s)', async (name, global) => {
    const pruned = await pruneModel(model, { ...options(name, { global }), ratio: 0.4, steps: 1 });
    const scores = await scoreModel(model, grouping, findCriterion(name), samples(12), {
      name: 'net',
      global,
    });
    const keep = (global ? selectGlobal : selectUniform)(grouping, scores, { ratio: 0.4, block: 1 });
    expect(pruned.keep).toEqual(keep);
    expect(pruned.scores).toEqual(scores);
    expect(await run(pruned.model)).toEqual(await run(sliceModel(model, grouping, keep)));
  });

  it.each([false, true])(
    'in steps keeps ever smaller subsets of the original units (global %s)',
    async (global) => {
      const ranking = await rankModel(model, options('lrp-epsilon', { steps: 3, global }));
      const once = await rankModel(model, options('lrp-epsilon', { global }));
      const { keep, model: cut } = await ranking.prune({ ratio: 0.6 });
      const left = counts(keep).reduce((a, b) => a + b, 0);
      const total = grouping.groups.reduce((sum, { channels }) => sum + channels, 0);
      expect(left).toBe(counts((await once.prune({ ratio: 0.6 })).keep).reduce((a, b) => a + b, 0));
      if (global) expect(left).toBe(total - Math.round(0.6 * total));
      else expect(counts(keep)).toEqual(counts((await once.prune({ ratio: 0.6 })).keep));
      // Step 1 of three is one shot at a third of the way: what it removes never comes back.
      const first = (await once.prune({ ratio: 0.6 / 3 })).keep;
      for (const [id, units] of keep) {
        expect(units.every((unit) => first.get(id)?.includes(unit))).toBe(true);
        expect(units).toEqual([...new Set(units)].sort((a, b) => a - b));
      }
      expect(await run(cut)).toEqual(await run(sliceModel(model, grouping, keep)));
    },
  );

  it('ranks by the network that is left: the second step is a one-shot cut of the first', async () => {
    const { keep } = await pruneModel(model, { ...options('taylor', { steps: 2 }), ratio: 0.5 });
    const first = await pruneModel(model, { ...options('taylor'), ratio: 0.25 });
    const left = canonicalModel(first.model);
    const again = await rankModel(left, options('taylor'));
    // Ratios of what is left that end at half of the original's units.
    for (const group of again.grouping.groups) {
      const original = grouping.groups[group.id];
      const had = first.keep.get(group.id) ?? [];
      const wanted = Math.round((original?.channels ?? 0) / 2);
      const scores = again.scores.get(group.id) ?? new Float64Array();
      const best = Array.from(scores.keys())
        .sort((a, b) => (scores[b] as number) - (scores[a] as number))
        .slice(0, wanted);
      expect(keep.get(group.id)).toEqual(best.map((unit) => had[unit]).sort((a, b) => Number(a) - Number(b)));
    }
  });

  it('reads batch normalisation of the network that is left', async () => {
    const given = options('bn-scale', { unmerged });
    const once = await pruneModel(model, { ...given, ratio: 0.5 });
    // The scale of a channel does not depend on the others, so steps change nothing.
    const steps = await pruneModel(model, { ...given, steps: 4, ratio: 0.5 });
    expect(steps.keep).toEqual(once.keep);
  });

  it.each([1, 3])('meets a budget of multiply-accumulates in %i steps', async (steps) => {
    const { model: cut } = await pruneModel(model, { ...options('l2', { steps }), macsFraction: 0.4 });
    const share = modelCosts(cut).macs / modelCosts(model).macs;
    expect(share).toBeLessThanOrEqual(0.4);
    expect(share).toBeGreaterThan(0.3);
  });

  it.each([false, true])('leaves the groups of protected layers whole (global %s)', async (global) => {
    const protect = ['back', 'last'];
    const { keep } = await pruneModel(model, {
      ...options('taylor', { global, protect, steps: 2 }),
      ratio: 0.5,
    });
    for (const { id, layers, channels } of grouping.groups) {
      const whole = keep.get(id)?.length === channels;
      expect({ layers, whole }).toEqual({ layers, whole: layers.some((name) => protect.includes(name)) });
    }
  });

  it('refuses to protect a layer that there is not, and names those like it', async () => {
    await expect(
      pruneModel(model, { ...options('l1', { protect: ['lats'] }), ratio: 0.5 }),
    ).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining("'lats'"),
      hint: expect.stringMatching(/did you mean last/),
    });
  });

  it.each([0, 1.5, Number.NaN])('refuses %s steps', async (steps) => {
    await expect(pruneModel(model, { ...options('l1', { steps }), ratio: 0.5 })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
  });

  it('scores once for any number of ratios', async () => {
    let scored = 0;
    const l1 = findCriterion('l1');
    const spy: Criterion = {
      ...l1,
      score: (context) => {
        scored++;
        return l1.score(context);
      },
    };
    const ranking = await rankModel(model, { ...options('l1'), criterion: spy });
    for (const ratio of [0.1, 0.3, 0.5]) await ranking.prune({ ratio });
    expect(scored).toBe(1);
    const steps = await rankModel(model, { ...options('l1', { steps: 3 }), criterion: spy });
    await steps.prune({ ratio: 0.5 });
    expect(scored).toBe(1 + 3);
  });
});

describe('a model with an operator that nobody knows', () => {
  const net = new Net(SAMPLE, 5);
  const first = net.relu(net.conv('first', net.input, 2, 8));
  const odd = net.op('Magic', [net.conv('second', first, 8, 8)]);
  const node = net.builder.graph.nodes.at(-1);
  if (node) node.domain = 'example.magic';
  const strange = net.head(net.conv('third', odd, 8, 6), 6);
  strange.opsets.set('example.magic', 1);
  const canonical = canonicalGraph(strange);

  it.each(['l1', 'l2', 'fpgm', 'lamp', 'random'])(
    'is pruned by %s before the operator, not beside it',
    async (name) => {
      const { keep, grouping: found } = await pruneModel(canonical, { ...options(name), ratio: 0.5 });
      const kept = found.groups.map(({ id, layers }) => [layers, keep.get(id)?.length]);
      expect(kept).toContainEqual([['first'], 4]);
      expect(found.groups.flatMap(({ layers }) => layers)).not.toContain('second');
    },
  );

  it('is refused with a code by what runs through it', async () => {
    await expect(pruneModel(canonical, { ...options('lrp-epsilon'), ratio: 0.5 })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('Magic'),
    });
  });
});

describe('normalisation by the cost that a unit saves', () => {
  it('is what cutting the unit saves, also in a network that was cut before', () => {
    for (const keep of [new Map(), new Map(grouping.groups.map(({ id }) => [id, [1, 2, 5, 7]]))]) {
      const saved = unitMacs(model, grouping, keep);
      for (const { id, channels } of grouping.groups) {
        const alive = keep.get(id) ?? Array.from({ length: channels }, (_, unit) => unit);
        const before = modelCosts(sliceModel(model, grouping, keep)).macs;
        for (let unit = 0; unit < channels; unit++) {
          const rest = alive.filter((other: number) => other !== unit);
          const after = modelCosts(sliceModel(model, grouping, new Map([...keep, [id, rest]]))).macs;
          expect(saved.get(id)?.[unit]).toBe(before - after);
        }
      }
    }
  });

  it('divides scores by it', async () => {
    const layers = grouping.groups.flatMap(({ members }) =>
      members.map(({ layer, units }) => ({ layer, scores: new Float64Array(units.length).fill(2) })),
    );
    const costs = unitMacs(model, grouping);
    const scores = unitScores(grouping, layers, { normalise: 'per-mac', unitMacs: costs });
    for (const { id, members } of grouping.groups) {
      expect(scores.get(id)?.[0]).toBeCloseTo((2 * members.length) / (costs.get(id)?.[0] as number), 15);
    }
    // Equal scores: what saves the most goes first.
    const ranking = await rankModel(model, {
      ...options('l1', { global: true, normalise: 'per-mac' }),
      criterion: { ...findCriterion('l1'), score: () => Promise.resolve(layers) },
    });
    const { keep } = await ranking.prune({ ratio: 0.1 });
    const touched = grouping.groups.filter(({ id, channels }) => (keep.get(id)?.length ?? 0) < channels);
    const cheapest = [...scores].sort(([, a], [, b]) => (a[0] as number) - (b[0] as number))[0]?.[0];
    expect(touched.map(({ id }) => id)).toEqual([cheapest]);
  });
});

describe('nearestNames', () => {
  it('puts names that contain the text first, then those with fewest changes', () => {
    expect(nearestNames('conv', ['gemm', '/a/Conv', 'corv'], 2)).toEqual(['/a/Conv', 'corv']);
    expect(nearestNames('', ['a'], 3)).toEqual(['a']);
  });
});
