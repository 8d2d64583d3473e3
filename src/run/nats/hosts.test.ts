// Several hosts with addresses of their own, as network namespaces: unlike the loopback device, their links can lose
// packets silently.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalGraph } from '../../onnx/internal.ts';
import { writtenBundle } from '../test-support/bundles.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Hosts, hasNamespaces } from './test-support/hosts.ts';
import { hasNatsServer, TestServer } from './test-support/nats-server.ts';
import { NodeProcess } from './test-support/node-process.ts';
import type { EndedRequest } from './test-support/orders.ts';

/** Seconds, more than a busy machine needs to notice a loss and to replan. */
const DEADLINE = 120;
/** Bytes of a probe; any number shows the same. */
const PROBE_BYTES = 2 ** 18;
/** Bits a second that the far host sends. */
const SHAPED = 20e6;

describe.skipIf(!hasNatsServer || !hasNamespaces)('a ward of several hosts', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-hosts-'));
    await writtenBundle(folder, canonicalGraph(mixedNet()));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('answers as one machine does; goes on without a host whose cable is pulled, and with it when it is back', async () => {
    await using hosts = await Hosts.open(['server', 'source', 'far', 'asker']);
    await using server = await TestServer.start({
      address: hosts.address('server'),
      enter: hosts.enter('server'),
    });
    const isShaped = await hosts.shape('far', SHAPED);
    await using asker = await NodeProcess.spawn('client-process.ts', hosts.enter('asker'));
    await using source = await NodeProcess.spawn('worker-process.ts', hosts.enter('source'));
    await using far = await NodeProcess.spawn('worker-process.ts', hosts.enter('far'));
    const [access, operator, working] = await Promise.all(
      (['coordinator', 'operator', 'worker'] as const).map(async (role) => ({
        credentials: await server.credentials(role),
      })),
    );
    if (!access || !operator || !working) throw new Error('no credentials');
    expect(access.credentials.servers).toEqual([`tls://${hosts.address('server')}:${server.port}`]);
    await asker.start({ access, operator, bundle: folder });
    await Promise.all([
      source.start({ access: working, options: { device: { name: 'source' } } }),
      far.start({ access: working, options: { device: { name: 'far' } } }),
    ]);

    const first = await asker.ask({ kind: 'random', devices: ['source', 'far'], requests: 8 });
    expect(first.map(({ how }) => how)).toEqual(Array.from({ length: 8 }, () => 'right'));
    expect(first.some((one) => one.far)).toBe(true);

    // Links are measured.
    const linkOf = async (from: string) => {
      const entries = await asker.ask({ kind: 'fleet' });
      return entries.find(({ name }) => name === from)?.links[0];
    };
    while (!((await linkOf('far')) && (await linkOf('source')))) await sleep(50);
    const slow = await linkOf('far');
    if (isShaped && slow) {
      expect(slow.to).toBe('source');
      // The link lets no more through, whatever part of the time a busy machine takes for latency.
      const seconds = PROBE_BYTES / slow.bytesPerSecond + 2 * slow.latency;
      expect(seconds).toBeGreaterThan(PROBE_BYTES / (1.2 * (SHAPED / 8)));
    }

    await asker.ask({ kind: 'stream', source: 'source', far: 'far', every: 40, deadline: DEADLINE });
    /** Waits until so many requests of this kind have ended, limited only by the time limit of the test. */
    const until = async (count: number, like: (one: EndedRequest) => boolean): Promise<void> => {
      while ((await asker.ask({ kind: 'ended' })).filter(like).length < count) await sleep(50);
    };
    await until(3, ({ far }) => far);
    const cutAt = Date.now();
    await hosts.cut('far');
    while ((await asker.ask({ kind: 'lost' })).length === 0) await sleep(20);
    const [[name, since] = ['', 0]] = await asker.ask({ kind: 'lost' });
    expect(name).toBe('far');
    expect(since).toBeGreaterThanOrEqual(cutAt);
    await until(20, (one) => !one.far && one.asked > since);
    // The server does not know, but the entry expires.
    const isThere = async () => (await asker.ask({ kind: 'fleet' })).some((entry) => entry.name === 'far');
    while (await isThere()) await sleep(50);
    await hosts.mend('far');
    while (!(await isThere())) await sleep(50);
    // The coordinator uses the device again.
    while ((await asker.ask({ kind: 'lost' })).length > 0) await sleep(20);
    const usedAt = Date.now();
    await until(20, (one) => one.far && one.asked > usedAt);
    // No worker is lost because the server is silent, even if connections still look open.
    const losses = await asker.ask({ kind: 'losses' });
    await hosts.cut('server');
    await sleep(1800);
    await hosts.mend('server');
    const mendedAt = Date.now();
    await until(5, (one) => one.asked > mendedAt);
    expect(await asker.ask({ kind: 'losses' })).toBe(losses);

    const { ended, asked, running } = await asker.ask({ kind: 'stop' });
    expect([ended.length, running]).toEqual([asked - 8, 0]);
    expect(ended.filter(({ how }) => how !== 'right')).toEqual([]);
    // Only a lost device is left out.
    if (losses === 1) expect(ended.filter((one) => !one.far && one.asked > usedAt + 50)).toEqual([]);
  });
});
