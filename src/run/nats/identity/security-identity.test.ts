// An attacker who can publish on any subject, because they found a way around the permissions of the server, cannot
// forge entries of the fleet, trust, or indexes of bundles.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Objm } from '@nats-io/obj';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../../bundle/index.ts';
import { cutBundle, MANIFEST_FILE } from '../../../bundle/internal.ts';
import { canonicalGraph } from '../../../onnx/internal.ts';
import { writtenBundle } from '../../test-support/bundles.ts';
import { until } from '../../test-support/fabric-suite.ts';
import { mixedNet } from '../../test-support/mixed-net.ts';
import { BundleStore } from '../bundles/bundle-store.ts';
import type { Credentials } from '../cluster/credentials.ts';
import type { NodeEntry } from '../presence/announcement.ts';
import { FleetDirectory } from '../presence/fleet-directory.ts';
import { PresenceAnnouncer } from '../presence/presence-announcer.ts';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { connectNats } from '../transport/connect.ts';
import { certify } from './certificate.ts';
import { newSigningKey, signerOf } from './signing.ts';
import { signingIdentityOf, signStatement } from './statement.ts';

const entryOf = (name: string): NodeEntry => ({
  ...{ version: 1, name, host: 'h', since: '', macsPerSecond: 1, seconds: {}, memory: 1 },
  ...{ memoryUsed: 0, joulesPerMac: 0, joulesPerByteSent: 0, sessions: 0, bytesSent: 0 },
  ...{ emulated: {}, bundles: [], links: [] },
});

describe.skipIf(!hasNatsServer)('whoever could publish anywhere', () => {
  let server: TestServer;
  /** A connection without any restrictions. */
  let ear: NatsConnection;
  let watching: NatsConnection;
  let guest: Credentials;
  beforeAll(async () => {
    server = await TestServer.start({ ears: true });
    ear = await server.ear('FABRIC');
    watching = await connectNats({ credentials: await server.credentials('observer') });
    guest = await server.credentials('worker', 'guest');
  });
  afterAll(async () => {
    await Promise.all([ear.close(), watching.close()]);
    await server.close();
  });

  const directory = async () => FleetDirectory.open(watching, await server.credentials('observer'));

  /** An attacker in the name of a worker, who replies to roll calls. */
  function claim(name: string, credentials: Credentials): PresenceAnnouncer {
    const presence = new PresenceAnnouncer(ear, credentials, () => entryOf(name));
    presence.start();
    return presence;
  }

  async function seen(name: string, one?: FleetDirectory): Promise<boolean[]> {
    const entries = await (one ?? (await directory())).read();
    return entries.filter((entry) => entry.name === name).map(({ trusted }) => trusted);
  }

  /** Trust in the entries of a name, read again where an announcement is late: a busy machine may be slow to send one. */
  async function seenInTime(name: string, one?: FleetDirectory): Promise<boolean[]> {
    for (let read = 0; read < 100; read++) {
      const found = await seen(name, one);
      if (found.length > 0) return found;
      await sleep(200);
    }
    return [];
  }

  it('cannot enter itself as trusted, nor as another', async () => {
    const honest = claim('guest', guest);
    expect(await seenInTime('guest')).toEqual([false]);
    honest.remove();
    const signer = signerOf(guest.signing);
    const said = { role: 'worker', name: 'guest', trusted: true, key: signer.publicKey } as const;
    const forger = signerOf(newSigningKey());
    const [head = '', signature = ''] = guest.certificate.split('.');
    const edited = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
    const changed = Buffer.from(JSON.stringify({ ...edited, trusted: true })).toString('base64url');
    for (const certificate of [
      certify(signer, said),
      certify(forger, said),
      `${changed}.${signature}`,
      (await server.credentials('worker', 'pinned')).certificate,
      (await server.credentials('coordinator')).certificate,
    ]) {
      const one = claim('guest', { ...guest, certificate });
      expect(await seen('guest')).toEqual([]);
      one.remove();
    }
    // In another's name, with the attacker's own certificate.
    const other = claim('pinned', guest);
    expect(await seen('pinned')).toEqual([]);
    other.remove();
    // The trust in an entry does not count, and messages with headers are ignored.
    const liar = new PresenceAnnouncer(
      ear,
      guest,
      () => ({ ...entryOf('guest'), trusted: true }) as NodeEntry,
    );
    liar.start();
    expect(await seenInTime('guest')).toEqual([false]);
    liar.remove();
  });

  it('cannot bring back an entry, or take one away, with what was said before', async () => {
    const recorded: Uint8Array[] = [];
    ear.subscribe('bedside.entry.worker.pinned', {
      callback: (_, { data }) => void recorded.push(data.slice()),
    });
    const pinned = await server.credentials('worker', 'pinned');
    const own = await connectNats({ credentials: pinned });
    const first = new PresenceAnnouncer(own, pinned, () => entryOf('pinned'));
    first.start();
    const before = await directory();
    const there = async (one: FleetDirectory): Promise<boolean> =>
      (await seenInTime('pinned', one)).length > 0;
    expect(await there(before)).toBe(true);
    first.remove();
    await own.flush();
    await until(() => !before.entries().some(({ name }) => name === 'pinned'));
    const after = await directory();
    const old = [...recorded];
    expect(old.length).toBeGreaterThan(2);
    const again = async (...[say]: [(data: Uint8Array) => void]) => {
      for (const data of old) {
        say(data);
        // With pauses, so that each one is read.
        await sleep(30);
      }
      await Promise.all([ear.flush(), watching.flush()]);
    };
    await again((data) => ear.publish('bedside.entry.worker.pinned', data));
    await again((data) => ear.publish('bedside.entry.worker.pinned', data, { headers: headers() }));
    for (const one of [before, after]) expect(one.entries().map(({ name }) => name)).not.toContain('pinned');
    // An old farewell does not remove the next worker with this name.
    const second = new PresenceAnnouncer(own, pinned, () => entryOf('pinned'));
    second.start();
    expect(await there(after)).toBe(true);
    await again((data) => ear.publish('bedside.entry.worker.pinned', data));
    expect(after.entries().map(({ name }) => name)).toContain('pinned');
    second.remove();
    await own.close();
  });

  it('cannot name the parts of a bundle: only coordinators sign for indexes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bedside-index-'));
    try {
      const bundle: Bundle = await writtenBundle(join(folder, 'b'), canonicalGraph(mixedNet()));
      const manifest = await readFile(join(bundle.dir, MANIFEST_FILE));
      const index = JSON.stringify(cutBundle(bundle, manifest).index);
      const store = await server.ear('STORE');
      const objects = await new Objm(store).open('bedside-bundles');
      const name = `bundle-${bundle.sha256}`;
      await using reader = await BundleStore.open({ credentials: guest });
      await using writer = await BundleStore.open({ credentials: await server.credentials('coordinator') });
      const forged = [
        index,
        signStatement(signingIdentityOf(guest), 'index', index),
        signStatement(signingIdentityOf(await server.credentials('client')), 'index', index),
        signStatement(signingIdentityOf(await server.credentials('coordinator')), 'entry', index),
      ];
      for (const said of forged) {
        await objects.putBlob({ name }, Buffer.from(said));
        await expect(reader.index(bundle.sha256)).rejects.toMatchObject({ code: 'E_BUNDLE' });
        expect(await writer.has(bundle.sha256)).toBe(false);
      }
      await writer.publish(bundle, manifest);
      expect(JSON.stringify(await reader.index(bundle.sha256))).toBe(index);
      await store.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
