import { describe, expect, it } from 'vitest';
import { fleetOf } from '../../plan/index.ts';
import { completeRequest } from '../../plan/internal.ts';
import { manifestOf } from '../../plan/test-support/manifests.ts';
import { must } from '../../util/index.ts';
import { Replanner } from './replanner.ts';

const manifest = manifestOf(
  [
    { layers: [{ gives: 0, size: 400 }] },
    { layers: [{ reads: 0, gives: 1, size: 100 }] },
    { layers: [{ reads: 1, gives: 2, size: 100 }] },
    { layers: [{ reads: 2 }] },
  ],
  [32, 64, 64],
);
const device = (name: string, macsPerSecond: number) => ({
  ...{ name, macsPerSecond, memory: 1e9, joulesPerMac: 1e-10, trusted: true },
});
const fleet = fleetOf({
  ...{ format: 'bedside-fleet', version: 1, name: 'room', source: 'slow' },
  devices: [device('slow', 1e5), device('fast', 1e9), device('other', 5e8)],
  network: { channel: 'independent', bytesPerSecond: 1e8, latency: 1e-4 },
});
const request = completeRequest({ levels: 'free', accuracyFloor: 0.1 });
const devicesOf = (view: Awaited<ReturnType<Replanner['plan']>>) =>
  view?.stages.map(({ segments }) => segments.map(({ device: name }) => name).join());

describe('a replanner', () => {
  const open = (freeze?: 'plan' | 'levels') =>
    new Replanner(manifest, fleet, { request, solver: 'policy', freeze });
  const lost = new Set(['fast']);

  it('moves stages of a lost device, and may take other levels', async () => {
    const planner = open();
    expect(devicesOf(await planner.plan())).toContain('fast');
    expect(devicesOf(await planner.plan(lost))).not.toContain('fast');
  });

  it('with a frozen plan has none when a device of it is lost', async () => {
    const planner = open('plan');
    expect(devicesOf(await planner.plan())).toContain('fast');
    expect(await planner.plan(lost)).toBeUndefined();
  });

  it('with frozen levels moves stages and keeps levels', async () => {
    const planner = open('levels');
    const first = await planner.plan();
    const second = await planner.plan(lost);
    expect(second?.levels).toEqual(first?.levels);
    expect(devicesOf(second)).not.toContain('fast');
  });

  it('keeps a pinned plan or its levels until it is unpinned', async () => {
    const planner = open();
    const plan = await planner.plan();
    if (!plan) throw new Error('there is a plan');
    const moved = await planner.plan(lost);
    planner.pin = { scope: 'plan', plan };
    expect([await planner.plan(), await planner.plan(lost)]).toEqual([plan, undefined]);
    planner.pin = { scope: 'levels', plan };
    planner.request = { ...request, accuracyFloor: 0.999 };
    const kept = await planner.plan(lost);
    expect(kept?.levels).toEqual(plan.levels);
    expect(devicesOf(kept)).not.toContain('fast');
    expect([
      planner.allows(plan),
      planner.allows({ ...plan, levels: plan.levels.map((l) => l + 1) }),
    ]).toEqual([true, false]);
    planner.pin = undefined;
    planner.request = request;
    expect(await planner.plan(lost)).toEqual(moved);
  });

  it('says which measured variant chosen levels are, and of others that they are none', async () => {
    const known = must(manifest.variants.at(-1), 'a variant').levels;
    const mix = known.map((level, group) => (group === 0 ? 0 : level));
    const variantOf = async (chosen: readonly number[]) => {
      const options = { solver: 'exact', levels: chosen } as const;
      const certified = { ...request, levels: 'certified' } as const;
      const plan = await new Replanner(manifest, fleet, { request: certified, ...options }).plan();
      expect(plan?.levels).toEqual(chosen);
      return plan?.variant;
    };
    expect([await variantOf(known), await variantOf(mix)]).toEqual([manifest.variants.length - 1, null]);
  });

  it('tries again what failed', async () => {
    const planner = open();
    const broken = { ...fleet, bandwidth: [] };
    planner.fleet = broken;
    const first = await planner.plan().catch((error: unknown) => error);
    expect(first).toBeInstanceOf(Error);
    Object.assign(broken, { bandwidth: fleet.bandwidth });
    expect(devicesOf(await planner.plan())).toContain('fast');
  });

  it('names what stands in the way where there is no plan', async () => {
    const tight = new Replanner(manifest, fleet, {
      request: { ...request, deadline: 1e-6 },
      solver: 'policy',
    });
    expect(await tight.plan()).toBeUndefined();
    expect(await tight.refusal('the network')).toMatchObject({
      code: 'E_REQUEST',
      message: expect.stringContaining('the deadline of 1 µs is too tight'),
    });
  });
});
