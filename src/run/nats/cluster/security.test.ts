// Permissions on a server with the generated configuration: every role tries every kind of subject.
import { readFile, stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeMessage } from '../../protocol/messages.ts';
import { toWire } from '../../protocol/wire.ts';
import { partOf, until } from '../../test-support/fabric-suite.ts';
import { NatsFabric } from '../nats-fabric.ts';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { ALL, RoleConnections, type TestRole, WORKERS } from '../test-support/role-connections.ts';
import { encodeChunks } from '../transport/chunks.ts';
import { connectNats } from '../transport/connect.ts';
import type { Role } from './roles.ts';
import { credentialsPath } from './write-cluster.ts';

/** The roles that may subscribe to a subject in the account where nodes meet. */
const READERS: Readonly<Record<string, readonly TestRole[]>> = {
  '>': [],
  'bedside.>': [],
  'bedside.tensor.>': [],
  'bedside.control.>': [],
  'bedside.tensor.worker.pinned.*.*': ['worker', 'pinned'],
  'bedside.tensor.worker.guest.*.*': ['worker', 'guest'],
  'bedside.tensor.worker.*.*.*': ['worker'],
  'bedside.control.worker.pinned.*.*': ['worker', 'pinned'],
  'bedside.hello.worker.pinned.*.*': ['worker', 'pinned'],
  'bedside.tensor.client.x.*.*': ['client'],
  'bedside.control.client.x.*.*': ['client'],
  'bedside.hello.client.x.*.*': ['client'],
  'bedside.tensor.coordinator.x.*.*': ['coordinator'],
  'bedside.beat.worker.pinned': ['client', 'coordinator', 'observer', 'operator'],
  'bedside.beat.client.x': ['coordinator', 'observer', 'operator'],
  'bedside.entry.worker.*': ALL,
  'bedside.joined.*.*': [...WORKERS, 'client', 'coordinator'],
  'bedside.roll.*.*': WORKERS,
  '_INBOX.>': [],
  '_INBOX.worker.pinned.>': ['worker', 'pinned'],
  '_INBOX.worker.other.>': ['worker'],
  '_INBOX.client.x.>': ['client'],
  '_INBOX.coordinator.x.>': ['coordinator'],
  '_INBOX.observer.any.>': ['observer'],
  '$KV.>': [],
  '$O.bedside-bundles.>': [],
  '$JS.API.>': [],
  '$JS.EVENT.>': [],
  '$JS.FC.>': [],
  '$JS.ACK.>': [],
  '_R_.>': [],
  '$SYS.>': [],
};

/** The roles that may publish to a subject in the account where nodes meet. */
const SPEAKERS: Readonly<Record<string, readonly TestRole[]>> = {
  'bedside.tensor.worker.pinned.worker.guest': ['worker', 'guest'],
  'bedside.tensor.worker.pinned.worker.other': ['worker'],
  'bedside.tensor.worker.pinned.client.x': ['client'],
  'bedside.tensor.worker.pinned.coordinator.x': ['coordinator'],
  'bedside.control.worker.pinned.worker.guest': ['worker', 'guest'],
  'bedside.control.worker.pinned.client.x': ['client'],
  'bedside.control.worker.pinned.coordinator.x': ['coordinator'],
  'bedside.control.worker.pinned.observer.x': [],
  'bedside.control.client.x.worker.pinned': ['worker', 'pinned'],
  'bedside.control.client.x.client.y': [],
  'bedside.control.client.x.coordinator.y': ['coordinator'],
  'bedside.hello.worker.pinned.coordinator.x': ['coordinator'],
  'bedside.hello.worker.pinned.worker.guest': ['worker', 'guest'],
  'bedside.hello.client.x.client.y': [],
  'bedside.beat.worker.pinned': ['worker', 'pinned'],
  'bedside.beat.coordinator.x': ['coordinator'],
  'bedside.who.worker.pinned': [...WORKERS, 'client', 'coordinator'],
  'bedside.joined.worker.pinned': ['worker', 'pinned'],
  'bedside.joined.coordinator.x': ['coordinator'],
  'bedside.entry.worker.pinned': ['worker', 'pinned'],
  'bedside.entry.worker.guest': ['worker', 'guest'],
  'bedside.entry.client.x': [],
  'bedside.roll.observer.any': ['observer'],
  'bedside.roll.worker.guest': ['worker', 'guest'],
  '$KV.bedside-fleet.trusted.pinned': [],
  '$O.bedside-bundles.M.eA==': [],
  '_INBOX.client.x.1': [],
  '_INBOX.worker.pinned.1': [],
  '_R_.x': [],
  '$JS.ACK.x': [],
  '$SYS.REQ.SERVER.PING': [],
  '$SYS.REQ.SERVER.PING.CONNZ': [],
  '$SYS.REQ.ACCOUNT.PING.CONNZ': [],
  '$SYS.REQ.USER.INFO': [],
};

