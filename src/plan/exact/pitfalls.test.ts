// Four mistakes that an earlier search of this kind made.
import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { rounds } from '../../util/test-support/rounds.ts';
import { highsPlanner } from '../milp/highs.ts';
import { buildModel, pathOfValues } from '../milp/model.ts';
import { planCosts } from '../problem/cost.ts';
import { randomInstance } from '../random/random-instance.ts';
import { bruteForce } from '../test-support/brute-force.ts';
import { smallInstance } from '../test-support/small-instances.ts';
import { reducedPrices, tuneTables } from './bounds/accuracy-dp.ts';
import { fixArcs } from './bounds/arc-fixing.ts';
import { LagrangianPass } from './bounds/lagrangian-pass.ts';
import { lagrangianRoot } from './bounds/root.ts';
import { constraintsOf } from './graph/constraints.ts';
import { buildLayeredGraph } from './graph/graph.ts';
import { Incumbent } from './incumbent.ts';
import { SearchBudget } from './search-budget.ts';
import { solve } from './solve.ts';

const NEVER = { labels: Number.POSITIVE_INFINITY, seconds: Number.POSITIVE_INFINITY };

describe('pitfalls', () => {
  it('a bound on a graph reduced at a threshold says nothing above the threshold', () => {
    let above = 0;
    for (let seed = 0; seed < rounds(12, 60); seed++) {
      const instance = smallInstance(seed, { levels: 2, tightness: 0.6 });
      const { objective } = bruteForce(instance);
      const graph = buildLayeredGraph(instance);
      if (!graph || objective === Number.POSITIVE_INFINITY) continue;
      const incumbent = new Incumbent(graph);
      const pricing = new LagrangianPass(graph, constraintsOf(graph));
      const root = lagrangianRoot(pricing, incumbent, { passes: 30, upperBound: Number.POSITIVE_INFINITY });
      const threshold = root.bound + 0.3 * (objective - root.bound);
      const reduced = fixArcs(pricing, root.prices, threshold, 1e6);
      if (typeof reduced === 'string') continue;
      const work = new SearchBudget(NEVER.labels, NEVER.seconds, undefined);
      const from = reducedPrices(reduced, root.prices.rows);
      const { best } = tuneTables(reduced, from, new Incumbent(graph), Number.POSITIVE_INFINITY, 40, work);
      // The table alone may claim more than is true: the optimum was cut away.
      if (best.bound > objective) above++;
      expect(Math.min(best.bound, threshold)).toBeLessThanOrEqual(objective);
      for (const labels of [50, 500, 5000]) {
        const { bound } = solve(instance, 'exact', { labels });
        expect(bound).toBeLessThanOrEqual(objective * (1 + 1e-9));
      }
    }
    expect(above).toBeGreaterThan(0);
  });

  it('no plan yet is not a gap of nothing', () => {
    const instance = randomInstance({ stages: 16, devices: 8, levels: 5, seed: 3, tightness: 0.9 });
    const result = solve(instance, 'exact', { labels: 1 });
    expect([result.status, result.decisions, result.objective]).toEqual(['unknown', undefined, Infinity]);
    expect(result.bound).toBeLessThan(Infinity);
  });

  it('only a search of everything says infeasible', () => {
    // Two weights of 60 % of either memory fit nowhere as three, but do as fractions: prices alone prove nothing.
    const base = randomInstance({
      stages: 4,
      devices: 2,
      levels: 1,
      seed: 1,
      tightness: 0.1,
      privacy: 'open',
      pairs: 0,
      quads: 0,
    });
    const stages = base.stages.map((stage, l) => ({
      ...stage,
      weightBytes: Float64Array.of(l === 0 ? 0 : 60),
    }));
    const devices = base.devices.map((device) => ({ ...device, memory: 100, trusted: true, energy: 1e9 }));
    const instance = { ...base, stages, devices, deadline: 1e6 };
    expect(bruteForce(instance).status).toBe('infeasible');
    expect(solve(instance, 'exact').status).toBe('infeasible');
    expect(solve(instance, 'exact', { labels: 1 }).status).toBe('unknown');
    // With room for all of it, the only plan costs far more than the root's bound lets hope.
    const enough = {
      ...instance,
      devices: devices.map((device, d) => ({ ...device, memory: d === 0 ? 180 : 50 })),
    };
    expect(solve(enough, 'exact').status).toBe('optimal');
  });

  it("a path of HiGHS's is evaluated anew", async () => {
    const instance = randomInstance({
      stages: 4,
      devices: 3,
      levels: 2,
      seed: 5,
      tightness: 0.8,
      pairs: 2,
      quads: 0,
    });
    const { decisions, objective } = await highsPlanner.plan(instance);
    expect(planCosts(instance, must(decisions, 'a plan')).objective).toBe(objective);
    // Values that stand for a path which breaks a limit, as a tolerance might let pass.
    const tight = { ...instance, deadline: planCosts(instance, must(decisions, 'a plan')).seconds * 0.999 };
    const graph = must(buildLayeredGraph(tight), 'a graph');
    const model = buildModel(graph);
    const values = new Float64Array(model.program.columns.length);
    must(decisions, 'a plan').forEach(({ set, level }, l) => {
      const layer = must(graph.layers[l], 'a layer');
      values[must(model.run[l], 'columns')[layer.setAt.indexOf(set) * layer.levels + level] ?? 0] = 1;
    });
    const incumbent = new Incumbent(graph);
    expect(incumbent.offer(pathOfValues(graph, model, values), objective)).toBe(false);
    expect(incumbent.decisions).toBeUndefined();
  });
});
