// A comparison against its definition: each row is the network with the lowest channels silenced.
import { describe, expect, it } from 'vitest';
import { findGroups, maskModel } from '../../channels/index.ts';
import { Net } from '../../channels/test-support/net.ts';
import type { Dataset } from '../../data/index.ts';
import { measureSpeedup } from '../../evaluate/index.ts';
import { agreementOf, evaluateModel } from '../../evaluate/internal.ts';
import type { Criterion, LayerScores } from '../../explain/index.ts';
import type { Model } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { findCriterion } from '../criteria.ts';
import { scoreModel } from '../score/score-model.ts';
import { unitScores } from '../score/unit-scores.ts';
import { selectGlobal, selectUniform } from '../select/select.ts';
import { type CompareCriteriaOptions, compareCriteria } from './compare.ts';
import type { CompareRow } from './compare-rows.ts';

const SAMPLE = [2, 10];

/** Two convolutions with a residual sum, then three classes. */
function network(width: number, sample: readonly number[] = SAMPLE): Model {
  const net = new Net(sample, 3);
  const stem = net.relu(net.conv('stem', net.input, sample[0] ?? 1, width));
  const sum = net.op('Add', [stem, net.conv('inner', stem, width, width)], {}, 'sum');
  const flat = net.op('Flatten', [net.op('GlobalAveragePool', [net.relu(sum)])]);
  return net.finish(net.gemm('scores', flat, width, 3));
}

