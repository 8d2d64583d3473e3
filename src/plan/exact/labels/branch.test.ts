import { describe, expect, it } from 'vitest';
import { smallInstance } from '../../test-support/small-instances.ts';
import { reducedPrices } from '../bounds/accuracy-dp.ts';
import { fixArcs } from '../bounds/arc-fixing.ts';
import { LagrangianPass } from '../bounds/lagrangian-pass.ts';
import { lagrangianRoot } from '../bounds/root.ts';
import { constraintsOf } from '../graph/constraints.ts';
import { buildLayeredGraph } from '../graph/graph.ts';
import { Incumbent } from '../incumbent.ts';
import { SearchBudget } from '../search-budget.ts';
import { solve } from '../solve.ts';
import { branchAndBound, tighten } from './branch.ts';

const INFINITE = Number.POSITIVE_INFINITY;

describe('branching', () => {
  it('finds what labels alone find when they settle hardly anything', () => {
    // So little that small instances are divided again and again, first without the grid.
    const share = { labels: 6, beam: 2, tableArcs: 25 };
    let divided = 0;
    let plans = 0;
    for (let seed = 0; seed < 80; seed++) {
      const sizes = {
        stages: 6,
        devices: 4,
        levels: 4,
        tightness: 0.5 + (seed % 4) / 10,
        privacy: 'open',
      } as const;
      const instance = smallInstance(seed, sizes);
      const { objective, stats } = solve(instance, 'exact');
      // Its own branching has had nothing to do.
      expect(stats.nodes ?? 0).toBeLessThan(4);
      const graph = buildLayeredGraph(instance);
      if (!graph) continue;
      const incumbent = new Incumbent(graph);
      const pricing = new LagrangianPass(graph, constraintsOf(graph));
      const work = new SearchBudget(INFINITE, INFINITE, undefined);
      // Prices from a root that finds no plans of its own.
      const root = lagrangianRoot(pricing, new Incumbent(graph), { passes: 4, upperBound: INFINITE });
      const reduced = root.bound < INFINITE ? fixArcs(pricing, root.prices, INFINITE, 1e6) : 'empty';
      if (typeof reduced !== 'string') {
        const prices = { rows: reducedPrices(reduced, root.prices.rows), step: root.prices.step };
        const window = tighten(reduced, prices, incumbent, INFINITE, work, share.tableArcs);
        if ('tuned' in window) {
          const bounds: number[] = [];
          const report = (bound: number) => bounds.push(bound);
          const { nodes } = branchAndBound(window, INFINITE, incumbent, work, report, share);
          divided += Number(nodes > 1);
          // Best first: bounds only rise, and never above the optimum.
          expect(bounds).toEqual(bounds.toSorted((a, b) => a - b));
          expect(Math.max(...bounds, -INFINITE)).toBeLessThanOrEqual(objective * (1 + 2e-6));
        }
      }
      if (objective === INFINITE) expect(incumbent.decisions).toBeUndefined();
      else expect(Math.abs(incumbent.objective / objective - 1)).toBeLessThan(2e-6);
      plans += Number(objective < INFINITE);
    }
    expect(plans).toBeGreaterThan(20);
    expect(divided).toBeGreaterThan(10);
  });
});
