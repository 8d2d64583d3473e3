import { describe, expect, it } from 'vitest';
import { checkPlan } from '../../plan/index.ts';
import { type PlanningInstance, planCosts, randomInstance, type StageDecision } from '../../plan/internal.ts';
import { must } from '../../util/index.ts';
import { allPlans, smallMixture } from '../test-support/plans.ts';
import { Beam } from './beam.ts';
import { CandidatePass, LimitPrices } from './candidate-pass.ts';
import { CandidateProgram } from './candidate-program.ts';
import { Reach } from './reach.ts';
import { Tuner } from './tune.ts';

const everySet = ({ stages }: PlanningInstance): number[][] =>
  stages.map(({ sets }) => sets.map((_, at) => at));
const ALL = { beam: 4000, same: 4000 };

/** The best plan of a program that keeps everything. */
function complete(instance: PlanningInstance): StageDecision[] | undefined {
  const [program, pass, reach, beam, prices] = [
    new CandidateProgram(),
    new CandidatePass(),
    new Reach(),
    new Beam(),
    new LimitPrices(),
  ];
  if (!program.load(instance, everySet(instance)) || !reach.load(program)) return undefined;
  prices.reset(instance.devices.length);
  pass.run(program, prices);
  const found = beam.run(program, pass, reach, ALL);
  if (found) expect(beam.objective).toBeCloseTo(planCosts(instance, found).objective, 9);
  return found;
}

describe('a beam that keeps everything', () => {
  it('finds the best plan of small instances, and none where there is none', () => {
    let [feasible, infeasible] = [0, 0];
    for (let seed = 1; seed <= 80; seed++) {
      const instance = randomInstance(smallMixture(seed));
      let best = Number.POSITIVE_INFINITY;
      for (const plan of allPlans(instance)) {
        const { violations, objective } = checkPlan(instance, plan);
        if (violations.length === 0) best = Math.min(best, objective);
      }
      const found = complete(instance);
      if (best === Number.POSITIVE_INFINITY) {
        expect(found).toBeUndefined();
        infeasible++;
      } else {
        const { violations, objective } = checkPlan(instance, must(found, `a plan of ${seed}`));
        expect(violations).toEqual([]);
        expect(objective).toBeCloseTo(best, 9);
        feasible++;
      }
    }
    expect(feasible).toBeGreaterThan(20);
    expect(infeasible).toBeGreaterThan(5);
  });

  it('may be filled with one request after another of other sizes', () => {
    const sizes = [3, 5, 4].map((stages) =>
      randomInstance({ ...smallMixture(stages), stages, seed: 8, tightness: 0.3 }),
    );
    const program = new CandidateProgram();
    for (const instance of [...sizes, ...sizes]) {
      expect(program.load(instance, everySet(instance))).toBe(true);
      const fresh = new CandidateProgram();
      fresh.load(instance, everySet(instance));
      const reach = [program, fresh].map((own) => {
        const table = new Reach();
        table.load(own);
        const pass = new CandidatePass();
        const prices = new LimitPrices();
        prices.reset(instance.devices.length);
        return pass.run(own, prices);
      });
      expect(reach[0]).toBe(reach[1]);
    }
  });
});

describe('the tuner', () => {
  it('raises a bound that no plan of small instances is below', () => {
    let [tighter, checked] = [0, 0];
    for (let seed = 1; seed <= 60; seed++) {
      const instance = randomInstance({ ...smallMixture(seed), mixedSplits: false, pairs: 0, quads: 0 });
      const program = new CandidateProgram();
      const [reach, pass, prices, tuner] = [new Reach(), new CandidatePass(), new LimitPrices(), new Tuner()];
      if (!program.load(instance, everySet(instance)) || !reach.load(program)) continue;
      prices.reset(instance.devices.length);
      if (!tuner.run(program, pass, prices, 1)) continue;
      const first = tuner.bound;
      tuner.run(program, pass, prices, 40);
      let best = Number.POSITIVE_INFINITY;
      for (const plan of allPlans(instance)) {
        const { violations, objective } = checkPlan(instance, plan);
        if (violations.length === 0) best = Math.min(best, objective);
      }
      // Single devices: a stage's time is exact, so the bound is proven.
      expect(tuner.bound).toBeLessThanOrEqual(best + 1e-9);
      if (tuner.decisions) expect(checkPlan(instance, tuner.decisions).violations).toEqual([]);
      if (tuner.bound > first + 1e-9) tighter++;
      checked++;
    }
    expect(checked).toBeGreaterThan(20);
    expect(tighter).toBeGreaterThan(5);
  });
});