function samples(size: number, labelled: boolean, shape: readonly number[] = SAMPLE): Dataset {
  const random = new Random(11);
  return {
    kind: 'npz',
    name: 'noise',
    size,
    sampleShape: shape,
    samples: Float32Array.from({ length: size * shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    labels: labelled ? Int32Array.from({ length: size }, (_, i) => i % 3) : undefined,
    classNames: ['0', '1', '2'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

/** Scores that rise, or fall, with the channel. */
function byIndex(name: string, sign: 1 | -1): Criterion {
  return {
    name,
    family: 'reference',
    summary: name,
    source: 'this test',
    needsSamples: false,
    score: ({ model }) =>
      Promise.resolve(
        findGroups(model).groups.flatMap(({ members }) =>
          members.map(({ layer, units }): LayerScores => {
            const count = units.length;
            return {
              layer,
              scores: Float64Array.from({ length: count }, (_, i) => (sign > 0 ? i : count - i)),
            };
          }),
        ),
      ),
  };
}

const CRITERIA = [byIndex('rising', 1), byIndex('falling', -1)];

describe('compareCriteria', () => {
  it.each([
    [true, false],
    [true, true],
    [false, false],
  ])('equals masking (labels %s, global %s)', async (labelled, global) => {
    const model = canonicalGraph(network(12));
    const grouping = findGroups(model);
    const test = samples(60, labelled);
    const options: CompareCriteriaOptions = {
      name: 'net',
      criteria: CRITERIA,
      ratios: [0.5, 0.25],
      calibration: samples(5, true),
      test,
      global,
    };
    const { base, rows } = await compareCriteria(model, options);
    expect(rows.map(({ criterion, ratio }) => [criterion, ratio])).toEqual([
      ['rising', 0.25],
      ['rising', 0.5],
      ['falling', 0.25],
      ['falling', 0.5],
    ]);
    if (!labelled) expect(base).toMatchObject({ accuracy: 1, balancedAccuracy: 1 });
    for (const row of rows) {
      const criterion = CRITERIA.find(({ name }) => name === row.criterion) as Criterion;
      const layers = await criterion.score({ model } as Parameters<Criterion['score']>[0]);
      const scores = unitScores(grouping, layers, { normalise: global ? 'l2' : 'none' });
      const keep = (global ? selectGlobal : selectUniform)(grouping, scores, { ratio: row.ratio, block: 1 });
      const masked = await evaluateModel(maskModel(model, grouping, keep), test, {
        name: 'masked',
        reference: base.predictions,
      });
      expect(row).toMatchObject({
        accuracy: masked.accuracy,
        balancedAccuracy: masked.balancedAccuracy,
        agreement: agreementOf(masked.predictions, base.predictions),
        reconstruct: false,
      });
      expect(row.macs).toBeLessThan(base.macs);
      expect(row.macsFraction).toBe(row.macs / base.macs);
    }
    expect(new Set(rows.map(({ accuracy }) => accuracy)).size).toBeGreaterThan(1);
  });

  it('removes nothing at ratio 0', async () => {
    const model = canonicalGraph(network(8));
    const { base, rows } = await compareCriteria(model, {
      name: 'net',
      criteria: CRITERIA.slice(0, 1),
      ratios: [0],
      calibration: samples(5, true),
      test: samples(30, true),
    });
    expect(rows[0]).toMatchObject({
      accuracy: base.accuracy,
      agreement: 1,
      macs: base.macs,
      macsFraction: 1,
    });
  });

  it('puts draws of one mix together: mean and standard deviation by hand', async () => {
    const model = canonicalGraph(network(12));
    const test = samples(60, true);
    const given = { name: 'net', criteria: [findCriterion('random')], ratios: [0.5], test };
    const calibration = samples(5, true);
    const single = async (seed: number) =>
      (await compareCriteria(model, { ...given, calibration, seed })).rows[0] as CompareRow;
    const [a, b, c] = [await single(1), await single(2), await single(3)];
    const draws = [
      { mix: 'local', calibration, seed: 1 },
      { mix: 'wrong', calibration, seed: 3 },
      { mix: 'local', calibration, seed: 2 },
    ] as const;
    const { rows } = await compareCriteria(model, { ...given, calibration, draws });
    expect(rows.map(({ mix }) => mix)).toEqual(['local', 'wrong']);
    expect(rows[0]).toMatchObject({
      seeds: 2,
      accuracy: expect.closeTo((a.accuracy + b.accuracy) / 2, 12),
      // Of two numbers: their distance over the root of two.
      accuracyStd: expect.closeTo(Math.abs(a.accuracy - b.accuracy) / Math.SQRT2, 12),
      balancedAccuracyStd: expect.closeTo(Math.abs(a.balancedAccuracy - b.balancedAccuracy) / Math.SQRT2, 12),
      macs: a.macs,
    });
    expect(a.accuracy).not.toBe(b.accuracy);
    expect(rows[1]).toEqual({ ...c, mix: 'wrong' });
  });

  it('weighs accuracy by a mix of classes', async () => {
    const model = canonicalGraph(network(12));
    const classPrior = [0.7, 0.3, 0];
    const { base, rows } = await compareCriteria(model, {
      name: 'net',
      criteria: CRITERIA,
      ratios: [0.25],
      calibration: samples(5, true),
      test: samples(60, true),
      classPrior,
    });
    for (const { accuracy, recall } of [base, ...rows]) {
      expect(accuracy).toBeCloseTo(0.7 * (recall[0] as number) + 0.3 * (recall[1] as number), 12);
    }
  });

  it('refuses a model that has nothing to prune', async () => {
    const net = new Net([2, 10], 1);
    const flat = net.op('Flatten', [net.input]);
    const model = canonicalGraph(net.finish(net.gemm('scores', flat, 20, 3)));
    await expect(
      compareCriteria(model, {
        name: 'flat',
        criteria: CRITERIA,
        ratios: [0.5],
        calibration: samples(5, true),
        test: samples(5, true),
      }),
    ).rejects.toMatchObject({ code: 'E_NO_CHANNELS' });
  });
});

describe('scoreModel', () => {
  it('hands over whole batches of a model that fixes the batch size, and the same numbers for a seed', async () => {
    const model = canonicalGraph(network(8));
    const [input] = model.graph.inputs;
    if (input) input.dims = [4, ...SAMPLE];
    const seen: { count: number; batch: number; drawn: number }[] = [];
    const spy: Criterion = {
      ...byIndex('spy', 1),
      score: (context) => {
        const { count, samples: given, labels } = context.calibration;
        expect(given.length).toBe(count * 20);
        expect(labels?.length).toBe(count);
        seen.push({ count, batch: context.batch, drawn: context.random.uniform() });
        return byIndex('spy', 1).score(context);
      },
    };
    const grouping = findGroups(model);
    for (let i = 0; i < 2; i++)
      await scoreModel(model, grouping, spy, samples(10, true), { name: 'net', seed: 3 });
    expect(seen).toEqual([1, 2].map(() => ({ count: 8, batch: 4, drawn: new Random(3).uniform() })));
    await expect(scoreModel(model, grouping, spy, samples(3, true), { name: 'net' })).rejects.toMatchObject({
      code: 'E_DATA_FIT',
    });
  });
});

describe('measureSpeedup', () => {
  it('finds that thirty times the work takes longer', async () => {
    const shape = [8, 128];
    const wide = { model: network(96, shape), name: 'wide' };
    const narrow = { model: network(16, shape), name: 'narrow' };
    const speed = await measureSpeedup(wide, narrow, samples(40, true, shape), { rounds: 5 });
    expect(speed.speedup).toBeGreaterThan(1.5);
    expect(speed.speedup).toBeCloseTo(speed.before / speed.after, 12);
    expect(speed.rounds).toBe(5);
  });
});
