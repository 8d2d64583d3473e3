// Anchors of audit logs on a real server with the generated configuration: who may write, read and remove them.
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addToCluster } from '../cluster/write-cluster.ts';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { connectNats } from '../transport/connect.ts';
import { AnchorBucket } from './anchor-bucket.ts';

const KEY = { gateway: 'ward 1.a', log: 'log' };
const STREAM = 'KV_bedside-audit';

describe.skipIf(!hasNatsServer)('the bucket of anchors', () => {
  let server: TestServer;
  const open = async (role: 'coordinator' | 'observer' | 'client' | 'worker', name?: string) =>
    AnchorBucket.open({ credentials: await server.credentials(role, name) });
  beforeAll(async () => {
    server = await TestServer.start();
    await addToCluster(server.cluster.dir, [{ role: 'coordinator', name: 'ward-2' }]);
    await server.kill();
    await server.run();
  });
  afterAll(() => server.close());

  it('keeps the newest 64 values, which an observer reads', async () => {
    await using keeper = await open('coordinator');
    expect(await keeper.values(KEY)).toEqual([]);
    for (let i = 0; i < 70; i++) await keeper.put(KEY, `value ${i}`);
    await keeper.put({ ...KEY, log: 'other' }, 'of another log');
    await using reader = await open('observer');
    expect(await reader.values(KEY)).toEqual(Array.from({ length: 64 }, (_, i) => `value ${i + 6}`));
  });

  it('is written by coordinators alone, and by one with a name under that name', async () => {
    await using named = await open('coordinator', 'ward-2');
    await named.put({ gateway: 'ward-2', log: 'x' }, 'own');
    await expect(named.put(KEY, 'of another')).rejects.toMatchObject({ code: 'E_FABRIC' });
    await using observer = await open('observer');
    await expect(observer.put(KEY, 'x')).rejects.toMatchObject({ code: 'E_FABRIC' });
    expect(await observer.values({ gateway: 'ward-2', log: 'x' })).toEqual(['own']);
    for (const role of ['client', 'worker'] as const) {
      await using other = await open(role);
      await expect(other.values(KEY)).rejects.toMatchObject({ code: 'E_FABRIC' });
    }
  });

  it('loses nothing to an operator, nor to a user of its account without restrictions', async () => {
    await using own = await TestServer.start({ ears: true });
    await using keeper = await AnchorBucket.open({ credentials: await own.credentials('coordinator') });
    for (const value of ['a', 'b']) await keeper.put(KEY, value);
    const operator = await connectNats({ credentials: await own.credentials('operator') }, { door: 'store' });
    const manager = await jetstreamManager(operator, { checkAPI: false });
    await expect(manager.streams.purge(STREAM)).rejects.toThrow(/permission/i);
    await expect(manager.streams.delete(STREAM)).rejects.toThrow(/permission/i);
    await operator.close();
    const ear = await own.ear('STORE');
    const all = await jetstreamManager(ear);
    await expect(all.streams.purge(STREAM)).rejects.toThrow();
    await expect(all.streams.deleteMessage(STREAM, 1)).rejects.toThrow();
    await ear.close();
    expect(await keeper.values(KEY)).toEqual(['a', 'b']);
  });
});
