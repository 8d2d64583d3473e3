// The two ways to price a plan, written apart from each other, agree on random plans of random instances.
import { describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { planCosts } from './problem/cost.ts';
import type { PlanningInstance, StageDecision } from './problem/instance.ts';
import { randomInstance } from './random/random-instance.ts';
import { checkPlan } from './result/check-plan.ts';

const KINDS = ['plain', 'everything', 'shared channel', 'missing links'] as const;

describe.each(KINDS)('the checker and the costs of solvers: %s', (kind) => {
  it('agree', () => {
    const everything = kind === 'everything' || kind === 'shared channel' || kind === 'missing links';
    let feasible = 0;
    let broken = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const instance = randomInstance({
        stages: 3 + (seed % 4),
        devices: 2 + (seed % 5),
        levels: 3,
        seed,
        tightness: 0.3,
        mixedSplits: everything,
        trunks: everything,
        inner: everything ? 2 : 1,
        activations: everything,
        measured: everything,
        waits: everything,
        privacy: everything ? 'shares' : 'open',
        sharedChannel: kind === 'shared channel',
        missingLinks: kind === 'missing links',
      });
      for (let draw = 0; draw < 30; draw++) {
        const decisions = randomPlan(instance, random, draw % 2 === 0);
        const [check, costs] = [checkPlan(instance, decisions), planCosts(instance, decisions)];
        expect(check.violations.length === 0).toBe(costs.feasible);
        if (costs.feasible) feasible++;
        else broken++;
        same(check.latency, costs.seconds);
        same(check.energy, costs.joules);
        same(check.accuracy, costs.accuracy);
        same(check.objective, costs.objective);
        check.devices.forEach((device, d) => {
          same(device.weightBytes, must(costs.weightBytes[d], 'weights'));
          same(device.activationBytes, must(costs.activationBytes[d], 'activations'));
          same(device.energy, must(costs.energy[d], 'energy'));
        });
        check.stages.forEach(({ start, end }, l) => {
          same(end - start, must(costs.stageSeconds[l], 'seconds'), end);
        });
        same(check.result, costs.returnSeconds);
      }
    }
    // Both kinds of answer must have been compared.
    expect(feasible).toBeGreaterThan(10);
    expect(broken).toBeGreaterThan(10);
  });
});

/** Equal up to rounding of sums in another order. */
function same(a: number, b: number, scale = Math.abs(b)): void {
  if (a === b) return;
  expect(Number.isNaN(a) ? Number.POSITIVE_INFINITY : Math.abs(a - b)).toBeLessThanOrEqual(1e-9 * scale);
}

/** Decisions drawn at random; `tame` keeps everything at the source, unpruned, so that some are feasible. */
function randomPlan({ stages, source }: PlanningInstance, random: Random, tame: boolean): StageDecision[] {
  return stages.map(({ sets, inner, levelsOut }) => {
    const home = sets.findIndex((set) => set.join() === `${source}`);
    const pick = (count: number): number => Math.floor(random.uniform() * count);
    if (tame && home >= 0 && random.uniform() < 0.9) return { set: home, inner: 0, level: 0 };
    return { set: pick(sets.length), inner: pick(inner), level: tame ? 0 : pick(levelsOut) };
  });
}
