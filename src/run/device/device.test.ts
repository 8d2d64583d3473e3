import { describe, expect, it } from 'vitest';
import { type Bundle, stageCosts } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { localPlanOf, splitBundle } from '../test-support/bundles.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Device } from './device.ts';

const bundle = splitBundle(canonicalGraph(mixedNet()));
const levels = bundle.manifest.groups.map(() => 1);
const plan = localPlanOf(bundle, 'monitor', levels);
const input = tensor(new Float32Array(72).fill(0.5), [1, 2, 6, 6]);
const { sha256 } = bundle;

/** Bytes of all stages at the levels. */
function costsOf({ manifest }: Bundle): number {
  const costs = manifest.stages.map(({ index }) => stageCosts(manifest, index, levels));
  return (
    costs.reduce((sum, { weightBytes }) => sum + weightBytes, 0) +
    Math.max(...costs.map(({ activationBytes }) => activationBytes))
  );
}

describe('a device', () => {
  /** All stages of a plan as one request; how many runs that took. */
  async function through(device: Device, request: string, plan: RunPlan): Promise<[FloatTensor, number]> {
    let [value, runs] = [input, 0];
    for (let stage = 0; stage < plan.stages.length; runs++) {
      const { output, last } = await device.run(request, { bundle: sha256, plan, stage, segment: 0 }, value);
      [value, stage] = [output, last + 1];
    }
    device.end(request);
    return [value, runs];
  }

  it('keeps sessions from request to request, also for other levels that do not matter to a stage', async () => {
    const device = new Device({ name: 'monitor' }, [bundle]);
    await through(device, 'r1', plan);
    const { sessions } = device.report();
    expect(sessions).toBe(plan.stages.length);
    await device.run('r2', { bundle: sha256, plan, stage: 0, segment: 0 }, input);
    expect(device.report().sessions).toBe(sessions);
    await through(device, 'r3', localPlanOf(bundle, 'monitor', levels.with(-1, 2)));
    const grown = device.report().sessions;
    expect(grown).toBeGreaterThan(sessions);
    expect(grown).toBeLessThan(2 * sessions);
    await device.close();
  });

  it('runs whole stages that follow each other as one, once a plan comes again or is announced', async () => {
    const device = new Device({ name: 'monitor' }, [bundle]);
    const [first, runs] = await through(device, 'r1', plan);
    expect(runs).toBe(plan.stages.length);
    await through(device, 'r2', plan);
    const [same, once] = await through(device, 'r3', plan);
    expect(once).toBe(1);
    expect(largestDifference(same.data, first.data)).toBeLessThan(1e-5);
    expect(device.report().sessions).toBe(plan.stages.length + 1);
    const announced = localPlanOf(bundle, 'monitor', levels.with(0, 0));
    await device.warm(sha256, announced);
    expect((await through(device, 'r4', announced))[1]).toBe(1);
    await device.close();
  });

  it('leaves stages apart as long as others hold the memory for one session of all', async () => {
    const all = costsOf(bundle);
    const device = new Device({ name: 'monitor', memory: all }, [bundle]);
    await through(device, 'r1', plan);
    await device.run('r2', { bundle: sha256, plan, stage: 0, segment: 0 }, input);
    const [, runs] = await through(device, 'r3', plan);
    expect(runs).toBe(plan.stages.length);
    expect((await through(device, 'r4', plan))[1]).toBe(plan.stages.length);
    expect(device.report().memoryUsed).toBeLessThanOrEqual(all);
    // Now no request holds a session, and those of single stages can be released.
    device.end('r2');
    await through(device, 'r5', plan);
    expect((await through(device, 'r6', plan))[1]).toBe(1);
    expect(device.report()).toMatchObject({ sessions: 1, memoryUsed: all });
    await device.close();
  });

  it('measures itself as a fleet has it, and what requests take goes into it', async () => {
    const device = new Device({ name: 'monitor', speed: 0.5 }, [bundle]);
    expect(device.report().seconds).toEqual({});
    await device.measure(sha256);
    expect(device.report().sessions).toBe(0);
    const { stages, ratios, name } = bundle.manifest;
    const table = device.report().seconds[name];
    expect(table?.map((row) => row.length)).toEqual(stages.map(() => ratios.length));
    expect(table?.flat().every((seconds) => seconds > 0)).toBe(true);
    await device.run('r1', { bundle: sha256, plan, stage: 0, segment: 0 }, input);
    const after = device.report().seconds[name];
    expect(after?.slice(1)).toEqual(table?.slice(1));
    expect(after?.[0]).not.toEqual(table?.[0]);
    await device.close();
  });

  it('stops measuring at once when it is told to', async () => {
    const device = new Device({ name: 'monitor' }, [bundle]);
    const measured = device.measure(sha256);
    device.stopMeasuring();
    await expect(measured).rejects.toMatchObject({ code: 'E_LOST' });
    expect(device.report().seconds).toEqual({});
    await device.close();
  });

  it('refuses a plan for want of memory before anything runs, and runs it with just enough', async () => {
    const needed = costsOf(bundle);
    const small = new Device({ name: 'monitor', memory: needed - 1 }, [bundle]);
    await expect(small.warm(sha256, plan)).rejects.toMatchObject({
      code: 'E_DEVICE',
      message: expect.stringMatching(/'monitor' has too little memory/),
    });
    expect(small.report().sessions).toBe(0);
    const enough = new Device({ name: 'monitor', memory: needed }, [bundle]);
    await enough.warm(sha256, plan);
    expect(enough.report().memoryUsed).toBeLessThanOrEqual(needed);
    await enough.close();
  });

  it('refuses a plan that its battery does not last for, and knows when it is spent', async () => {
    const { macs } = stageCosts(bundle.manifest, 0, levels);
    const battery = { name: 'monitor', joulesPerMac: 1, battery: macs };
    const device = new Device(battery, [bundle]);
    expect(() => device.check(sha256, plan)).toThrow(/'monitor' has too little battery/);
    expect(device.spent).toBe(false);
    await device.run('r1', { bundle: sha256, plan, stage: 0, segment: 0 }, input);
    expect(device.report().battery).toBeCloseTo(0);
    device.sent(1);
    expect(device.spent).toBe(true);
    await device.close();
  });

  it('refuses a bundle that it does not hold', () => {
    const device = new Device({ name: 'monitor' }, []);
    expect(() => device.stages('abc')).toThrow(/does not hold bundle abc/);
  });
});
