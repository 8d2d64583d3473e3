import { describe, expect, it } from 'vitest';
import { exactPlanner } from '../exact/planners.ts';
import { buildProblem } from '../problem/build-instance.ts';
import { manifestOf } from '../test-support/manifests.ts';
import { randomFleet } from './random-fleet.ts';

const manifest = manifestOf(
  [
    { layers: [{ gives: 0, size: 400 }] },
    { layers: [{ reads: 0, gives: 1, size: 100 }], split: 'outputs' },
    { layers: [{ reads: 1, gives: 2, size: 100 }], split: 'outputs' },
    { layers: [{ reads: 2 }] },
  ],
  [32, 64, 64],
);

describe('random fleets', () => {
  it('are drawn by the seed alone', () => {
    const draw = (seed: number) => randomFleet(manifest, { devices: 6, seed });
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  it.each([2, 5, 12])(
    'of %i devices mostly admit a plan, and have a source that may see all',
    async (devices) => {
      const seeds = [1, 2, 3, 4, 5, 6];
      const found = await Promise.all(
        seeds.map((seed) => {
          const { fleet, request } = randomFleet(manifest, { devices, seed });
          expect(fleet.devices).toHaveLength(devices);
          expect(fleet.devices[fleet.source]?.trusted).toBe(true);
          return exactPlanner.plan(buildProblem(manifest, fleet, request).instance);
        }),
      );
      const optimal = found.filter(({ status }) => status === 'optimal').length;
      expect(optimal).toBeGreaterThanOrEqual(seeds.length - 2);
    },
  );

  it('bind more the tighter they are', () => {
    const loose = randomFleet(manifest, { devices: 4, seed: 1, tightness: 0.4 });
    const tight = randomFleet(manifest, { devices: 4, seed: 1, tightness: 0.9 });
    expect(tight.request.deadline).toBeLessThan(loose.request.deadline);
    tight.fleet.devices.forEach(({ memory }, at) => {
      expect(memory).toBeLessThan(loose.fleet.devices[at]?.memory ?? 0);
    });
  });
});
