// When a bundle gets eight-bit forms without being asked for them.
import { describe, expect, it } from 'vitest';
import { packModel } from '../pack.ts';
import { PLANTED_PROVENANCE, plantedCriterion, plantedNet, plantedSamples } from '../test-support/planted.ts';
import { LEAST_SPEEDUP, MOST_LOST, notWorth, worth } from './worth.ts';

describe('eight bits', () => {
  it('are worth having where they gain enough and lose little', () => {
    expect(notWorth({ speedup: LEAST_SPEEDUP, lost: MOST_LOST })).toBeUndefined();
    expect(notWorth({ speedup: 3, lost: -0.01 })).toBeUndefined();
    expect(notWorth({ speedup: LEAST_SPEEDUP - 0.01, lost: 0 })).toMatch(/1\.24 times as fast.*1\.25/);
    expect(notWorth({ speedup: 0.8 })).toMatch(/0\.80 times/);
    expect(notWorth({ speedup: 3, lost: MOST_LOST + 0.001 })).toMatch(/lose 0\.6 points.*0\.5/);
    expect(worth({ speedup: 3, lost: 0.002 })).toMatch(/3\.00 times as fast here and lose 0\.2 points/);
    expect(worth({ speedup: 3, lost: -0.002 })).toMatch(/lose nothing/);
  });

  it('are tried on the unpruned network, and the manifest says what followed', async () => {
    const model = plantedNet();
    const { contents } = await packModel(model, PLANTED_PROVENANCE, {
      ...{ name: 'planted', calibration: plantedSamples(24, 1), validation: plantedSamples(60, 2) },
      ...{ criterion: plantedCriterion('good'), ratios: [0, 0.5], block: 1, variants: 2, lowRankFrom: 1 },
      eightBit: 'ifWorth',
    });
    const { eightBit, precisionChoice: choice, variants } = contents.manifest;
    expect(choice?.by).toBe('measurement');
    expect(choice?.speedup).toBeGreaterThan(0);
    const figures = { speedup: choice?.speedup ?? 0, lost: choice?.lost };
    expect(eightBit === undefined).toBe(notWorth(figures) !== undefined);
    expect(choice?.reason).toBe(notWorth(figures) ?? worth(figures));
    // What the text calls lost is what the bundle says of its unpruned variant.
    const [unpruned] = variants;
    if (eightBit) {
      expect(choice?.lost).toBe((unpruned?.accuracy ?? 0) - (unpruned?.eightBit?.accuracy ?? 0));
    }
  });

  it('are not tried where nothing is to be timed, nor where precisions were asked for', async () => {
    const choiceOf = async (eightBit: boolean | 'ifWorth') => {
      const { contents, eightBit: left } = await packModel(plantedNet(), PLANTED_PROVENANCE, {
        ...{ name: 'planted', calibration: plantedSamples(9, 1), validation: plantedSamples(15, 2) },
        ...{ criterion: plantedCriterion('good'), ratios: [0, 0.5], block: 1, variants: 2, lowRankFrom: 1 },
        ...{ measureSeconds: false, maxPositions: 64, eightBit },
      });
      return { choice: contents.manifest.precisionChoice, forms: contents.manifest.eightBit?.length, left };
    };
    const untimed = 'nothing was to be timed, so no gain is known';
    expect(await choiceOf('ifWorth')).toEqual({
      choice: { by: 'measurement', reason: untimed },
      forms: undefined,
      left: untimed,
    });
    expect(await choiceOf(false)).toMatchObject({ choice: { by: 'request' }, forms: undefined });
    expect(await choiceOf(true)).toMatchObject({ choice: { by: 'request' }, forms: expect.any(Number) });
  });

  it('are left out where all samples are copies of one, which tell no range', async () => {
    const some = plantedSamples(9, 1);
    const width = some.samples.length / some.size;
    const copies = { ...some, samples: some.samples.map((_, i) => some.samples[i % width] as number) };
    const { contents, eightBit } = await packModel(plantedNet(), PLANTED_PROVENANCE, {
      ...{ name: 'planted', calibration: copies, validation: plantedSamples(15, 2) },
      ...{ criterion: plantedCriterion('good'), ratios: [0, 0.5], block: 1, variants: 2, lowRankFrom: 1 },
      ...{ measureSeconds: false, maxPositions: 64, eightBit: true },
    });
    expect(contents.manifest.eightBit).toBeUndefined();
    expect(contents.manifest.precisionChoice?.reason).toMatch(/all calibration samples are the same/);
    expect(eightBit).toMatch(/all calibration samples are the same/);
  });
});
