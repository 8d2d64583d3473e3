import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { randomInstance } from '../random/random-instance.ts';
import { checkPlan } from '../result/check-plan.ts';
import { smallInstance } from '../test-support/small-instances.ts';
import { accuracyCost, lossSteps, mayRun, mostSteps, planCosts, transferSeconds } from './cost.ts';
import type { PlanningInstance, StageDecision } from './instance.ts';

/** Any decisions at all; most break something. */
function anyPlan({ stages }: PlanningInstance, random: Random): StageDecision[] {
  return stages.map(({ sets, inner, levelsOut }) => ({
    set: random.integer(sets.length),
    inner: random.integer(inner),
    level: random.integer(levelsOut),
  }));
}

describe('costs of a plan', () => {
  it('are those of the independent check, for plans of every kind', () => {
    const random = new Random(1);
    const seen = { feasible: 0, infeasible: 0 };
    for (let seed = 0; seed < 150; seed++) {
      const instance = smallInstance(seed, { tightness: 0.1 + (seed % 5) / 8 });
      for (let i = 0; i < 10; i++) {
        const plan = anyPlan(instance, random);
        const costs = planCosts(instance, plan);
        const check = checkPlan(instance, plan);
        expect([seed, costs.feasible]).toEqual([seed, check.violations.length === 0]);
        seen[costs.feasible ? 'feasible' : 'infeasible']++;
        if (!Number.isFinite(check.latency)) continue;
        expect(costs.seconds).toBeCloseTo(check.latency, 12);
        expect(costs.objective).toBeCloseTo(check.objective, 12);
        check.devices.forEach(({ weightBytes, activationBytes, energy }, d) => {
          expect(costs.weightBytes[d]).toBeCloseTo(weightBytes, 6);
          expect(costs.activationBytes[d]).toBeCloseTo(activationBytes, 6);
          expect(costs.energy[d]).toBeCloseTo(energy, 12);
        });
      }
    }
    expect(Math.min(seen.feasible, seen.infeasible)).toBeGreaterThan(100);
  });

  it('of a hop: side by side the slowest counts, on one channel the sum', () => {
    const bandwidth = [
      [Infinity, 10, 20],
      [10, Infinity, 5],
      [20, 5, Infinity],
    ].map((row) => Float64Array.from(row));
    const latency = [
      [0, 1, 2],
      [1, 0, 3],
      [2, 3, 0],
    ].map((row) => Float64Array.from(row));
    const arrivals = new Float64Array(2);
    // To 1: from 0 only, 1 + 100/10. To 2: from 0, 2 + 100/20, and from 1, 3 + 100/5.
    transferSeconds({ bandwidth, latency, sharedChannel: false }, [0, 1], [1, 2], 100, arrivals);
    expect([...arrivals]).toEqual([11, 23]);
    // 100/10 + 100/20 + 100/5 and the largest latency.
    transferSeconds({ bandwidth, latency, sharedChannel: true }, [0, 1], [1, 2], 100, arrivals);
    expect([...arrivals]).toEqual([38, 38]);
    transferSeconds({ bandwidth, latency, sharedChannel: true }, [1], [1], 100, arrivals);
    expect(arrivals[0]).toBe(0);
  });

  it('of a hop without a link are infinite, and of no bytes too', () => {
    const bandwidth = [Float64Array.of(Infinity, 0), Float64Array.of(0, Infinity)];
    const latency = [new Float64Array(2), new Float64Array(2)];
    const arrivals = new Float64Array(1);
    transferSeconds({ bandwidth, latency, sharedChannel: false }, [0], [1], 0, arrivals);
    expect(arrivals[0]).toBe(Infinity);
  });
});

describe('accuracy in steps', () => {
  it('is rounded so that the floor is kept', () => {
    const instance = randomInstance({
      stages: 5,
      devices: 3,
      levels: 4,
      seed: 1,
      lossUnit: 0.01,
      loss: 0.05,
    });
    expect([0, 0.01, 0.0101, 0.02].map((loss) => lossSteps(instance, loss))).toEqual([0, 1, 2, 2]);
    expect(mostSteps(instance)).toBe(5);
    const { unprunedAccuracy, accuracyFloor, weights } = instance;
    const [zero, all] = [accuracyCost(instance, 0), accuracyCost(instance, 5)];
    expect(zero).toBeCloseTo(weights.accuracy * (1 - unprunedAccuracy), 12);
    expect(all).toBeCloseTo(weights.accuracy * (1 - accuracyFloor), 12);
  });

  it('has no more steps than the stages can lose, and none below the floor', () => {
    const instance = randomInstance({ stages: 5, devices: 3, levels: 4, seed: 1, lossUnit: 0.01 });
    expect(mostSteps({ ...instance, accuracyFloor: 0 })).toBeLessThan(400);
    expect(mostSteps({ ...instance, accuracyFloor: 0.9 })).toBeLessThan(0);
  });
});

describe('who may run a stage', () => {
  const base = randomInstance({ stages: 4, devices: 3, levels: 2, seed: 1, privacy: 'open' });
  const devices = base.devices.map((device, d) => ({ ...device, trusted: d !== 1 }));
  const seen = (...shares: number[]): PlanningInstance => ({
    ...base,
    devices,
    stages: base.stages.map((stage, l) => ({ ...stage, maxSeen: shares[l] ?? 1 })),
  });

  it('the first: the source alone', () => {
    expect([[0], [2], [0, 2]].map((set) => mayRun(base, 0, set))).toEqual([true, false, false]);
  });

  it('others: an untrusted device must be allowed to see all of what comes in and its share of what goes out', () => {
    expect(mayRun(seen(1, 1), 1, [1])).toBe(true);
    expect(mayRun(seen(0.5, 1), 1, [1])).toBe(false);
    expect(mayRun(seen(1, 0.5), 1, [1])).toBe(false);
    expect(mayRun(seen(1, 0.5), 1, [1, 2])).toBe(true);
    expect(mayRun(seen(0, 0), 1, [0, 2])).toBe(true);
  });

  it('with partial sums a share counts as all', () => {
    const instance = seen(1, 0.5);
    const stages = instance.stages.map((stage) => ({ ...stage, split: 'partial-sums' as const }));
    expect(mayRun({ ...instance, stages }, 1, [1, 2])).toBe(false);
    const none = instance.stages.map((stage) => ({ ...stage, split: 'none' as const }));
    expect(mayRun({ ...instance, stages: none }, 1, [0, 2])).toBe(false);
  });
});
