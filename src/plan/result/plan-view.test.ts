import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { completeRequest } from '../input/request.ts';
import { buildProblem } from '../problem/build-instance.ts';
import { outputChannels, segmentsOf } from '../problem/segments.ts';
import { solveByEnumeration } from '../test-support/enumerate.ts';
import { fleetOfDevices } from '../test-support/fleets.ts';
import { chainManifest, residualManifest } from '../test-support/manifests.ts';
import { checkPlan } from './check-plan.ts';
import { viewPlan } from './plan-view.ts';

describe('a plan in words of the bundle and the fleet', () => {
  const fleet = fleetOfDevices([{}, { macsPerSecond: 1e9, resident: ['sketch'] }, { macsPerSecond: 9e8 }]);

  it('of a chain: names, channels and levels', () => {
    const problem = buildProblem(chainManifest(4), fleet, completeRequest({ accuracyFloor: 0.1 }));
    const at = (l: number, devices: readonly number[]) =>
      must(problem.instance.stages[l], 'a stage').sets.findIndex((set) => set.join() === devices.join());
    const decisions = [
      { set: at(0, [0]), inner: 0, level: 1 },
      { set: at(1, [1, 2]), inner: 0, level: 3 },
      { set: at(2, [1]), inner: 0, level: 0 },
      { set: at(3, [0]), inner: 0, level: 0 },
    ];
    const view = viewPlan(problem, decisions);
    expect(view.levels).toEqual([1, 3, 0]);
    expect(view.variant).toBeNull();
    // Group 1 has 32 channels, a quarter of them at level 3: two blocks of 4.
    expect(view.stages.map(({ index, level, segments }) => [index, level, segments])).toEqual([
      [0, 1, [{ device: 'd0', from: 0, to: 12 }]],
      [
        1,
        3,
        [
          { device: 'd1', from: 0, to: 4 },
          { device: 'd2', from: 4, to: 8 },
        ],
      ],
      [2, 0, [{ device: 'd1', from: 0, to: 64 }]],
      [3, 0, [{ device: 'd0', from: 0, to: 5 }]],
    ]);
    const check = checkPlan(problem.instance, decisions);
    expect([view.latency, view.objective, view.accuracy]).toEqual([
      check.latency,
      check.objective,
      check.accuracy,
    ]);
    for (const { start, end, wait, transfer, compute } of view.stages) {
      expect(start + wait + transfer + compute).toBeCloseTo(end, 12);
    }
    const [first, second] = view.devices;
    expect([first?.toLoad, second?.toLoad]).toEqual([first?.weightBytes, 0]);
    expect(second?.weightBytes).toBeGreaterThan(0);
  });

  it('of partial sums: blocks of the channels inside', () => {
    const manifest = residualManifest();
    expect(outputChannels(manifest, 1, [0, 2, 0])).toBe(16);
    expect(outputChannels(manifest, 3, [0, 0, 0])).toBe(5);
  });

  it('of a certified plan: the accuracy that was measured', () => {
    const manifest = chainManifest(3, { ratios: [0, 0.5] });
    const problem = buildProblem(
      manifest,
      fleet,
      completeRequest({
        levels: 'certified',
        accuracyFloor: 0.5,
        weights: { time: 1, energy: 0, accuracy: 0, per: 'local' },
      }),
    );
    const view = viewPlan(problem, must(solveByEnumeration(problem.instance).decisions, 'a plan'));
    expect(view.variant).toBe(1);
    expect(view.levels).toEqual([1, 1]);
    expect(view.accuracy).toBe(manifest.variants[1]?.accuracy);
  });
});

describe('segments', () => {
  it('are contiguous, cover everything, and differ by one at most', () => {
    for (const channels of [1, 5, 64, 67]) {
      for (const count of [1, 2, 4].filter((n) => n <= channels)) {
        const segments = segmentsOf(['a', 'b', 'c', 'd'].slice(0, count), channels);
        expect(segments[0]?.from).toBe(0);
        expect(segments.at(-1)?.to).toBe(channels);
        expect(segments.slice(1).map(({ from }) => from)).toEqual(segments.slice(0, -1).map(({ to }) => to));
        const sizes = segments.map(({ from, to }) => to - from);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(Math.min(...sizes)).toBeGreaterThan(0);
      }
    }
  });
});
