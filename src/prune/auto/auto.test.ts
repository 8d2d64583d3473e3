// The choice of a criterion where the right one is known, and what it says.
import { describe, expect, it } from 'vitest';
import { Net } from '../../channels/test-support/net.ts';
import { type Dataset, subset } from '../../data/index.ts';
import type { Criterion } from '../../explain/index.ts';
import type { Model } from '../../onnx/index.ts';
import { canonicalGraph, floatConstant, int } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { compareCriteria } from '../compare/compare.ts';
import { chooseCriterion, rankAuto } from './auto.ts';
import { type AutoCriterion, autoCriterion, isAuto } from './criterion-choice.ts';
import { crossFitFolds } from './cross-fit-folds.ts';

const UNITS = 12;

/** Three classes told apart by which of three inputs is largest; of twelve hidden units the first three pass them on. */
function network(): Model {
  const net = new Net([3]);
  const first = new Float32Array(UNITS * 3);
  const second = new Float32Array(3 * UNITS);
  for (let k = 0; k < 3; k++) {
    first[k * 3 + k] = 1;
    second[k * UNITS + k] = 1;
  }
  // The others are large and count for nothing.
  for (let unit = 3; unit < UNITS; unit++) for (let k = 0; k < 3; k++) first[unit * 3 + k] = 5;
  const weight = (data: Float32Array, dims: number[]): string =>
    net.builder.constant(floatConstant(data, dims), 'weight');
  const hidden = net.relu(
    net.op('Gemm', [net.input, weight(first, [UNITS, 3])], { transB: int(1) }, 'hidden'),
  );
  return canonicalGraph(
    net.finish(net.op('Gemm', [hidden, weight(second, [3, UNITS])], { transB: int(1) }, 'scores')),
  );
}

const model = network();

