// The demo's ward as it is served, over local sockets and over a real NATS server: monitors are answered, devices are killed
// and come back, a link is throttled.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { canonicalGraph, sizeOf } from '../../onnx/internal.ts';
import { fleetOf } from '../../plan/index.ts';
import type { NatsAccess } from '../../run/index.ts';
import { hasNatsServer, OpenServer } from '../../run/nats/test-support/nats-server.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { mixedNet } from '../../run/test-support/mixed-net.ts';
import { Random } from '../../util/internal.ts';
import { LONG } from '../../util/test-support/rounds.ts';
import { type ServedDemo, serveDemo } from './serve-demo.ts';

const DEVICES = ['watch', 'tablet', 'monitor'];

let folder: string;
let bundle: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-demo-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A ward whose source is slow, so that plans use another device. */
function ward() {
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'demo',
    source: 'watch',
    devices: DEVICES.map((name, i) => ({
      ...{ name, macsPerSecond: 1e5 * [2, 4000, 1000][i]!, memory: 5e7, joulesPerMac: 1e-9, trusted: true },
    })),
    network: { channel: 'independent', bytesPerSecond: 2e7, latency: 0.001 },
    request: { deadline: 5 },
  });
}

function samples() {
  const random = new Random(1);
  const size = 4;
  const length = size * sizeOf(bundle.manifest.model.input.shape);
  return { size, samples: Float32Array.from({ length }, () => random.normal()) };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(50);
}

async function walk(nats: NatsAccess | undefined): Promise<void> {
  const events: string[] = [];
  const onEvent = (text: string): void => void events.push(text);
  const options = {
    bundle: bundle.dir,
    fleet: ward(),
    samples: samples(),
    nats,
    port: 0,
    dashboard: true,
    onEvent,
  };
  await using demo = await serveDemo(options);
  const state = async () =>
    (await (await fetch(`${demo.url}/api/demo`)).json()) as {
      devices: { name: string; runs: boolean; canEnd: boolean }[];
      throttled: { from: string; to: string } | null;
    };
  const act = (what: object): Promise<Response> =>
    fetch(`${demo.url}/api/demo`, {
      method: 'POST',
      headers: { ...SAME, 'content-type': 'application/json' },
      body: JSON.stringify(what),
    });
  await answered(demo, 3);
  expect((await state()).devices).toEqual(DEVICES.map((name, i) => ({ name, runs: true, canEnd: i > 0 })));
  expect((await act({ kill: 'watch' })).status).toBe(400);
  expect((await act({ kill: 'tablet' })).status).toBe(200);
  await until(async () => (await state()).devices.some(({ name, runs }) => name === 'tablet' && !runs));
  // The ward goes on without it.
  await answered(demo, 5);
  expect((await act({ kill: 'tablet' })).status).toBe(400);
  expect((await act({ revive: 'tablet' })).status).toBe(200);
  await until(async () => (await state()).devices.every(({ runs }) => runs));
  expect((await act({ throttle: true })).status).toBe(200);
  expect((await state()).throttled).toMatchObject({ from: 'watch' });
  await answered(demo, 3);
  expect((await act({ throttle: false })).status).toBe(200);
  expect((await state()).throttled).toBeNull();
  expect(events).toEqual([
    'tablet is killed',
    'tablet is started again',
    expect.stringMatching(/^the link from watch to \w+ has a twentieth/),
    'the link has its speed again',
  ]);
  // What failed, failed for the device that was killed.
  for (const code of demo.counts.failed.keys()) expect(['E_LOST', 'E_DEADLINE']).toContain(code);
}

/** Waits for so many more answers to monitors. */
async function answered(demo: ServedDemo, more: number): Promise<void> {
  const { answered: before } = demo.counts;
  await until(() => demo.counts.answered >= before + more);
}

/** As a page of the gateway sends it. */
const SAME = { 'x-bedside-page': '1' };

describe('the demo', { timeout: 60_000 }, () => {
  it('serves its ward over local sockets', () => walk(undefined));

  it.skipIf(!hasNatsServer || !LONG)('serves its ward over a NATS server', async () => {
    await using server = await OpenServer.start();
    await walk(server.access);
  });
});
