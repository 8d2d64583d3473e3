// Requests that let the raw input go to trusted devices: the first stage is then placed like any other.
import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { solve } from '../exact/solve.ts';
import { greedyPlanner, heftPlanner } from '../heuristics/planners.ts';
import { completeRequest, type RequestInput } from '../input/request.ts';
import { highsPlanner } from '../milp/highs.ts';
import { checkPlan } from '../result/check-plan.ts';
import { viewPlan } from '../result/plan-view.ts';
import { bruteForce } from '../test-support/brute-force.ts';
import { fleetOfDevices } from '../test-support/fleets.ts';
import { chainManifest, residualManifest } from '../test-support/manifests.ts';
import { buildProblem } from './build-instance.ts';

const request = (input: RequestInput = {}) =>
  completeRequest(input, { deadline: 10, rawInput: 'trusted', weights: TIME, accuracyFloor: 0 });
const TIME = { time: 1, energy: 0, accuracy: 1, per: 'unit' } as const;

/** A weak source, a strong device and a stronger one that nobody trusts. */
const fleet = fleetOfDevices([
  { name: 'source', macsPerSecond: 1e6 },
  { name: 'station', macsPerSecond: 1e8 },
  { name: 'guest', macsPerSecond: 1e9, trusted: false },
]);

describe('an input that may travel', () => {
  it('goes to a trusted device that is sooner done, and never to another', () => {
    const manifest = chainManifest(4);
    for (const privacy of ['strict', 'late', 'open'] as const) {
      const problem = buildProblem(manifest, fleet, request({ privacy }));
      const found = must(solve(problem.instance, 'exact').decisions, 'a plan');
      const view = viewPlan(problem, found);
      expect([view.source, view.violations]).toEqual(['source', []]);
      expect(view.stages.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
      expect(view.stages[0]).toMatchObject({
        segments: [{ device: 'station' }],
        wire: 'float32',
        bytes: 256,
      });
      expect(view.stages[0]?.transfer).toBeCloseTo(0.0001 + 256 / 1e7, 12);
      const kept = buildProblem(manifest, fleet, { ...request({ privacy }), rawInput: 'source' });
      const alone = viewPlan(kept, must(solve(kept.instance, 'exact').decisions, 'a plan'));
      expect(alone.stages[0]).toMatchObject({ segments: [{ device: 'source' }], bytes: 0 });
      expect(view.latency).toBeLessThan(alone.latency);
    }
  });

  it('stays where it is if the link costs more than the source computes', () => {
    const slow = fleetOfDevices([{ macsPerSecond: 1e8 }, { macsPerSecond: 2e8 }], { bytesPerSecond: 1e3 });
    const problem = buildProblem(chainManifest(3), slow, request());
    const view = viewPlan(problem, must(solve(problem.instance, 'exact').decisions, 'a plan'));
    expect(view.stages.map(({ segments }) => segments.map(({ device }) => device))).toEqual([
      ['d0'],
      ['d0'],
      ['d0'],
    ]);
    const kept = buildProblem(chainManifest(3), slow, { ...request(), rawInput: 'source' });
    const alone = viewPlan(kept, must(solve(kept.instance, 'exact').decisions, 'a plan'));
    expect(view.latency).toBeCloseTo(alone.latency, 12);
  });

  it('waits for nothing itself: a busy source is waited for where it computes', () => {
    const busy = fleetOfDevices([
      { name: 'source', macsPerSecond: 1e6, wait: 5 },
      { name: 'station', macsPerSecond: 1e8 },
    ]);
    const problem = buildProblem(chainManifest(3), busy, request());
    const { decisions, objective } = solve(problem.instance, 'exact');
    const check = checkPlan(problem.instance, must(decisions, 'a plan'));
    expect(check.latency).toBeLessThan(1);
    expect(check.objective).toBeCloseTo(objective, 9);
  });

  it('travels as the integers that the bundle says it is made of', () => {
    const manifest = chainManifest(4);
    const { model } = manifest;
    for (const [integers, bytes] of [
      [8, 64],
      [16, 128],
    ] as const) {
      const made = { ...manifest, model: { ...model, input: { ...model.input, integers } } };
      const problem = buildProblem(made, fleet, request());
      const view = viewPlan(problem, must(solve(problem.instance, 'exact').decisions, 'a plan'));
      expect(view.stages[0]).toMatchObject({ wire: 'integers', bytes });
      const kept = buildProblem(made, fleet, { ...request(), rawInput: 'source' });
      const alone = viewPlan(kept, must(solve(kept.instance, 'exact').decisions, 'a plan'));
      expect(alone.stages[0]).toMatchObject({ wire: 'float32', bytes: 0 });
    }
  });

  it('is planned by exact search and HiGHS as by looking at all plans', async () => {
    let away = 0;
    for (let seed = 1; seed <= 24; seed++) {
      const random = new Random(seed);
      const between = (low: number, high: number) => low * (high / low) ** random.uniform();
      const devices = Array.from({ length: 3 }, (_, d) => ({
        macsPerSecond: between(1e6, 1e8),
        joulesPerMac: between(1e-10, 1e-8),
        wait: random.uniform() < 0.3 ? 0.002 : 0,
        trusted: d === 0 || random.uniform() < 0.7,
      }));
      const given = fleetOfDevices(devices, {
        bytesPerSecond: between(1e4, 1e7),
        channel: seed % 3 === 0 ? 'shared' : 'independent',
      });
      const manifest = seed % 2 === 0 ? chainManifest(3) : residualManifest({ ratios: [0, 0.5] });
      const { instance } = buildProblem(
        manifest,
        given,
        request({ privacy: 'open', weights: { time: 1, energy: 1, accuracy: 0.1, per: 'unit' } }),
        { pairs: 1, quads: 0 },
      );
      const all = bruteForce(instance);
      const exact = solve(instance, 'exact');
      const highs = await highsPlanner.plan(instance);
      expect([seed, exact.status, highs.status]).toEqual([seed, 'optimal', 'optimal']);
      expect(Math.abs(exact.objective / all.objective - 1)).toBeLessThan(2e-6);
      expect(Math.abs(highs.objective / all.objective - 1)).toBeLessThan(2e-6);
      for (const planner of [greedyPlanner, heftPlanner]) {
        const { decisions } = await planner.plan(instance);
        if (decisions) expect([seed, checkPlan(instance, decisions).violations]).toEqual([seed, []]);
      }
      const first = instance.stages[1]?.sets[exact.decisions?.[1]?.set ?? -1] ?? [];
      expect(first.every((d) => given.devices[d]?.trusted)).toBe(true);
      if (first[0] !== 0) away++;
    }
    expect(away).toBeGreaterThan(5);
    expect(away).toBeLessThan(24);
  });
});
