// A bundle for eight bits of a depthwise network whose channels have ranges far apart.
import { describe, expect, it } from 'vitest';
import { largestDifference, run } from '../../channels/test-support/net.ts';
import { findCriterion } from '../../prune/index.ts';
import { invertedResidual } from '../../quantize/test-support/inverted-residual.ts';
import { noiseFor } from '../../quantize/test-support/kinds.ts';
import { packModel } from '../pack.ts';
import { PLANTED_PROVENANCE } from '../test-support/planted.ts';

describe('a packed depthwise network', () => {
  it('has equalised channels where eight bits may be used, and answers as before', async () => {
    const model = invertedResidual(2, false, 5);
    const packed = (eightBit: boolean) =>
      packModel(model, PLANTED_PROVENANCE, {
        ...{ name: 'net', calibration: noiseFor(model, 24), validation: noiseFor(model, 40) },
        ...{ criterion: findCriterion('l1'), ratios: [0, 0.5], block: 1, variants: 2, lowRankFrom: 1 },
        ...{ measureSeconds: false, maxPositions: 128, eightBit },
      });
    const [without, found] = [await packed(false), await packed(true)];
    expect(without.equalised).toEqual([]);
    expect(found.equalised).toEqual(['depthwise', 'project']);
    const [exact, same] = [await run(without.contents.model, 10), await run(found.contents.model, 10)];
    const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largestDifference(same, exact)).toBeLessThan(1e-4 * largest);
    // Without equalising, hidden channels of small ranges are lost to one common scale.
    expect(found.contents.manifest.variants[0]?.eightBit?.agreement).toBeGreaterThan(0.8);
  });
});
