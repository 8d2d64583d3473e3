import { describe, expect, it } from 'vitest';
import { checkPlan } from '../../plan/index.ts';
import { accuracyCost, type PlanningInstance, planCosts, randomInstance } from '../../plan/internal.ts';
import { Random } from '../../util/internal.ts';
import { LimitPrices } from '../policy/candidate-pass.ts';
import { allPlans, smallMixture } from '../test-support/plans.ts';
import { DEAD_END, PlanningEpisode } from './planning-episode.ts';

const everySet = ({ stages }: PlanningInstance): number[][] =>
  stages.map(({ sets }) => sets.map((_, at) => at));

function loaded(instance: PlanningInstance): PlanningEpisode | undefined {
  const episode = new PlanningEpisode();
  const prices = new LimitPrices();
  prices.reset(instance.devices.length);
  return episode.load(instance, everySet(instance), prices, 1) ? episode : undefined;
}

/** Follows a plan as far as masks allow; returns how many stages. */
function follow(
  episode: PlanningEpisode,
  plan: readonly { readonly set: number; readonly level: number }[],
): number {
  episode.reset();
  for (const [l, { set, level }] of plan.entries()) {
    if (episode.done) return l;
    const { program } = episode;
    const rows = Array.from(
      { length: program.count[l] ?? 0 },
      (_, k) => program.setAt[l * program.width + k],
    );
    const k = rows.indexOf(set);
    if (k < 0 || episode.mask[k * program.levels + level] !== 1) return l;
    episode.step(k * program.levels + level);
  }
  return plan.length;
}

describe('masks', () => {
  it('never stand in the way of a plan that keeps every limit', () => {
    let followed = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const instance = randomInstance({ ...smallMixture(seed), inner: 1 });
      const episode = loaded(instance);
      for (const plan of allPlans(instance)) {
        if (checkPlan(instance, plan).violations.length > 0) continue;
        if (!episode) throw new Error(`seed ${seed} has a plan, but nothing to decide`);
        expect(follow(episode, plan)).toBe(plan.length);
        expect(episode.complete).toBe(true);
        expect(episode.objective).toBeCloseTo(planCosts(instance, plan).objective, 9);
        followed++;
      }
    }
    expect(followed).toBeGreaterThan(200);
  });

  it('allow nothing that breaks a limit: whatever is drawn to the end is a plan', () => {
    const random = new Random(5);
    let [ended, dead] = [0, 0];
    for (let seed = 1; seed <= 120; seed++) {
      const instance = randomInstance({ ...smallMixture(seed), stages: 5, devices: 4, pairs: 2, quads: 1 });
      const episode = loaded(instance);
      if (!episode) continue;
      for (let trial = 0; trial < 5; trial++) {
        episode.reset();
        const choices: number[] = [];
        while (!episode.done) {
          const allowed = [...episode.mask.entries()].filter(([, ok]) => ok === 1).map(([action]) => action);
          const action = allowed[random.integer(allowed.length)] ?? 0;
          choices.push(action);
          episode.step(action);
        }
        if (episode.complete) ended++;
        else dead++;
        if (!episode.complete || instance.stages.some(({ inner }) => inner > 1)) continue;
        const { program } = episode;
        const plan = choices.map((action, l) => ({
          set: program.setAt[l * program.width + Math.floor(action / program.levels)] ?? -1,
          inner: 0,
          level: action % program.levels,
        }));
        expect(checkPlan(instance, plan).violations).toEqual([]);
      }
    }
    expect(ended).toBeGreaterThan(100);
    // Several limits at once can still close in: that is what dead ends are for.
    expect(dead).toBeGreaterThan(0);
  });

  it('leave only prefixes of certified variants that can be ended in time', () => {
    const instance = randomInstance({
      stages: 6,
      devices: 3,
      levels: 5,
      seed: 3,
      trunks: 'all',
      tightness: 0.6,
    });
    const episode = loaded(instance);
    if (!episode) throw new Error('nothing to decide');
    episode.reset();
    const first = [...episode.mask.entries()]
      .filter(([, ok]) => ok === 1)
      .map(([a]) => a % episode.program.levels);
    const variants = new Set<number>();
    for (const level of new Set(first)) {
      for (const plan of allPlans({ ...instance, stages: instance.stages.slice(0, 2) })) {
        if (plan[0]?.level === level && plan[1]?.level === level) variants.add(level);
      }
    }
    expect([...new Set(first)].sort()).toEqual([...variants].sort());
    const level = first[0] ?? 0;
    episode.step(episode.mask.indexOf(1));
    const next = [...episode.mask.entries()]
      .filter(([, ok]) => ok === 1)
      .map(([a]) => a % episode.program.levels);
    expect(new Set(next)).toEqual(new Set([level]));
  });
});

describe('rewards', () => {
  it('add up to the objective, less what was promised at the start', () => {
    const random = new Random(9);
    let checked = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const instance = randomInstance({ ...smallMixture(seed), tightness: 0.3, missingLinks: false });
      const episode = loaded(instance);
      if (!episode) continue;
      const totals: number[] = [];
      for (let trial = 0; trial < 4; trial++) {
        episode.reset();
        let sum = 0;
        while (!episode.done) {
          const allowed = [...episode.mask.entries()].filter(([, ok]) => ok === 1).map(([action]) => action);
          sum += episode.step(allowed[random.integer(allowed.length)] ?? 0);
        }
        if (episode.complete) totals.push(sum + episode.objective);
        else expect(sum).toBeLessThanOrEqual(0.5 - DEAD_END);
      }
      // The potential of the start is the same for every trial.
      for (const total of totals) expect(total).toBeCloseTo(totals[0] ?? 0, 9);
      if (totals.length > 0) expect(totals[0]).toBeGreaterThanOrEqual(accuracyCost(instance, 0) - 1e-9);
      checked += totals.length;
    }
    expect(checked).toBeGreaterThan(40);
  });
});
