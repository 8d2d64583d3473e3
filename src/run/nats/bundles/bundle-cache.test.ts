// The bundles of a worker on a real server: their number is bounded, and none that a request needs is dropped.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../../bundle/index.ts';
import { MANIFEST_FILE } from '../../../bundle/internal.ts';
import { canonicalGraph } from '../../../onnx/internal.ts';
import { must } from '../../../util/index.ts';
import { Device } from '../../device/device.ts';
import { localPlanOf, writtenBundle } from '../../test-support/bundles.ts';
import { mixedNet } from '../../test-support/mixed-net.ts';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { BundleCache, MAX_BUNDLES } from './bundle-cache.ts';
import { BundleStore } from './bundle-store.ts';

describe.skipIf(!hasNatsServer)('bundles of a device', () => {
  let folder: string;
  let server: TestServer;
  const bundles: Bundle[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-held-'));
    server = await TestServer.start();
    await using store = await BundleStore.open({ credentials: await server.credentials('coordinator') });
    for (let seed = 1; seed <= MAX_BUNDLES + 2; seed++) {
      const bundle = await writtenBundle(join(folder, `${seed}`), canonicalGraph(mixedNet(seed)));
      await store.publish(bundle, await readFile(join(bundle.dir, MANIFEST_FILE)));
      bundles.push(bundle);
    }
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('are so many; the least recent goes with its sessions, and one that is needed stays', async () => {
    const device = new Device({ name: 'a' }, []);
    const used = new Set<string>();
    const held = new BundleCache(
      device,
      { credentials: await server.credentials('worker') },
      { isUsed: (sha256) => used.has(sha256) },
    );
    const [first, second, ...rest] = bundles.map(({ sha256 }) => sha256);
    const needed = must(first, 'a bundle');
    used.add(needed);
    const plan = localPlanOf(
      must(bundles[1], 'a bundle'),
      'a',
      [0, 0, 0, 0, 0, 0, 0, 0].slice(0, bundles[1]?.manifest.groups.length),
    );
    await held.load(
      must(second, 'a bundle'),
      plan.stages.map(({ index }) => index),
    );
    await device.warm(must(second, 'a bundle'), plan);
    expect(device.report().sessions).toBeGreaterThan(0);
    await held.load(needed, []);
    for (const sha256 of rest) {
      await held.load(sha256, []);
      expect(held.bundles.length).toBeLessThanOrEqual(MAX_BUNDLES);
    }
    const names = held.bundles.map(({ sha256 }) => sha256);
    expect(names).toContain(needed);
    expect(names).not.toContain(second);
    expect(device.report().sessions).toBe(0);
    expect(() => device.stages(must(second, 'a bundle'))).toThrow(/does not hold/);
    for (const sha256 of names) used.add(sha256);
    await expect(held.load(must(second, 'a bundle'), [])).rejects.toMatchObject({
      code: 'E_DEVICE',
      message: expect.stringContaining('holds 8 bundles'),
    });
    await held.close();
    await expect(held.load('f'.repeat(64), [])).rejects.toMatchObject({ code: 'E_LOST' });
    await device.close();
  });
});
