import { describe, expect, it } from 'vitest';
import { stageCosts } from '../bundle/index.ts';
import { tensor } from '../engine/index.ts';
import { canonicalGraph } from '../onnx/index.ts';
import { Device } from './device.ts';
import type { FloatTensor } from './join.ts';
import { localPlanOf, splitBundle } from './test-support/bundles.ts';
import { mixedNet } from './test-support/mixed-net.ts';

const bundle = splitBundle(canonicalGraph(mixedNet()));
const levels = bundle.manifest.groups.map(() => 1);
const plan = localPlanOf(bundle, 'monitor', levels);
const input = tensor(new Float32Array(72).fill(0.5), [1, 2, 6, 6]) as FloatTensor;
const { sha256 } = bundle;

describe('a device', () => {
  it('keeps sessions from request to request, also for other levels that do not matter to a stage', async () => {
    const device = new Device({ name: 'monitor' }, [bundle]);
    await device.warm(sha256, plan);
    const { sessions } = device.report();
    expect(sessions).toBe(plan.stages.length);
    await device.run('r1', sha256, plan, 0, 0, input);
    expect(device.report().sessions).toBe(sessions);
    await device.warm(sha256, localPlanOf(bundle, 'monitor', levels.with(-1, 2)));
    const grown = device.report().sessions;
    expect(grown).toBeGreaterThan(sessions);
    expect(grown).toBeLessThan(2 * sessions);
    await device.close();
  });

  it('measures itself as a fleet has it, and what requests take goes into it', async () => {
    const device = new Device({ name: 'monitor', speed: 0.5 }, [bundle]);
    expect(device.report().seconds).toEqual({});
    await device.measure(sha256);
    const { stages, ratios, name } = bundle.manifest;
    const table = device.report().seconds[name];
    expect(table?.map((row) => row.length)).toEqual(stages.map(() => ratios.length));
    expect(table?.flat().every((seconds) => seconds > 0)).toBe(true);
    await device.run('r1', sha256, plan, 0, 0, input);
    const after = device.report().seconds[name];
    expect(after?.slice(1)).toEqual(table?.slice(1));
    expect(after?.[0]).not.toEqual(table?.[0]);
    await device.close();
  });

  it('refuses a plan for want of memory before anything runs, and runs it with just enough', async () => {
    const costs = bundle.manifest.stages.map(({ index }) => stageCosts(bundle.manifest, index, levels));
    const needed =
      costs.reduce((sum, { weightBytes }) => sum + weightBytes, 0) +
      Math.max(...costs.map(({ activationBytes }) => activationBytes));
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
    await device.run('r1', sha256, plan, 0, 0, input);
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