function samples(perClass: number, labelled = true): Dataset {
  const random = new Random(4);
  const size = 3 * perClass;
  const values = Float32Array.from({ length: size * 3 }, () => random.uniform());
  for (let i = 0; i < size; i++) values[i * 3 + (i % 3)] = 2;
  return {
    kind: 'npz',
    name: 'triples',
    size,
    sampleShape: [3],
    samples: values,
    labels: labelled ? Int32Array.from({ length: size }, (_, i) => i % 3) : undefined,
    classNames: ['0', '1', '2'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

/** Keeps the `best` units. */
function planted(name: string, best: (unit: number) => number): Criterion {
  return {
    name,
    family: 'xai',
    summary: name,
    source: 'this test',
    needsSamples: false,
    score: () =>
      Promise.resolve([
        { layer: 'hidden', scores: Float64Array.from({ length: UNITS }, (_, unit) => best(unit)) },
        { layer: 'scores', scores: new Float64Array(3) },
      ]),
  };
}

const GOOD = planted('good', (unit) => -unit);
const HALF = planted('half', (unit) => (unit < 2 ? 10 : unit));
const BAD = planted('bad', (unit) => unit);
const BROKEN: Criterion = {
  ...BAD,
  name: 'broken',
  score: () => Promise.reject(new BedsideError('E_UNSUPPORTED', 'no rule for Magic')),
};
const auto = (...candidates: Criterion[]): AutoCriterion => ({
  name: 'auto',
  candidates,
  repaired: candidates,
});
const common = { name: 'net', block: 1, seed: 2 } as const;

describe('chooseCriterion', () => {
  it.each([true, false])('finds the planted winner (labels %s)', async (labelled) => {
    const choice = await chooseCriterion(model, {
      ...common,
      criterion: auto(BAD, HALF, GOOD),
      calibration: samples(6, labelled),
      ratio: 0.75,
    });
    expect(choice.criterion).toBe(GOOD);
    expect(choice).toMatchObject({
      measure: labelled ? 'balanced accuracy' : 'agreement',
      samples: 18,
      halved: true,
      skipped: [],
    });
    expect(choice.candidates.map(({ criterion }) => criterion)).toEqual(['good', 'half', 'bad']);
    expect(choice.candidates[0]).toMatchObject({
      measure: 1,
      screened: 1,
      halves: 1,
      difference: expect.closeTo(0, 9),
    });
    expect(choice.candidates[1]?.measure).toBeLessThan(1);
    expect(choice.reason).toMatch(/^good keeps the highest .* before half/);
  });

  it('measures with one sample a class on the samples that ranked, and says so', async () => {
    const choice = await chooseCriterion(model, {
      ...common,
      criterion: auto(BAD, GOOD),
      calibration: samples(1),
      ratio: 0.75,
    });
    expect(choice).toMatchObject({ criterion: GOOD, halved: false, samples: 3 });
    expect(choice.candidates.every((row) => row.halves === undefined)).toBe(true);
    expect(choice.reason).toContain('too few');
  });

  it('leaves out what the model cannot be explained by, and fails only when nothing is left', async () => {
    const given = { ...common, calibration: samples(4), ratio: 0.75 } as const;
    const choice = await chooseCriterion(model, { ...given, criterion: auto(BROKEN, GOOD) });
    expect(choice).toMatchObject({
      criterion: GOOD,
      skipped: [{ criterion: 'broken', reason: expect.stringContaining('Magic') }],
    });
    await expect(chooseCriterion(model, { ...given, criterion: auto(BROKEN) })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('Magic'),
    });
  });

  it('decides by the mix of classes that is asked for', async () => {
    // One keeps the units of classes 0 and 1, the other that of class 2 alone.
    const two = planted('two', (unit) => (unit < 2 ? 20 : unit === 2 ? 0 : 1));
    const one = planted('one', (unit) => (unit === 2 ? 20 : unit < 2 ? 0 : 1));
    const choose = async (classPrior: number[]) =>
      (
        await chooseCriterion(model, {
          ...common,
          criterion: auto(two, one),
          calibration: samples(5),
          classPrior,
          ratio: 0.75,
        })
      ).criterion.name;
    expect(await choose([0.45, 0.45, 0.1])).toBe('two');
    expect(await choose([0.02, 0.02, 0.96])).toBe('one');
  });
});

describe('rankAuto', () => {
  it('cuts by the choice, scored on all samples', async () => {
    const ranking = rankAuto(model, { ...common, criterion: auto(BAD, GOOD), calibration: samples(4) });
    const pruned = await ranking.prune({ ratio: 0.75 });
    expect(pruned.choice.criterion).toBe(GOOD);
    expect(pruned.keep.get(0)).toEqual([0, 1, 2]);
    const half = await ranking.prune({ macsFraction: 0.5 });
    expect(half.keep.get(0)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is a row of a comparison that says what was picked', async () => {
    const { rows, seconds } = await compareCriteria(model, {
      ...common,
      criteria: [auto(BAD, GOOD), BAD],
      ratios: [0.75],
      calibration: samples(4),
      test: samples(10),
    });
    expect(rows).toMatchObject([
      { criterion: 'auto', picked: 'good', family: 'xai', accuracy: 1 },
      { criterion: 'bad', ratio: 0.75 },
    ]);
    expect(rows[1]).not.toHaveProperty('picked');
    expect(Object.keys(seconds)).toEqual(['auto', 'bad']);
  });
});

describe('autoCriterion', () => {
  it('is told apart from criteria', () => {
    expect(isAuto(autoCriterion())).toBe(true);
    expect(isAuto(GOOD)).toBe(false);
  });
});

describe('crossFitFolds', () => {
  it('share nothing, have half of each class, and repeat by the seed', () => {
    const data = samples(5);
    const [a, b] = crossFitFolds(data, 7);
    expect([...a, ...b].sort((x, y) => x - y)).toEqual(Array.from({ length: 15 }, (_, i) => i));
    for (const part of [a, b]) {
      const { labels } = subset(data, part);
      for (let k = 0; k < 3; k++) {
        const count = labels?.filter((label) => label === k).length ?? 0;
        expect([2, 3]).toContain(count);
      }
    }
    expect(Math.abs(a.length - b.length)).toBe(1);
    expect(crossFitFolds(data, 7)).toEqual([a, b]);
    expect(crossFitFolds(data, 8)).not.toEqual([a, b]);
  });
});
