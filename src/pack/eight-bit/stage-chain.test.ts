// Stages measured one at a time, behind what comes into them, give what the whole chain gives.
import { describe, expect, it } from 'vitest';
import { packModel } from '../pack.ts';
import { PLANTED_PROVENANCE, plantedCriterion, plantedNet, plantedSamples } from '../test-support/planted.ts';
import { type LoneMode, StageChain } from './stage-chain.ts';

describe('a chain of stages', () => {
  it('gives the same for one stage at a time, whatever is computed once for all', async () => {
    const { contents } = await packModel(plantedNet(), PLANTED_PROVENANCE, {
      ...{ name: 'planted', calibration: plantedSamples(9, 1), validation: plantedSamples(15, 2) },
      ...{ criterion: plantedCriterion('good'), ratios: [0, 0.5], block: 1, variants: 2, lowRankFrom: 1 },
      ...{ measureSeconds: false, maxPositions: 64, eightBit: true },
    });
    const { model, manifest } = contents;
    const forms = manifest.eightBit ?? [];
    const ranges = new Map(forms.flatMap(({ values }) => values).map((name) => [name, { low: -3, high: 3 }]));
    const chain = new StageChain(
      { model, stages: manifest.stages, forms, ranges },
      { name: 'planted', threads: 1, batch: 4 },
    );
    const modes = manifest.stages.flatMap(({ index }): LoneMode[] =>
      index === 0 ? [{ stage: 0, int8: true }] : [true, false].map((int8) => ({ stage: index, int8 })),
    );
    expect(modes.length).toBeGreaterThan(2);
    const samples = plantedSamples(10, 3);
    const found = await chain.scoresAlone(samples, modes);
    for (const [at, { stage, int8 }] of modes.entries()) {
      const whole = await chain.scores(samples, {
        int8: (l) => int8 && l === stage,
        rounded: (l) => l === stage,
      });
      expect(found[at], `stage ${stage}, ${int8 ? 'int8' : 'rounded input'}`).toEqual(whole);
    }
    // The roundings are not nothing.
    const exact = await chain.scores(samples, { int8: () => false, rounded: () => false });
    expect(found.some((scores) => scores.some((value, i) => value !== exact[i]))).toBe(true);
    await chain.release();
  });
});
