// Devices that do not answer or refuse cost their own place, and are named.
import { describe, expect, it } from 'vitest';
import { fleetOf, type PlanView } from '../../plan/index.ts';
import { completeRequest } from '../../plan/internal.ts';
import { manifestOf } from '../../plan/test-support/manifests.ts';
import type { RunPlan } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';
import { measureDevices } from './measure-devices.ts';
import { ReadyPlans } from './ready-plans.ts';
import { Replanner } from './replanner.ts';

const manifest = manifestOf(
  [
    { layers: [{ gives: 0, size: 400 }] },
    { layers: [{ reads: 0, gives: 1, size: 100 }] },
    { layers: [{ reads: 1 }] },
  ],
  [32, 64],
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
const refused = (message = 'no') => new BedsideError('E_LOST', message);

/** Plans of a room some of whose devices never get ready. */
function room(unready: readonly string[], signal?: AbortSignal) {
  const planner = new Replanner(manifest, fleet, { request, solver: 'policy' });
  const notes: string[] = [];
  const asked: string[][] = [];
  const prepare = async ({ stages }: RunPlan) => {
    const names = new Set(stages.flatMap(({ segments }) => segments.map(({ device: name }) => name)));
    asked.push([...names]);
    return new Map(
      [...names].filter((one) => unready.includes(one)).map((one) => [one, refused(`${one} is mute`)]),
    );
  };
  const plans = new ReadyPlans(planner, { prepare }, { note: (text) => notes.push(text) }, signal);
  const ready = (): Promise<PlanView> =>
    plans.ready(
      () => planner.plan(),
      async () => new BedsideError('E_REQUEST', 'none'),
    );
  return { planner, plans, notes, asked, ready };
}

const devicesOf = ({ stages }: PlanView) =>
  stages.flatMap(({ segments }) => segments.map(({ device: name }) => name));

describe('a plan', () => {
  it('is made anew without devices that are not ready, and they are named', async () => {
    const { ready, plans, notes, asked } = room(['fast']);
    const view = await ready();
    expect(devicesOf(view)).not.toContain('fast');
    expect(devicesOf(view)).toContain('other');
    expect(asked).toHaveLength(2);
    expect(plans.leftOut).toEqual([{ device: 'fast', code: 'E_LOST', message: 'fast is mute' }]);
    expect(notes).toEqual(["left out: 'fast': fast is mute"]);
    // And stays out.
    expect(devicesOf(await ready())).not.toContain('fast');
  });

  it('is refused for what is wrong with the source', async () => {
    const { ready } = room(['slow', 'fast']);
    await expect(ready()).rejects.toMatchObject({ code: 'E_LOST', message: 'slow is mute' });
  });

  it('says nothing more once it was stopped', async () => {
    const control = new AbortController();
    const { ready, notes } = room(['fast'], control.signal);
    control.abort();
    await expect(ready()).rejects.toMatchObject({ message: 'stopped' });
    expect(notes).toEqual([]);
  });
});

describe('measuring', () => {
  it.each([true, false])('goes on without those that fail (together: %s)', async (together) => {
    const measure = async (name: string) => {
      if (name === 'mute') throw refused();
      return { name, sessions: 0, memoryUsed: 0, bytesSent: 0, seconds: {} };
    };
    const { reports, failed } = await measureDevices({ measure }, ['a', 'mute', 'b'], together, () => {});
    expect(reports.map(({ name }) => name)).toEqual(['a', 'b']);
    expect([...failed.keys()]).toEqual(['mute']);
  });

  it('waits for nobody where each is a machine of its own', async () => {
    let end = (): void => {};
    const mute = new Promise<never>((_, reject) => {
      end = () => reject(refused());
    });
    const done: string[] = [];
    const measure = async (name: string) => {
      if (name === 'mute') await mute;
      done.push(name);
      if (done.length === 2) end();
      return { name, sessions: 0, memoryUsed: 0, bytesSent: 0, seconds: {} };
    };
    await measureDevices({ measure }, ['mute', 'a', 'b'], true, () => {});
    expect(done).toEqual(['a', 'b']);
  });
});
