// Changes of low rank: the whole network's weights come back where the damage was of low rank, and cut networks come nearer.
import { describe, expect, it } from 'vitest';
import type { Correction } from '../../bundle/internal.ts';
import { findGroups } from '../../channels/index.ts';
import type { Model } from '../../onnx/index.ts';
import { type WeightedLayer, weightedLayers } from '../../onnx/internal.ts';
import { Products, setWeights } from '../../repair/internal.ts';
import { allMixes, distance, draftOf, KINDS, ofKind, samplesFor } from '../../repair/test-support/nets.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { rounds } from '../../util/test-support/rounds.ts';
import { AffineCorrector } from './affine.ts';
import { LowRankFitter, RANK } from './low-rank.ts';
import { affordableSamples } from './single-batch.ts';

const OPTIONS = { name: 'net', threads: 1, batch: 8, seed: 2 } as const;

/** Adds to a layer's weight what one of less rank gives. */
function damaged(model: Model, name: string, rank: number): Model {
  const layer = must(
    weightedLayers(model).find((one) => one.name === name),
    name,
  );
  const random = new Random(5);
  const inner = layer.weight.length / layer.channels;
  const draw = (n: number): number[] => Array.from({ length: n }, () => 0.5 * random.normal());
  const [up, down] = [draw(layer.channels * rank), draw(rank * inner)];
  const weight = layer.weight.map((value, at) => {
    const [o, i] =
      layer.kind === 'dense'
        ? [at % layer.channels, Math.floor(at / layer.channels)]
        : [Math.floor(at / inner), at % inner];
    let sum = value;
    for (let r = 0; r < rank; r++) sum += (up[o * rank + r] as number) * (down[r * inner + i] as number);
    return sum;
  });
  return setWeights(model, layer, weight, layer.bias);
}

async function fitted(whole: Model, given: Model, without?: string): Promise<Correction> {
  const samples = affordableSamples(whole, samplesFor(whole, 160), OPTIONS.seed);
  const fitter = await LowRankFitter.create(whole, findGroups(whole), samples, without, OPTIONS);
  const products = await Products.create(1);
  try {
    return (await fitter.fit(given, new Map(), products)).correction;
  } finally {
    await products.release();
  }
}

const fold = (model: Model, correction: Correction): Model => {
  const { groups, draft } = draftOf(model, [1, 0.5]);
  return draft.assemble(
    groups.map(() => 0),
    correction,
  );
};

describe('damage of low rank', () => {
  it.each([
    ['convolutions and a linear layer', 'b'],
    ['one dimension', 'b'],
    ['a linear layer behind Flatten', 'hidden'],
    ['products with a constant', 'hidden'],
  ])('is undone: %s', async (kind, name) => {
    const whole = ofKind(kind);
    const model = damaged(whole, name, 1);
    const correction = await fitted(whole, model);
    expect(correction.lowRank?.has(name)).toBe(true);
    expect(await fitted(whole, model)).toEqual(correction);
    expect(await distance(whole, fold(model, correction))).toBeLessThan(
      0.03 * (await distance(whole, model)),
    );
  });

  it('is left alone in a layer that is none of its business, and nothing is stored for layers that are right', async () => {
    const whole = ofKind('convolutions and a linear layer');
    const model = damaged(whole, 'b', 2);
    const { lowRank, scale } = await fitted(whole, model, 'b');
    expect(lowRank?.has('b')).toBe(false);
    expect(lowRank?.has('a')).toBe(false);
    expect([...scale.subarray(0, 16)].every((value) => Math.abs(value - 1) < 1e-6)).toBe(true);
    expect((await fitted(whole, whole)).lowRank).toBeUndefined();
  });
});

describe('changes for cut networks', () => {
  // Of nine mixes two, of more as many in `npm test` as of three groups.
  const levelsOf = (groups: number): number[][] =>
    allMixes(groups, 3).filter((_, i) => i % (groups > 3 ? rounds(16, 4) : 4) === 2);

  it.each(Object.keys(KINDS))('bring them nearer, in the shapes of the format: %s', async (kind) => {
    const model = ofKind(kind);
    const { grouping, groups, draft } = draftOf(model, [1, 0.75, 0.5]);
    const calibration = samplesFor(model, 40);
    const corrector = await AffineCorrector.create(model, grouping, { ...OPTIONS, calibration });
    const samples = affordableSamples(model, calibration, OPTIONS.seed);
    const fitter = await LowRankFitter.create(model, grouping, samples, undefined, OPTIONS);
    const products = await Products.create(1);
    let [before, after] = [0, 0];
    try {
      for (const levels of levelsOf(groups.length)) {
        const [cut, keep] = [draft.assemble(levels), draft.keepAt(levels)];
        const { model: given, correction } = await fitter.fit(cut, keep, products);
        const layers = new Map(weightedLayers(cut).map((layer) => [layer.name, layer]));
        for (const [name, { up, down }] of correction.lowRank ?? []) {
          expectShapes(must(layers.get(name), name), up.dims, down.dims);
        }
        // Folding finds the layers by name and adds in their own layout.
        const folded = draft.assemble(levels, correction);
        expect(await distance(given, folded)).toBeLessThan(1e-9);
        before += await distance(model, cut);
        after += await distance(model, folded);
        const plain = await corrector.fit(cut, keep);
        const found = await corrector.enrich(cut, keep, plain);
        expect(found.errorAfter).toBeLessThanOrEqual(plain.errorAfter);
        if (!found.correction?.lowRank) expect(found).toEqual(plain);
      }
    } finally {
      await corrector.release();
      await products.release();
    }
    expect(after).toBeLessThan(before);
  });
});

function expectShapes(layer: WeightedLayer, up: readonly number[], down: readonly number[]): void {
  const groups = layer.conv?.groups ?? 1;
  const rank = must(up[1], 'rank');
  expect(rank).toBeLessThanOrEqual(RANK);
  expect(up).toEqual([layer.channels, rank]);
  const rest = layer.kind === 'dense' ? [layer.weight.length / layer.channels] : layer.weightDims.slice(1);
  expect(down).toEqual([rank * groups, ...rest]);
}
