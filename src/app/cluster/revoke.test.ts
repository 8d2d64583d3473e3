// Withdrawing a key, on a real server that runs as a service does: it is out at once, and nobody else notices.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNats } from '../../run/index.ts';
import { hasNatsServer, TestServer } from '../../run/nats/test-support/nats-server.ts';
import { addToCluster, initCluster, revokeFromCluster } from './cluster-files.ts';
import { reloadServer } from './reload.ts';

const { connectNats } = await loadNats();

describe.skipIf(!hasNatsServer)('a key that is withdrawn', () => {
  let server: TestServer;
  let dir: string;
  beforeAll(async () => {
    server = await TestServer.start();
    dir = server.cluster.dir;
  });
  afterAll(() => server.close());

  it('is let in no more, and its connections end; others stay, and the name may have a new key', async () => {
    const [guest, pinned] = [
      await server.credentials('worker', 'guest'),
      await server.credentials('worker', 'pinned'),
    ];
    const doors = ['fabric', 'store'] as const;
    const theirs = await Promise.all(doors.map((door) => connectNats({ credentials: guest }, { door })));
    const mine = await Promise.all(doors.map((door) => connectNats({ credentials: pinned }, { door })));
    const ended = theirs.map(async (connection) => {
      for await (const { type } of connection.status()) if (type === 'disconnect') return;
    });
    const kept: string[] = [];
    for (const connection of mine) {
      void (async () => {
        for await (const { type } of connection.status()) kept.push(type);
      })();
    }
    const result = await revokeFromCluster(dir, { name: 'guest' });
    expect(result).toMatchObject({
      revoked: [{ role: 'worker', name: 'guest', trusted: false }],
      anyName: ['worker'],
      server: { inForce: true, pid: expect.any(Number) },
    });
    await Promise.all(ended);
    for (const door of doors) {
      await expect(connectNats({ credentials: guest }, { door })).rejects.toMatchObject({
        code: 'E_FABRIC',
        message: expect.stringContaining('refuses these credentials'),
      });
    }
    for (const connection of mine) await connection.flush();
    expect(kept.filter((type) => type === 'disconnect')).toEqual([]);
    expect(existsSync(join(dir, 'credentials', 'worker-guest.json'))).toBe(false);
    for (const key of Object.values(guest.seeds))
      expect(await readFile(join(dir, 'cluster.json'), 'utf8')).not.toContain(key);

    await addToCluster(dir, { name: 'guest', role: 'worker', guest: true });
    expect(await reloadServer(dir)).toMatchObject({ inForce: true });
    const again = await connectNats({ credentials: await server.credentials('worker', 'guest') });
    await expect(connectNats({ credentials: guest })).rejects.toMatchObject({ code: 'E_FABRIC' });
    for (const connection of [...theirs, ...mine, again]) await connection.close();
  });

  it('of a role goes by the role; what is not there, and the operator, is refused', async () => {
    const before = await server.credentials('client');
    expect(await revokeFromCluster(dir, { role: 'client' })).toMatchObject({
      revoked: [{ role: 'client' }],
      anyName: [],
    });
    await expect(connectNats({ credentials: before })).rejects.toMatchObject({ code: 'E_FABRIC' });
    for (const [whose, says] of [
      [{ role: 'client' }, /no key for any name as client/],
      [{ name: 'gust' }, /no key of 'gust'/],
      [{ name: 'pinned', role: 'observer' }, /no key of 'pinned' as observer/],
      [{}, /whose key/],
      [{ role: 'operator' }, /operator cannot be withdrawn/],
    ] as const) {
      await expect(revokeFromCluster(dir, whose)).rejects.toMatchObject({
        code: 'E_USAGE',
        message: expect.stringMatching(says),
        hint: expect.any(String),
      });
    }
    const { hint } = await revokeFromCluster(dir, { name: 'pined' }).catch((error) => error);
    expect(hint).toContain('pinned');
  });

  it('is out of the files where no server runs', async () => {
    const folder = join(dir, 'other');
    await initCluster(folder, { workers: ['a', 'b'], hosts: ['localhost'], port: 1, monitorPort: 1 });
    const before = await readFile(join(folder, 'server.conf'), 'utf8');
    const { server: state, revoked } = await revokeFromCluster(folder, { name: 'b' });
    expect(revoked).toMatchObject([{ name: 'b' }]);
    expect(state).toEqual({ inForce: false, why: expect.stringContaining('no server') });
    const keys = (text: string) => text.match(/nkey: U\w+/g) ?? [];
    const now = await readFile(join(folder, 'server.conf'), 'utf8');
    expect(keys(now)).toHaveLength(keys(before).length - 2);
    expect(keys(before)).toEqual(expect.arrayContaining(keys(now)));
  });
});
