// One suite for every planner: its plans keep all constraints by the independent checker, cost what it says, and are
// never better than the best of all plans.
import { describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import { beamPlanner, exactPlanner } from './exact/planners.ts';
import {
  distributeOnlyPlanner,
  greedyPlanner,
  heftPlanner,
  localPlanner,
  pruneOnlyPlanner,
  randomPlanner,
} from './heuristics/planners.ts';
import { onSource, unpruned } from './heuristics/restrict.ts';
import { solveGreedy, solveLocal } from './heuristics/solutions.ts';
import { completeRequest, type RequestInput } from './input/request.ts';
import type { Planner, PlannerResult } from './planner.ts';
import { buildProblem, type PlanningProblem } from './problem/build-instance.ts';
import type { PlanningInstance } from './problem/instance.ts';
import { checkPlan } from './result/check-plan.ts';
import { solveByEnumeration } from './test-support/enumerate.ts';
import { type DeviceSketch, fleetOfDevices } from './test-support/fleets.ts';
import { chainManifest, residualManifest } from './test-support/manifests.ts';

/** Every planner; the restricted ones are exact about what they may change. */
const PLANNERS: readonly Planner[] = [
  exactPlanner,
  beamPlanner,
  greedyPlanner,
  heftPlanner,
  localPlanner,
  distributeOnlyPlanner(exactPlanner),
  pruneOnlyPlanner(exactPlanner),
  randomPlanner(1),
];

const ratios = [0, 0.5];
const devices: DeviceSketch[] = [
  { wait: 0.001 },
  { macsPerSecond: 1e9, energy: 0.05 },
  { macsPerSecond: 4e9, trusted: false },
];
const problem = (
  manifest: PlanningProblem['manifest'],
  fleet: readonly DeviceSketch[],
  input: RequestInput,
  channel: 'independent' | 'shared' = 'independent',
) => buildProblem(manifest, fleetOfDevices(fleet, { channel }), completeRequest(input, { deadline: 1 }));

const weights = { time: 1, energy: 0.25, accuracy: 0.5, per: 'local' } as const;
const PROBLEMS: [string, PlanningProblem][] = [
  [
    'a chain',
    problem(chainManifest(4, { ratios }), devices, { privacy: 'open', accuracyDrop: 0.2, weights }),
  ],
  [
    'a chain on one radio channel',
    problem(chainManifest(4, { ratios }), devices, { privacy: 'late' }, 'shared'),
  ],
  [
    'a residual network',
    problem(residualManifest({ ratios }), devices, { privacy: 'strict', accuracyDrop: 0.2 }),
  ],
  [
    'little memory at the source',
    problem(chainManifest(4, { ratios }), [{ memory: 60_000 }, ...devices.slice(1)], { accuracyDrop: 0.1 }),
  ],
  [
    'certified levels',
    problem(chainManifest(4, { ratios }), devices, {
      levels: 'certified',
      accuracyDrop: 0.2,
      privacy: 'open',
    }),
  ],
  ['a deadline that nothing keeps', problem(chainManifest(4, { ratios }), devices, { deadline: 1e-5 })],
];

describe.each(PROBLEMS)('%s', (name, { instance }) => {
  const best = solveByEnumeration(instance);

  it('has the best plan that its name says', () => {
    expect(best.status).toBe(name === 'a deadline that nothing keeps' ? 'infeasible' : 'optimal');
  });

  it.each(PLANNERS.map((planner) => [planner.name, planner] as const))('%s', async (solver, planner) => {
    const solution = await planner.plan(instance);
    expect(await planner.plan(instance)).toMatchObject(withoutStats(solution));
    if (solver === 'exact') expect(solution.status).toBe(best.status);
    expect(solution.bound).toBeLessThanOrEqual(best.objective + 1e-9);
    if (!solution.decisions) {
      // Nothing found is nothing proven, unless it is the whole program that was searched.
      expect(['unknown', 'infeasible']).toContain(solution.status);
      if (solution.status === 'infeasible') expect(best.status).toBe('infeasible');
      if (!['exact', 'beam'].includes(solver)) expect(solution.status).toBe('unknown');
      expect(solution.objective).toBe(Number.POSITIVE_INFINITY);
      return;
    }
    const check = checkPlan(instance, solution.decisions);
    expect(check.violations).toEqual([]);
    expect(solution.objective).toBeCloseTo(check.objective, 9);
    expect(solution.objective).toBeGreaterThanOrEqual(best.objective - 1e-9);
    if (solution.status === 'optimal') expect(solution.objective).toBeCloseTo(best.objective, 9);
    const used = solution.decisions.map(({ set }, l) => instance.stages[l]?.sets[set]);
    if (solver === 'local' || solver === 'prune-only') {
      expect(used.every((set) => `${set}` === `${instance.source}`)).toBe(true);
    }
    if (solver === 'local' || solver === 'distribute-only') {
      expect(solution.decisions.every(({ inner, level }) => inner === 0 && level === 0)).toBe(true);
    }
  });
});

/** What must repeat; times do not. */
function withoutStats({ stats: _, ...solution }: PlannerResult): Partial<PlannerResult> {
  return solution;
}

describe('what the solvers are for', () => {
  const instanceOf = (name: string): PlanningInstance =>
    must(PROBLEMS.find(([other]) => other === name)?.[1], name).instance;

  it('greedy finds a plan wherever there is one here, near the best', () => {
    for (const [, { instance }] of PROBLEMS) {
      const best = solveByEnumeration(instance);
      if (best.status === 'infeasible') continue;
      expect(solveGreedy(instance).objective).toBeLessThan(best.objective * 1.1);
    }
  });

  it('the best plan both prunes and distributes: neither alone comes near', async () => {
    const instance = instanceOf('a chain');
    const best = solveByEnumeration(instance).objective;
    for (const make of [distributeOnlyPlanner, pruneOnlyPlanner]) {
      expect((await make(exactPlanner).plan(instance)).objective).toBeGreaterThan(best * 1.05);
    }
  });

  it('prune-only and distribute-only are the best of their kind', async () => {
    for (const [, { instance }] of PROBLEMS) {
      const pruned = await pruneOnlyPlanner(exactPlanner).plan(instance);
      expect(pruned.objective).toBeCloseTo(solveByEnumeration(onSource(instance)).objective, 9);
      const distributed = await distributeOnlyPlanner(exactPlanner).plan(instance);
      expect(distributed.objective).toBeCloseTo(solveByEnumeration(unpruned(instance)).objective, 9);
    }
  });

  it('random plans differ by seed, and are found wherever there are plans here', async () => {
    const instance = instanceOf('a chain');
    const plans = await Promise.all([1, 2, 3].map((seed) => randomPlanner(seed).plan(instance)));
    expect(new Set(plans.map(({ decisions }) => JSON.stringify(decisions))).size).toBeGreaterThan(1);
    for (const [name, { instance: other }] of PROBLEMS) {
      const { decisions } = await randomPlanner(1).plan(other);
      expect(decisions !== undefined).toBe(name !== 'a deadline that nothing keeps');
    }
  });

  it('without memory at the source there is no local plan, but a distributed one', () => {
    const instance = instanceOf('little memory at the source');
    expect(solveLocal(instance).status).toBe('unknown');
    expect(solveGreedy(instance).status).toBe('gap');
  });
});
