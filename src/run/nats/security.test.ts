// Who may read and say what on a server with the generated configuration: each role tried on each kind of subject.
import { readFile, stat } from 'node:fs/promises';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../messages.ts';
import { partOf, until } from '../test-support/fabric-suite.ts';
import { toWire } from '../wire.ts';
import { encodeChunks } from './chunks.ts';
import type { Role } from './cluster/roles.ts';
import { credentialsPath } from './cluster/write-cluster.ts';
import { connectNats } from './connect.ts';
import { FleetBoard, type NodeEntry } from './fleet-board.ts';
import { NatsFabric } from './nats-fabric.ts';
import { hasNatsServer, TestServer } from './test-support/nats-server.ts';

/** Everybody, with the name that some are bound to. */
const WHO = {
  worker: { role: 'worker' },
  pinned: { role: 'worker', name: 'pinned' },
  guest: { role: 'worker', name: 'guest' },
  client: { role: 'client' },
  coordinator: { role: 'coordinator' },
  observer: { role: 'observer' },
  operator: { role: 'operator' },
} as const satisfies Record<string, { role: Role; name?: string }>;
type Who = keyof typeof WHO;

/** Who may subscribe to a subject; nobody else. */
const READERS: Readonly<Record<string, readonly Who[]>> = {
  '>': [],
  'bedside.>': [],
  'bedside.tensor.>': [],
  'bedside.control.>': [],
  'bedside.tensor.worker.pinned.*.*': ['worker', 'pinned'],
  'bedside.tensor.worker.guest.*.*': ['worker', 'guest'],
  'bedside.tensor.worker.*.*.*': ['worker'],
  'bedside.control.worker.pinned.*.*': ['worker', 'pinned'],
  'bedside.tensor.client.x.*.*': ['client'],
  'bedside.control.client.x.*.*': ['client'],
  'bedside.tensor.coordinator.x.*.*': ['coordinator'],
  'bedside.beat.worker.pinned': ['client', 'coordinator', 'observer', 'operator'],
  'bedside.beat.client.x': ['coordinator', 'observer', 'operator'],
  '_INBOX.>': [],
  '_INBOX.worker.pinned.>': ['worker', 'pinned'],
  '_INBOX.worker.other.>': ['worker'],
  '_INBOX.client.x.>': ['client'],
  '_INBOX.coordinator.x.>': ['coordinator'],
  '_INBOX.observer.any.>': ['observer'],
  '$KV.bedside-fleet.>': [],
  '$O.bedside-bundles.>': [],
  '$JS.API.>': [],
  '$JS.EVENT.>': [],
  '$SYS.>': [],
};

const ALL = Object.keys(WHO) as Who[];
const WORKERS: readonly Who[] = ['worker', 'pinned', 'guest'];

/** Who may publish to a subject; nobody else. */
const SPEAKERS: Readonly<Record<string, readonly Who[]>> = {
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
  'bedside.beat.worker.pinned': ['worker', 'pinned'],
  'bedside.beat.coordinator.x': ['coordinator'],
  'bedside.who.worker.pinned': [...WORKERS, 'client', 'coordinator'],
  '$KV.bedside-fleet.trusted.pinned': ['worker', 'pinned'],
  '$KV.bedside-fleet.trusted.guest': ['worker'],
  '$KV.bedside-fleet.guest.guest': ['guest'],
  '$KV.bedside-fleet.guest.pinned': [],
  '$O.bedside-bundles.M.eA==': ['coordinator'],
  '$O.bedside-bundles.C.x': ['coordinator'],
  '$JS.API.INFO': ['coordinator', 'observer', 'operator'],
  '$JS.API.DIRECT.GET.OBJ_bedside-bundles': [...WORKERS, 'coordinator'],
  '$JS.API.DIRECT.GET.OBJ_bedside-bundles.$O.bedside-bundles.M.eA==': [
    ...WORKERS,
    'client',
    'coordinator',
    'operator',
  ],
  '$JS.API.DIRECT.GET.OBJ_bedside-bundles.$O.bedside-bundles.C.x': [],
  '$JS.API.DIRECT.GET.KV_bedside-fleet.$KV.bedside-fleet.trusted.pinned': ALL,
  '$JS.API.DIRECT.GET.KV_bedside-fleet': [],
  '$JS.API.STREAM.INFO.KV_bedside-fleet': ALL,
  '$JS.API.STREAM.INFO.OBJ_bedside-bundles': ['coordinator', 'operator'],
  '$JS.API.STREAM.MSG.GET.OBJ_bedside-bundles': ['coordinator'],
  '$JS.API.STREAM.MSG.GET.KV_bedside-fleet': [],
  '$JS.API.STREAM.MSG.DELETE.OBJ_bedside-bundles': [],
  '$JS.API.STREAM.PURGE.OBJ_bedside-bundles': ['coordinator', 'operator'],
  '$JS.API.STREAM.PURGE.KV_bedside-fleet': ['operator'],
  '$JS.API.STREAM.CREATE.OTHER': [],
  '$JS.API.STREAM.LIST': [],
  '$JS.API.STREAM.NAMES': [],
  '$JS.API.STREAM.SNAPSHOT.OBJ_bedside-bundles': [],
  '$JS.API.CONSUMER.CREATE.OBJ_bedside-bundles': [],
  '$JS.API.CONSUMER.CREATE.KV_bedside-fleet': [],
  '$JS.API.CONSUMER.DURABLE.CREATE.OBJ_bedside-bundles.d': [],
  '$JS.API.CONSUMER.MSG.NEXT.OBJ_bedside-bundles.d': [],
  '_INBOX.client.x.1': [],
  '_INBOX.worker.pinned.1': [],
  '$SYS.REQ.SERVER.PING': [],
};

