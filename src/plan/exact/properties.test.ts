import { describe, expect, it } from 'vitest';
import type { PlanningInstance } from '../problem/instance.ts';
import { randomInstance } from '../random/random-instance.ts';
import { smallInstance } from '../test-support/small-instances.ts';
import { solve } from './solve.ts';

const GAP = 3e-6;
const instances = Array.from({ length: 40 }, (_, i) => {
  const larger = i % 2 === 0 ? {} : { stages: 7, devices: 5, levels: 4, pairs: 4, quads: 1 };
  return smallInstance(100 + i, larger);
});

const optimum = (instance: PlanningInstance): number => {
  const { status, objective } = solve(instance, 'exact');
  expect(['optimal', 'infeasible']).toContain(status);
  return objective;
};

const known = new Map<PlanningInstance, number>();
/** Of an instance that several tests change, found once. */
const unchanged = (instance: PlanningInstance): number => {
  const found = known.get(instance) ?? optimum(instance);
  known.set(instance, found);
  return found;
};

/** Every change of this kind must leave the optimum as it is or improve it, and improve it now and then. */
function neverWorse(change: (instance: PlanningInstance) => PlanningInstance): void {
  let better = 0;
  for (const instance of instances) {
    const [before, after] = [unchanged(instance), optimum(change(instance))];
    expect(after).toBeLessThanOrEqual(before * (1 + GAP));
    if (after < before * (1 - 10 * GAP)) better++;
  }
  expect(better).toBeGreaterThan(0);
}

describe('the optimum', () => {
  it('is never worse with more memory', () => {
    neverWorse((instance) => ({
      ...instance,
      devices: instance.devices.map((device) => ({ ...device, memory: device.memory * 1.5 })),
    }));
  });

  it('is never worse with faster links', () => {
    neverWorse((instance) => ({
      ...instance,
      bandwidth: instance.bandwidth.map((row) => row.map((value) => value * 2)),
    }));
  });

  it('is never worse with a lower floor', () => {
    neverWorse((instance) => ({ ...instance, accuracyFloor: instance.accuracyFloor * 0.97 }));
  });

  it('does not depend on the order of the devices', () => {
    for (const instance of instances) {
      expect(optimum(reversed(instance)) / unchanged(instance) || 1).toBeCloseTo(1, 5);
    }
  });

  it('and its plan are the same at every run, and without hurry', () => {
    const instance = randomInstance({ stages: 12, devices: 6, levels: 5, seed: 7, tightness: 0.8 });
    const [first, second] = [solve(instance, 'exact'), solve(instance, 'exact', { seconds: 1e6 })];
    expect(second).toEqual({ ...first, stats: { ...second.stats, labels: first.stats.labels } });
  });

  it('is found again from what an earlier request left', () => {
    const instance = randomInstance({ stages: 12, devices: 6, levels: 5, seed: 9, tightness: 0.8 });
    const first = solve(instance, 'exact');
    const bandwidth = instance.bandwidth.map((row) => row.slice());
    (bandwidth[1] as Float64Array)[0] = ((bandwidth[1] as Float64Array)[0] as number) / 3;
    (bandwidth[0] as Float64Array)[1] = ((bandwidth[0] as Float64Array)[1] as number) / 3;
    const changed = { ...instance, bandwidth };
    const { multipliers, decisions } = first;
    const warm = solve(changed, 'exact', { warm: { multipliers, decisions } });
    const cold = solve(changed, 'exact');
    expect(warm.objective).toBeCloseTo(cold.objective, 5);
    expect(warm.stats.labels).toBeLessThan(cold.stats.labels);
  });
});

/** The same room with its devices listed from the last to the first. */
function reversed(instance: PlanningInstance): PlanningInstance {
  const last = instance.devices.length - 1;
  const rows = (table: readonly Float64Array[]) => table.toReversed().map((row) => row.toReversed());
  return {
    ...instance,
    devices: instance.devices.toReversed(),
    bandwidth: rows(instance.bandwidth),
    latency: rows(instance.latency),
    source: last - instance.source,
    stages: instance.stages.map((stage) => ({
      ...stage,
      sets: stage.sets.map((set) => set.map((d) => last - d).toReversed()),
    })),
  };
}
