// Level vectors measured on several threads are measured as on one.
import { describe, expect, it } from 'vitest';
import { findGroups } from '../../channels/index.ts';
import { packModel } from '../pack.ts';
import { PLANTED_PROVENANCE, plantedCriterion, plantedNet, plantedSamples } from '../test-support/planted.ts';
import { Evaluators } from './evaluators.ts';

function packedBy(threads: number, validation = plantedSamples(30, 2)) {
  return packModel(plantedNet(), PLANTED_PROVENANCE, {
    ...{ name: 'planted', calibration: plantedSamples(12, 1), validation, threads },
    ...{ criterion: plantedCriterion('good'), ratios: [0, 0.3, 0.6, 0.9], block: 1, variants: 24 },
    ...{ measureSeconds: false, maxPositions: 128, lowRankFrom: 0.02 },
  });
}

describe('measuring on threads', () => {
  it('gives what measuring one after the other gives', { timeout: 120_000 }, async () => {
    const [one, two] = [await packedBy(1), await packedBy(2)];
    expect(one.contents.manifest.variants.length).toBeGreaterThan(6);
    const figures = ({ contents }: typeof one) =>
      contents.manifest.variants.map(({ levels, accuracy, corrected }) => [
        levels.join(),
        accuracy,
        corrected,
      ]);
    expect(figures(two)).toEqual(figures(one));
    const corrections = ({ contents }: typeof one) =>
      [...contents.tensors].filter(([name]) => /^variant\//.test(name));
    expect(corrections(one).length).toBeGreaterThan(8);
    expect(corrections(two).map(([name]) => name)).toEqual(corrections(one).map(([name]) => name));
    for (const [at, [name, { data }]] of corrections(two).entries()) {
      const same = corrections(one)[at]?.[1].data ?? [];
      data.forEach((value, i) => {
        expect(Math.abs(value - (same[i] as number)), name).toBeLessThan(1e-3);
      });
    }
  });

  it('gives errors of level vectors without measuring them, as measuring does', {
    timeout: 120_000,
  }, async () => {
    const { model, manifest, tensors } = (await packedBy(1)).contents;
    const bundle = { model, manifest, tensors: new Map(tensors), grouping: findGroups(model) };
    const samples = { calibration: plantedSamples(12, 1), validation: plantedSamples(30, 2) };
    const vectors = [
      [2, 0],
      [0, 3],
      [1, 1],
      [3, 3],
    ];
    const found: number[][] = [];
    for (const threads of [1, 2]) {
      const options = { ...samples, name: 'planted', batch: 32, threads, seed: 1, lowRankFrom: 2 };
      const evaluators = await Evaluators.create(bundle, options, 40);
      const errors = await evaluators.errorsOf(vectors);
      const measured = await evaluators.measureAll(vectors, () => undefined);
      for (const [at, { error }] of measured.entries()) expect(errors[at]).toBeCloseTo(error, 9);
      expect(Math.min(...errors)).toBeGreaterThan(0);
      await evaluators.release();
      found.push(errors);
    }
    found[0]?.forEach((error, at) => void expect(found[1]?.[at]).toBeCloseTo(error, 6));
  });

  it('tells what went wrong on a thread', { timeout: 120_000 }, async () => {
    const wrong = plantedSamples(30, 2);
    const validation = { ...wrong, samples: wrong.samples.map((value, i) => (i === 7 ? Number.NaN : value)) };
    await expect(packedBy(2, validation)).rejects.toMatchObject({ code: expect.stringMatching(/^E_/) });
  });
});
