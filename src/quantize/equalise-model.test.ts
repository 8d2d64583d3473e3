// Channels of a float32 network equalised before it is packed: what eight bits gain, and that nothing else changes.
import { describe, expect, it } from 'vitest';
import { largestDifference, run } from '../channels/test-support/net.ts';
import { atOnce } from '../util/internal.ts';
import { calibratedRanges } from './calibrate.ts';
import { equaliseModel } from './equalise-model.ts';
import { eightBitForm, eightBitPlaces } from './stored-ranges.ts';
import { invertedResidual } from './test-support/inverted-residual.ts';
import { noiseFor } from './test-support/kinds.ts';

const RUN = { name: 'net', batch: 16, threads: 1, seed: 1 };

describe('a network with equalised channels', () => {
  it('answers as before, and comes much nearer in eight bits', async () => {
    const given = invertedResidual(2, false, 5);
    const calibration = noiseFor(given, 32);
    const { model, layers } = await equaliseModel(given, calibration, RUN);
    expect(layers).toEqual(['depthwise', 'project']);
    const exact = await run(given, 20);
    const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largestDifference(await run(model, 20), exact)).toBeLessThan(1e-5 * largest);
    const lost = async (of: typeof model): Promise<number> => {
      const { layers: all, values } = eightBitPlaces(of);
      const ranges = await calibratedRanges(of, values, calibration, RUN);
      return largestDifference(await run(atOnce(eightBitForm(of, new Set(all), ranges, false)), 20), exact);
    };
    expect(await lost(model)).toBeLessThan(0.3 * (await lost(given)));
  });

  it('is the given one where channels are alike, and where a Clip would cut elsewhere', async () => {
    for (const given of [invertedResidual(0, false, 5), invertedResidual(2, true, 5)]) {
      const { model, layers } = await equaliseModel(given, noiseFor(given, 32), RUN);
      if (layers.length === 0) expect(model).toBe(given);
      expect(layers).toEqual([]);
    }
  });
});
