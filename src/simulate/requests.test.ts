// Arrivals against the Poisson process, and mixes against their shares.
import { describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import type { WardParameters } from './parameters.ts';
import { type Arrival, PoissonArrivals } from './requests.ts';

const REQUESTS: WardParameters['requests'] = {
  perSecond: 4,
  kinds: [
    { name: 'a', share: 0.7, deadline: 1 },
    { name: 'b', share: 0.3, deadline: 0.5 },
  ],
  mix: { deviation: 0, seconds: 100 },
  deadlineSpread: 0.2,
};

function draw(count: number, requests: Partial<WardParameters['requests']> = {}, seed = 1): Arrival[] {
  const arrivals = new PoissonArrivals({ ...REQUESTS, ...requests }, 0.2, 3, seed);
  return Array.from({ length: count }, () => arrivals.take());
}

const share = (list: readonly Arrival[], is: (arrival: Arrival) => boolean): number =>
  list.filter(is).length / list.length;

describe('requests', () => {
  const list = draw(20_000);

  it('come as a Poisson process: as many in ten seconds on average as their variance', () => {
    const windows = Math.floor(must(list.at(-1), 'a request').time / 10);
    const counts = new Float64Array(windows);
    for (const { time } of list) {
      const window = Math.floor(time / 10);
      if (window < windows) counts[window] = must(counts[window], 'a window') + 1;
    }
    const mean = counts.reduce((sum, count) => sum + count, 0) / windows;
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / windows;
    // 500 windows of 40: standard errors of 0.28 and of 2.5.
    expect(Math.abs(mean - 40)).toBeLessThan(1.2);
    expect(Math.abs(variance - 40)).toBeLessThan(10);
  });

  it('are of bundles and kinds by their shares', () => {
    for (const bundle of [0, 1, 2]) {
      expect(Math.abs(share(list, (arrival) => arrival.bundle === bundle) - 1 / 3)).toBeLessThan(0.015);
    }
    expect(Math.abs(share(list, ({ kind }) => kind === 1) - 0.3)).toBeLessThan(0.015);
  });

  it('have deadlines spread around those of their kinds', () => {
    for (const [kind, wanted] of [0.2, 0.1].entries()) {
      const own = list.filter((arrival) => arrival.kind === kind).map(({ deadline }) => deadline);
      expect(Math.min(...own)).toBeGreaterThanOrEqual(wanted * 0.8);
      expect(Math.max(...own)).toBeLessThanOrEqual(wanted * 1.2);
      expect(own.reduce((sum, deadline) => sum + deadline, 0) / own.length).toBeCloseTo(wanted, 2);
    }
  });

  it('change their mix slowly when it drifts, around the shares', () => {
    const drifting = draw(40_000, { mix: { deviation: 1, seconds: 50 } });
    const parts = Array.from({ length: 200 }, (_, at) =>
      share(drifting.slice(at * 200, (at + 1) * 200), ({ kind }) => kind === 1),
    );
    const spread = Math.max(...parts) - Math.min(...parts);
    const still = Array.from({ length: 100 }, (_, at) =>
      share(list.slice(at * 200, (at + 1) * 200), ({ kind }) => kind === 1),
    );
    expect(spread).toBeGreaterThan(1.5 * (Math.max(...still) - Math.min(...still)));
  });

  it('are those of their seed', () => {
    expect(draw(50)).toEqual(draw(50));
    expect(draw(50, {}, 2)).not.toEqual(draw(50));
  });
});