describe.skipIf(!hasNatsServer)('who may do what', () => {
  let server: TestServer;
  const connections = new Map<Who, NatsConnection>();
  /** What the server refused, of everybody. */
  const refused = new Map<Who, Set<string>>();
  beforeAll(async () => {
    server = await TestServer.start();
    for (const who of ALL) {
      const identity: { role: Role; name?: string } = WHO[who];
      const connection = await connectNats({
        credentials: await server.credentials(identity.role, identity.name),
      });
      const own = new Set<string>();
      refused.set(who, own);
      connections.set(who, connection);
      void (async () => {
        for await (const status of connection.status()) {
          if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
          own.add(`${status.error.operation} ${status.error.subject}`);
        }
      })();
    }
  });
  afterAll(async () => {
    for (const connection of connections.values()) await connection.close();
    await server.close();
  });

  const connectionOf = (who: Who) => connections.get(who) as NatsConnection;

  async function settled(connection: NatsConnection): Promise<void> {
    await connection.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  it.each(ALL)('%s subscribes to its own subjects alone', async (who) => {
    const connection = connectionOf(who);
    const subscriptions = Object.keys(READERS).map((subject) =>
      connection.subscribe(subject, { callback: () => {} }),
    );
    await settled(connection);
    const allowed = Object.keys(READERS).filter(
      (subject) => !refused.get(who)?.has(`subscription ${subject}`),
    );
    for (const subscription of subscriptions) subscription.unsubscribe();
    expect(allowed).toEqual(Object.keys(READERS).filter((subject) => READERS[subject]?.includes(who)));
  });

  it.each(ALL)('%s publishes to its own subjects alone', async (who) => {
    const connection = connectionOf(who);
    const subjects = Object.keys(SPEAKERS);
    // Not what would change something: nothing of it is well formed.
    for (const subject of subjects) connection.publish(subject, 'x');
    await settled(connection);
    const allowed = subjects.filter((subject) => !refused.get(who)?.has(`publish ${subject}`));
    expect(allowed).toEqual(subjects.filter((subject) => SPEAKERS[subject]?.includes(who)));
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
      message: expect.stringContaining('lets these credentials'),
    });
    // A server that another authority vouches for gets no key.
    await expect(
      connectNats({ credentials: { ...credentials, servers: [other.url] } }),
    ).rejects.toMatchObject({ code: 'E_FABRIC', message: expect.stringContaining('no trust') });
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
    const handlers = { message: (from: string, { kind }: Message) => got.push([from, kind]), lost: () => {} };
    const pinned = await fabric.join('pinned', handlers);
    const say = (who: Who, subject: string, message: Message): void => {
      for (const chunk of encodeChunks(1, toWire(message), undefined, 1 << 20)) {
        connectionOf(who).publish(subject, chunk);
      }
    };
    const ask: Message = { kind: 'ask', id: '1' };
    const input: Message = { ...partOf(new Float32Array(3), [3]), requester: 'client/x', stage: -1 };
    for (const who of ['observer', 'operator', 'guest'] as const) {
      say(who, 'bedside.control.worker.pinned.coordinator.x', ask);
      say(who, 'bedside.tensor.worker.pinned.client.x', input);
    }
    // In its own name a worker gives no orders, and starts no request; nor does it speak for others of a plan.
    say('guest', 'bedside.control.worker.pinned.worker.guest', ask);
    say('guest', 'bedside.tensor.worker.pinned.worker.guest', input);
    say('guest', 'bedside.tensor.worker.pinned.worker.guest', { ...input, stage: 0 });
    // Nor a client in that of another.
    say('client', 'bedside.tensor.worker.pinned.client.y', input);
    say('client', 'bedside.tensor.worker.pinned.client.x', { ...input, plan: { levels: [0], stages: [] } });
    await Promise.all(ALL.map((who) => settled(connectionOf(who))));
    say('client', 'bedside.tensor.worker.pinned.client.x', input);
    await settled(connectionOf('client'));
    await until(() => got.length > 0);
    expect(got).toEqual([['client/x', 'part']]);
    expect(notes).toHaveLength(5);
    await expect(fabric.join('other', handlers)).rejects.toMatchObject({
      code: 'E_FABRIC',
      message: expect.stringContaining("the worker 'pinned'"),
    });
    await pinned.close();
  });

  it('a guest cannot make itself trusted, and nobody hears what is between others', async () => {
    const entry: NodeEntry = {
      ...{ version: 1, name: 'guest', host: 'h', since: '', macsPerSecond: 1, seconds: {}, memory: 1 },
      ...{ memoryUsed: 0, joulesPerMac: 0, joulesPerByteSent: 0, sessions: 0, bytesSent: 0 },
      ...{ emulated: {}, bundles: [], links: [] },
    };
    const board = await FleetBoard.open(connectionOf('guest'));
    const claimed = board.put(entry, true);
    await expect(claimed).rejects.toMatchObject({ code: 'E_FABRIC' });
    await board.put(entry, false);
    const seen = await (await FleetBoard.open(connectionOf('observer'))).read();
    expect(seen.filter(({ name }) => name === 'guest').map(({ trusted }) => trusted)).toEqual([false]);

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
    await Promise.all(ALL.map((who) => settled(connectionOf(who))));
    expect(heard).toEqual([]);
    await asker.close();
    await pinned.close();
  });
});
