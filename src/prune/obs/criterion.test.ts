// Optimal brain surgeon on small networks: what it must find, what it may be used on, and what it refuses.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../../channels/index.ts';
import { Net } from '../../channels/test-support/net.ts';
import type { Dataset } from '../../data/index.ts';
import { evaluateModel } from '../../evaluate/internal.ts';
import type { CriterionContext } from '../../explain/index.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { floatConstant, int, ints } from '../../onnx/internal.ts';
import { plantedNet, plantedSamples } from '../../pack/test-support/planted.ts';
import { repair } from '../../repair/index.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { findCriterion } from '../criteria.ts';
import { type RankOptions, rankModel } from '../prune-model.ts';

const COPIES = 6;

/** A convolution whose channels 6 to 11 are channels 0 to 5 again, scaled, and a reader that reads all twelve. */
function repeatingNet(read: 'convolved' | 'flattened' | 'flattened in two sizes'): Model {
  const net = new Net([2, 6, 6], 5);
  const random = new Random(4);
  const half = Float32Array.from({ length: COPIES * 2 * 9 }, () => random.normal());
  const weight = Float32Array.from({ length: 2 * half.length }, (_, i) =>
    i < half.length ? (half[i] as number) : 3 * (half[i - half.length] as number),
  );
  const constant = net.builder.constant(floatConstant(weight, [2 * COPIES, 2, 3, 3]), 'weights');
  const a = net.relu(net.conv('a', net.input, 2, 2 * COPIES, { weight: constant, bias: false }));
  const flat = net.op('Flatten', [a], { axis: int(1) });
  if (read === 'flattened') return canonicalModel(net.finish(net.gemm('head', flat, 432, 3)));
  if (read === 'flattened in two sizes') {
    const pooled = net.op('MaxPool', [a], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const both = net.op('Concat', [flat, net.op('Flatten', [pooled], { axis: int(1) })], { axis: int(1) });
    return canonicalModel(net.finish(net.gemm('head', both, 432 + 108, 3)));
  }
  const b = net.relu(net.conv('b', a, 2 * COPIES, 8));
  const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [b])], { axis: int(1) });
  return canonicalModel(net.finish(net.gemm('head', pooled, 8, 3)));
}

function noise(size: number, sampleShape: readonly number[]): Dataset {
  const random = new Random(11);
  const length = sampleShape.reduce((a, b) => a * b, size);
  const samples = Float32Array.from({ length }, () => random.normal());
  return { ...plantedSamples(4, 1, false), size, sampleShape, samples };
}

const options = (criterion: string, calibration: Dataset): RankOptions => ({
  name: 'net',
  criterion: findCriterion(criterion),
  calibration,
  block: 1,
  seed: 3,
});

describe('obs', () => {
  it.each([
    ['obs', 'convolved'],
    ['obs=none', 'convolved'],
    ['obs=lrp-epsilon', 'convolved'],
    ['obs', 'flattened'],
    ['obs', 'flattened in two sizes'],
  ] as const)('%s lets one of each two channels go that say the same (%s)', async (criterion, read) => {
    const ranking = await rankModel(repeatingNet(read), options(criterion, noise(24, [2, 6, 6])));
    const scores = must(ranking.scores.get(0), 'no group');
    const kept = [...scores.keys()]
      .sort((a, b) => (scores[b] as number) - (scores[a] as number))
      .slice(0, COPIES);
    expect(new Set(kept.map((unit) => unit % COPIES)).size).toBe(COPIES);
  });

  it('loses less than norms and attributions, after the repair', async () => {
    const model = plantedNet();
    const grouping = findGroups(model);
    const calibration = plantedSamples(24, 3);
    const test = plantedSamples(200, 77);
    const run = (of: Model) => evaluateModel(of, test, { name: 'net', reference: new Int32Array(test.size) });
    const whole = (await run(model)).logits;
    const errors: number[] = [];
    for (const criterion of ['obs', 'l2', 'activation']) {
      const { keep } = await (await rankModel(model, options(criterion, calibration))).prune({ ratio: 0.5 });
      const cut = sliceModel(model, grouping, keep);
      const repaired = await repair(model, cut, grouping, keep, { name: 'net', calibration, seed: 1 });
      const { logits } = await run(repaired.model);
      errors.push(logits.reduce((sum, value, i) => sum + (value - (whole[i] as number)) ** 2, 0));
    }
    expect(errors[0]).toBeLessThan(Math.min(errors[1] as number, errors[2] as number));
  });

  it('heeds how much samples count, and repeats itself', async () => {
    const model = plantedNet();
    const calibration = plantedSamples(12, 3);
    const score = async (weights?: Float64Array) =>
      (await rankModel(model, { ...options('obs', calibration), weights })).scores;
    const plain = await score();
    expect(await score()).toEqual(plain);
    const even = await score(new Float64Array(12).fill(5));
    for (const [id, own] of plain) {
      for (const [unit, value] of own.entries())
        expect((even.get(id)?.[unit] as number) / value).toBeCloseTo(1, 6);
    }
    expect(await score(Float64Array.from({ length: 12 }, (_, i) => (i < 3 ? 1 : 0)))).not.toEqual(plain);
  });

  it('works on one sample, in steps, and over all groups', async () => {
    const model = plantedNet();
    const one = await rankModel(model, options('obs', plantedSamples(1, 3)));
    for (const own of one.scores.values()) for (const score of own) expect(Number.isFinite(score)).toBe(true);
    const stepwise = await rankModel(model, {
      ...options('obs', plantedSamples(12, 3)),
      steps: 2,
      global: true,
    });
    const { keep } = await stepwise.prune({ ratio: 0.5 });
    expect([...keep.values()].reduce((sum, units) => sum + units.length, 0)).toBe(12);
  });

  it('refuses to weigh errors by what explains no samples', () => {
    for (const weight of ['l2', 'apoz', 'obs', '']) {
      expect(() => findCriterion(`obs=${weight}`)).toThrow(expect.objectContaining({ code: 'E_CRITERION' }));
    }
  });

  it('reports progress in samples', async () => {
    const seen: number[] = [];
    const calibration = plantedSamples(12, 3);
    const context: CriterionContext = {
      model: plantedNet(),
      modelName: 'net',
      calibration: { ...calibration, count: 12 },
      random: new Random(1),
      target: 'predicted',
      batch: 8,
      threads: 1,
      onProgress: (done) => seen.push(done),
    };
    await findCriterion('obs').score(context);
    expect(seen.at(-1)).toBe(12);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});
