// Plans compared at one moment, and what would be planned if something were different: on a fleet of numbers.
import { afterAll, describe, expect, it } from 'vitest';
import { buildProblem, exactPlanner, fleetOf, viewPlan } from '../../plan/index.ts';
import { completeRequest } from '../../plan/internal.ts';
import { manifestOf } from '../../plan/test-support/manifests.ts';
import { must } from '../../util/index.ts';
import { comparePlans, type Moment } from './compare-plans.ts';
import { editedFleet } from './fleet-edit.ts';
import { Outlook } from './outlook.ts';
import { whatIf } from './what-if.ts';

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
const moment: Moment = { fleet, request: completeRequest({ levels: 'free', accuracyFloor: 0.1 }) };
const nothing = { devices: [], links: [] };

async function bestPlan() {
  const problem = buildProblem(manifest, fleet, moment.request);
  const { decisions } = await exactPlanner.plan(problem.instance);
  return viewPlan(problem, must(decisions, 'a plan'));
}

describe('plans of one moment', () => {
  it('have the objective of exact planning, where the plan in use is its own', async () => {
    const plan = await bestPlan();
    const { used, greedy, exact } = await comparePlans(manifest, moment, plan, 5);
    expect(exact).toMatchObject({ status: 'optimal', gap: 0 });
    expect(used.breaks).toEqual([]);
    expect(exact.objective).toBeCloseTo(plan.objective, 12);
    expect(used.objective).toBeCloseTo(plan.objective, 9);
    expect(used.latency).toBeCloseTo(plan.latency, 12);
    expect(greedy.objective).toBeGreaterThanOrEqual((exact.objective ?? 0) - 1e-9);
  });

  it('tell that a device of the plan in use is gone, or has become slow', async () => {
    const plan = await bestPlan();
    const gone = {
      ...moment,
      fleet: editedFleet(fleet, { devices: [{ name: 'fast', away: true }], links: [] }),
    };
    expect((await comparePlans(manifest, gone, plan, 5)).used).toMatchObject({
      objective: null,
      breaks: ['device'],
    });
    const slow = {
      ...moment,
      fleet: editedFleet(fleet, { devices: [{ name: 'fast', speed: 1e-3 }], links: [] }),
    };
    const { used, exact } = await comparePlans(manifest, slow, plan, 5);
    expect(used.objective).toBeGreaterThan(plan.objective);
    expect(exact.objective).toBeLessThan(used.objective ?? 0);
  });
});

describe('what if', () => {
  it('nothing changed: both plans are the same', async () => {
    const { now, changed } = await whatIf(manifest, moment, nothing, 'exact');
    expect(changed).toEqual(now);
    expect(now.devices).toContain('fast');
    expect(now.refused).toBeUndefined();
  });

  it('a device were away, slow or small, or its link cut: another computes', async () => {
    for (const change of [{ away: true }, { speed: 1e-4 }, { memory: 1 }]) {
      const edit = { devices: [{ name: 'fast', ...change }], links: [] };
      const { now, changed } = await whatIf(manifest, moment, edit, 'exact');
      expect(now.devices).toContain('fast');
      expect(changed.devices).not.toContain('fast');
      expect(changed.objective).toBeGreaterThan(now.objective ?? 0);
    }
    const cut = { devices: [], links: [{ from: 'fast', to: 'slow', bytesPerSecond: 0 }] };
    expect((await whatIf(manifest, moment, cut, 'exact')).changed.stages[1]?.devices).not.toContain('fast');
  });

  it('there were no plan: says what would help', async () => {
    const edit = {
      devices: [
        { name: 'fast', away: true },
        { name: 'other', away: true },
      ],
      links: [],
    };
    const { latency, accuracy } = await bestPlan();
    const tight = {
      ...moment,
      request: { ...moment.request, deadline: 1.01 * latency, accuracyFloor: 0.999 * accuracy },
    };
    const { now, changed } = await whatIf(manifest, tight, edit, 'exact');
    expect(now.refused).toBeUndefined();
    expect(changed).toMatchObject({ objective: null, devices: [] });
    expect(changed.refused).toContain('deadline');
  });

  it('refuses devices that are not there, and the source away', async () => {
    for (const edit of [
      { devices: [{ name: 'nobody' }], links: [] },
      { devices: [{ name: 'slow', away: true }], links: [] },
      { devices: [], links: [{ from: 'fast', to: 'fast', bytesPerSecond: 1 }] },
    ]) {
      expect(() => editedFleet(fleet, edit)).toThrow(expect.objectContaining({ code: 'E_REQUEST' }));
    }
  });
});

describe('in a thread', () => {
  const outlook = new Outlook();
  afterAll(() => outlook.close());
  const bundle = { sha256: 'a', manifest };

  it('answers as here, one after another, and refuses more than it can hold', async () => {
    const plan = await bestPlan();
    const here = await comparePlans(manifest, moment, plan, 5);
    const edit = { devices: [{ name: 'fast', away: true }], links: [] };
    const asked = [
      outlook.compare(bundle, moment, plan, 5),
      outlook.whatIf(bundle, moment, edit, 'greedy'),
    ] as const;
    const more = Array.from({ length: 7 }, () => outlook.whatIf(bundle, moment, nothing, 'greedy'));
    await expect(more.at(-1)).rejects.toMatchObject({ code: 'E_BUSY' });
    expect(await asked[0]).toEqual(here);
    expect(await asked[1]).toEqual(await whatIf(manifest, moment, edit, 'greedy'));
    await Promise.all(more.slice(0, -1));
    const unknown = { devices: [{ name: 'nobody' }], links: [] };
    await expect(outlook.whatIf(bundle, moment, unknown, 'greedy')).rejects.toMatchObject({
      code: 'E_REQUEST',
    });
  });
});