describe.skipIf(!hasNatsServer)('who may do what', () => {
  let server: TestServer;
  let people: RoleConnections;
  beforeAll(async () => {
    server = await TestServer.start();
    people = await RoleConnections.come(server, 'fabric');
  });
  afterAll(async () => {
    await people.leave();
    await server.close();
  });

  const connectionOf = (who: TestRole) => people.connection(who);

  it.each(ALL)('%s subscribes to its own subjects alone', async (who) => {
    const subjects = Object.keys(READERS);
    expect(await people.subscribes(who, subjects)).toEqual(
      subjects.filter((subject) => READERS[subject]?.includes(who)),
    );
  });

  it.each(ALL)('%s publishes to its own subjects alone', async (who) => {
    const subjects = Object.keys(SPEAKERS);
    expect(await people.publishes(who, subjects)).toEqual(
      subjects.filter((subject) => SPEAKERS[subject]?.includes(who)),
    );
  });

  it('nobody comes in without a key, with another, or without TLS', async () => {
    await expect(connectNats({ servers: [`nats://localhost:${server.port}`] })).rejects.toMatchObject({
      code: 'E_FABRIC',
    });
    const credentials = await server.credentials('worker');
    await using other = await TestServer.start();
    const foreign = {
      ...(await other.credentials('worker')),
      servers: credentials.servers,
      ca: credentials.ca,
    };
    await expect(connectNats({ credentials: foreign })).rejects.toMatchObject({
      code: 'E_FABRIC',
      message: expect.stringContaining('refuses these credentials'),
    });
    // A server with a certificate of another authority gets no key.
    await expect(
      connectNats({ credentials: { ...credentials, servers: [other.url] } }),
    ).rejects.toMatchObject({ code: 'E_FABRIC', message: expect.stringContaining('cannot be verified') });
  });

  it('keys are readable for their owner alone', async () => {
    const { dir, config } = server.cluster;
    for (const path of [config, `${dir}/tls/server.key`, credentialsPath(dir, { role: 'worker' })]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    // The configuration has public keys only.
    expect(await readFile(config, 'utf8')).not.toMatch(/\bSU[A-Z2-7]{50,}/);
  });

  it('a worker believes nobody but those who may speak', async () => {
    const got: (readonly [string, string])[] = [];
    const notes: string[] = [];
    const fabric = new NatsFabric(
      { credentials: await server.credentials('worker', 'pinned') },
      { onNote: (text) => notes.push(text) },
    );
    const handlers = {
      message: (from: string, { kind }: NodeMessage) => got.push([from, kind]),
      lost: () => {},
    };
    const pinned = await fabric.join('pinned', handlers);
    const ask: NodeMessage = { kind: 'ask', id: '1' };
    const input: NodeMessage = { ...partOf(new Float32Array(3), [3]), requester: 'client/x', stage: -1 };
    // Around the permissions of the server.
    for (const who of ['observer', 'operator', 'guest'] as const) {
      for (const message of [ask, input]) {
        for (const chunk of encodeChunks(1, toWire(message), undefined, 1 << 20)) {
          for (const channel of ['tensor', 'control']) {
            for (const from of ['coordinator.x', 'client.x']) {
              connectionOf(who).publish(`bedside.${channel}.worker.pinned.${from}`, chunk);
            }
          }
        }
      }
    }
    const as = async (role: Role, name: string, key?: string) =>
      new NatsFabric({ credentials: await server.credentials(role, key) }).join(name, {
        message: () => {},
        lost: () => {},
      });
    const [guest, client] = [await as('worker', 'guest', 'guest'), await as('client', 'client/x')];
    // In its own name a worker cannot give orders or start requests, and it cannot speak for other devices of a plan.
    for (const message of [ask, input, { ...input, stage: 0 }]) guest.send('pinned', message);
    // A client cannot speak for another client.
    client.send('pinned', { ...input, requester: 'client/y' });
    client.send('pinned', { ...input, plan: { levels: [0], stages: [] } });
    await until(() => notes.length === 5);
    client.send('pinned', input);
    await until(() => got.length > 0);
    expect(got).toEqual([['client/x', 'part']]);
    expect(notes.every((note) => note.includes('may not send'))).toBe(true);
    await expect(fabric.join('other', handlers)).rejects.toMatchObject({
      code: 'E_FABRIC',
      message: expect.stringContaining("the worker 'pinned'"),
    });
    for (const end of [guest, client, pinned]) await end.close();
  });

  it('nobody hears what is between others', async () => {
    const heard: string[] = [];
    for (const who of ['guest', 'client', 'observer', 'operator'] as const) {
      for (const subject of ['>', 'bedside.>', 'bedside.tensor.worker.pinned.*.*', '_INBOX.>']) {
        connectionOf(who).subscribe(subject, {
          callback: (error, msg) => {
            if (!error) heard.push(`${who} ${msg.subject}`);
          },
        });
      }
    }
    const open = new NatsFabric({ credentials: await server.credentials('worker', 'pinned') });
    let got = 0;
    const pinned = await open.join('pinned', { message: () => got++, lost: () => {} });
    const coordinator = new NatsFabric({ credentials: await server.credentials('coordinator') });
    const asker = await coordinator.join('coordinator/x', { message: () => {}, lost: () => {} });
    const part = { ...partOf(new Float32Array(9), [9]), requester: 'coordinator/x', stage: -1 };
    for (let at = 0; at < 5; at++) asker.send('pinned', part);
    await until(() => got === 5);
    await Promise.all(ALL.map((who) => people.settled(who)));
    expect(heard).toEqual([]);
    await asker.close();
    await pinned.close();
  });
});
