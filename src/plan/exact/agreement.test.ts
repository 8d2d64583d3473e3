import { describe, expect, it } from 'vitest';
import { rounds } from '../../util/test-support/rounds.ts';
import { highsPlanner } from '../milp/highs.ts';
import { randomInstance } from '../random/random-instance.ts';
import { checkPlan } from '../result/check-plan.ts';
import { bruteForce } from '../test-support/brute-force.ts';
import { mixture, smallInstance } from '../test-support/small-instances.ts';
import { solve } from './solve.ts';

const GAP = 2e-6;
const seeds = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

describe('all plans, the exact search and HiGHS', () => {
  it('find the same on small instances of every kind', async () => {
    const seen = { optimal: 0, infeasible: 0, shared: 0, partial: 0, inner: 0, several: 0 };
    for (const seed of seeds(rounds(30, 300))) {
      const sizes = {
        stages: 3 + Number(seed % 20 === 0),
        devices: 2 + (seed % 2),
        levels: 1 + (seed % 5 === 0 ? 2 : seed % 2),
      };
      const instance = smallInstance(seed, sizes);
      const all = bruteForce(instance);
      const exact = solve(instance, 'exact');
      const highs = await highsPlanner.plan(instance);
      expect([seed, exact.status, highs.status]).toEqual([seed, all.status, all.status]);
      if (all.status === 'infeasible') {
        seen.infeasible++;
        expect([exact.bound, exact.decisions]).toEqual([Number.POSITIVE_INFINITY, undefined]);
        continue;
      }
      seen.optimal++;
      expect(Math.abs(exact.objective / all.objective - 1)).toBeLessThan(GAP);
      expect(Math.abs(highs.objective / all.objective - 1)).toBeLessThan(GAP);
      expect(exact.bound).toBeLessThanOrEqual(all.objective * (1 + 1e-9));
      const check = checkPlan(instance, exact.decisions ?? []);
      expect([seed, check.violations]).toEqual([seed, []]);
      expect(check.objective).toBeCloseTo(exact.objective, 9);
      if (instance.sharedChannel) seen.shared++;
      if (instance.stages.some(({ split }) => split === 'partial-sums')) seen.partial++;
      if (instance.stages.some(({ inner }) => inner > 1)) seen.inner++;
      const wide = exact.decisions?.some(({ set }, l) => (instance.stages[l]?.sets[set]?.length ?? 0) > 1);
      if (wide) seen.several++;
    }
    // A mixture that leaves out a kind proves nothing about it.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(rounds(1, 10));
  });

  it('find the same where all plans are many', () => {
    for (const seed of seeds(rounds(12, 25), 5000)) {
      const instance = smallInstance(seed);
      const all = bruteForce(instance);
      const exact = solve(instance, 'exact');
      expect([seed, exact.status]).toEqual([seed, all.status]);
      if (all.decisions) expect(Math.abs(exact.objective / all.objective - 1)).toBeLessThan(GAP);
    }
  });

  it.each([
    [{ stages: 8, devices: 3, levels: 4, seed: 1, tightness: 0.8 }],
    [{ stages: 7, devices: 4, levels: 4, seed: 2, tightness: 0.5, sharedChannel: true }],
    [{ stages: 7, devices: 4, levels: 3, seed: 3, tightness: 0.4, activations: true, mixedSplits: true }],
    [{ stages: 6, devices: 5, levels: 3, seed: 4, tightness: 0.9, trunks: true, inner: 2 }],
  ])('find the same on larger ones: %o', async (options) => {
    const instance = randomInstance({ pairs: 4, quads: 1, lossUnit: 1e-3, ...options });
    const exact = solve(instance, 'exact');
    const highs = await highsPlanner.plan(instance);
    expect([exact.status, highs.status]).toEqual(['optimal', 'optimal']);
    expect(Math.abs(exact.objective / highs.objective - 1)).toBeLessThan(GAP);
  });

  it('agree on certified variants', () => {
    for (const seed of seeds(rounds(15, 30))) {
      const instance = randomInstance({
        ...mixture(seed, { devices: 2 + (seed % 2) }),
        levels: 2 + (seed % 2),
        trunks: 'all',
        loss: 0.3,
      });
      const all = bruteForce(instance);
      const exact = solve(instance, 'exact');
      expect([seed, exact.status]).toEqual([seed, all.status]);
      if (all.decisions) expect(Math.abs(exact.objective / all.objective - 1)).toBeLessThan(GAP);
    }
  });

  it('bound every budget from below, and name no status that is not proven', () => {
    for (const seed of seeds(rounds(2, 30), 900)) {
      const instance = smallInstance(seed, { levels: 3 });
      const { objective } = bruteForce(instance);
      for (const labels of [1, 40, 400, 4000]) {
        for (const effort of ['beam', 'exact'] as const) {
          const result = solve(instance, effort, { labels });
          expect(result.bound).toBeLessThanOrEqual(objective * (1 + 1e-9));
          expect(result.objective).toBeGreaterThanOrEqual(objective * (1 - 1e-9));
          if (result.status === 'optimal') expect(result.objective / objective - 1).toBeLessThan(GAP);
          if (result.status === 'infeasible') expect(objective).toBe(Number.POSITIVE_INFINITY);
        }
      }
    }
  });
});
