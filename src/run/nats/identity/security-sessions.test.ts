// An attacker on a real server who hears everything and can publish on any subject gets no node to act.
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../protocol/fabric.ts';
import type { NodeMessage } from '../../protocol/messages.ts';
import { toWire } from '../../protocol/wire.ts';
import { partOf, until } from '../../test-support/fabric-suite.ts';
import type { Credentials } from '../cluster/credentials.ts';
import { NatsFabric } from '../nats-fabric.ts';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { encodeChunks } from '../transport/chunks.ts';
import { connectNats } from '../transport/connect.ts';
import { encodeHeartbeat } from '../transport/heartbeat-codec.ts';
import { EphemeralKey } from './session.ts';
import { signingIdentityOf, signStatement } from './statement.ts';

interface Heard {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** A node and its events. */
interface Node {
  readonly end: Endpoint;
  readonly got: (readonly [string, string])[];
  readonly lost: string[];
  readonly notes: string[];
}

describe.skipIf(!hasNatsServer)('whoever hears all and says what he likes', () => {
  let server: TestServer;
  let ear: NatsConnection;
  const heard: Heard[] = [];
  const nodes: Node[] = [];
  beforeAll(async () => {
    server = await TestServer.start({ ears: true });
    ear = await server.ear('FABRIC');
    // Except the name check: a subscription alone answers it.
    for (const what of ['tensor', 'control', 'hello', 'beat', 'joined']) {
      ear.subscribe(`bedside.${what}.>`, {
        callback: (_, { subject, data }) => void heard.push({ subject, data: data.slice() }),
      });
    }
    await ear.flush();
  });
  afterAll(async () => {
    for (const { end } of nodes) await end.close();
    await ear.close();
    await server.close();
  });

  async function join(name: string, credentials: Credentials): Promise<Node> {
    const [got, lost, notes]: [Node['got'], string[], string[]] = [[], [], []];
    const handlers = {
      message: (from: string, { kind }: NodeMessage) => got.push([from, kind]),
      lost: (peer: string) => lost.push(peer),
    };
    const fabric = new NatsFabric({ credentials }, { onNote: (text) => notes.push(text) });
    const node = { end: await fabric.join(name, handlers), got, lost, notes };
    nodes.push(node);
    return node;
  }

  const worker = () => server.credentials('worker', 'pinned').then((own) => join('pinned', own));
  const asker = () => server.credentials('coordinator').then((own) => join('coordinator/x', own));

  /** Waits until everything that the attacker has sent has arrived. */
  async function settled(): Promise<void> {
    await ear.flush();
    await sleep(100);
  }

  const part: NodeMessage = { ...partOf(new Float32Array(9), [9]), requester: 'coordinator/x', stage: -1 };
  const ask: NodeMessage = { kind: 'ask', id: '1' };

  /** A message in the form of nodes without keys. */
  const plainly = (message: NodeMessage): Uint8Array[] => [
    ...encodeChunks(1, toWire(message), undefined, 1 << 20),
  ];

  it('gives no orders and no answers in the name of others, in the clear or as it was said before', async () => {
    const [pinned, x] = [await worker(), await asker()];
    x.end.send('pinned', part);
    x.end.send('pinned', ask);
    pinned.end.send('coordinator/x', { kind: 'leaving', why: 'y' });
    await until(() => pinned.got.length === 2 && x.got.length === 1);
    for (const message of [part, ask]) {
      for (const data of plainly(message)) {
        for (const channel of ['tensor', 'control']) {
          ear.publish(`bedside.${channel}.worker.pinned.coordinator.x`, data);
          ear.publish(`bedside.${channel}.worker.pinned.coordinator.x`, data, { headers: headers() });
        }
      }
    }
    for (const data of plainly({ kind: 'leaving', why: 'z' })) {
      ear.publish('bedside.control.coordinator.x.worker.pinned', data);
    }
    const said = heard.filter(({ subject }) => /\.(tensor|control|hello)\./.test(subject));
    expect(said.length).toBeGreaterThanOrEqual(6);
    for (const { subject, data } of said) {
      ear.publish(subject, data);
      ear.publish(subject.replace('tensor', 'control'), data);
      ear.publish(subject, data, { headers: headers() });
    }
    await settled();
    expect([pinned.got.length, x.got.length]).toEqual([2, 1]);
    expect(pinned.notes.filter((note) => note.includes('are dropped'))).toHaveLength(1);
    // Nothing readable is in the messages: neither the numbers of the tensor nor the kind of query.
    expect(said.some(({ data }) => Buffer.from(data).includes('"ask"'))).toBe(false);
    // A restarted worker opens nothing that was sealed for its earlier instance.
    await pinned.end.close();
    const again = await worker();
    for (const { subject, data } of said) ear.publish(subject, data);
    await settled();
    expect(again.got).toEqual([]);
    x.end.send('pinned', ask);
    await until(() => again.got.length === 1);
    await Promise.all([again.end.close(), x.end.close()]);
  });

  it('is not believed a farewell: unsigned, signed by others, or of an earlier life', async () => {
    const [first, x] = [await worker(), await asker()];
    x.end.watch('pinned');
    x.end.send('pinned', ask);
    await until(() => first.got.length === 1);
    first.end.leave('it is told to');
    await until(() => x.lost.length === 1);
    await first.end.close();
    const farewells = heard.filter(
      ({ subject, data }) =>
        subject === 'bedside.beat.worker.pinned' && Buffer.from(data).includes('farewell'),
    );
    expect(farewells.length).toBeGreaterThan(0);
    const second = await worker();
    // All watchers know that it is alive.
    await settled();
    x.end.send('pinned', ask);
    await until(() => second.got.length === 1);
    const now = JSON.parse(
      Buffer.from(
        heard.findLast(({ subject }) => subject === 'bedside.beat.worker.pinned')?.data ?? [],
      ).toString(),
    ) as { instance: string };
    const life = { name: 'pinned', instance: now.instance, connections: 0 };
    const guest = signingIdentityOf(await server.credentials('worker', 'guest'));
    const said = [
      ...farewells.map(({ data }) => Buffer.from(data).toString()),
      encodeHeartbeat(life, 'as I say', undefined),
      encodeHeartbeat(life, 'as I say', guest),
      JSON.stringify({ session: `${now.instance} 0`, bye: 'as I say' }),
      // From its earlier instance, replayed.
      ...farewells.map(({ data }) =>
        JSON.stringify({ ...(JSON.parse(Buffer.from(data).toString()) as object), instance: now.instance }),
      ),
    ];
    for (const text of said) ear.publish('bedside.beat.worker.pinned', text);
    await settled();
    expect(x.lost).toEqual(['pinned']);
    second.end.leave('it is told to');
    await until(() => x.lost.length === 2);
    await Promise.all([second.end.close(), x.end.close()]);
  });

  it('makes no session in the name of another with a key of its own', async () => {
    const pinned = await worker();
    const from = heard.length;
    const guest = await server.credentials('worker', 'guest');
    // A guest that can use every subject sends a hello in the name of the coordinator.
    const forged = { ...guest, role: 'coordinator', name: 'x' } as const;
    const seeds = { ...guest.seeds, fabric: (await server.credentials('coordinator')).seeds.fabric };
    const liar = await join('coordinator/x', { ...forged, seeds });
    liar.end.send('pinned', ask);
    liar.end.send('pinned', part);
    await settled();
    expect(pinned.got).toEqual([]);
    expect(pinned.notes.some((note) => note.includes('has no certificate of this cluster'))).toBe(true);
    // It gets no answer either.
    expect(
      heard.slice(from).filter(({ subject }) => subject === 'bedside.hello.coordinator.x.worker.pinned'),
    ).toEqual([]);
    await liar.end.close();
    // Nor as a worker with a name like a coordinator's, with a key for any name.
    const any = await server.credentials('worker');
    const raw = await connectNats({ credentials: any }, { who: 'worker.coordinator=2fx' });
    const said = { from: 'coordinator/x', to: 'pinned', key: new EphemeralKey().publicKey, instance: 'i' };
    const hello = signStatement(signingIdentityOf(any), 'hello', JSON.stringify({ ...said, nonce: 'n' }));
    raw.publish('bedside.hello.worker.pinned.worker.coordinator=2fx', hello);
    const before = pinned.notes.length;
    await raw.flush();
    await until(() => pinned.notes.length > before);
    await settled();
    expect(heard.slice(from).some(({ subject }) => subject.startsWith('bedside.hello.coordinator.x'))).toBe(
      false,
    );
    expect(pinned.got).toEqual([]);
    await Promise.all([raw.close(), pinned.end.close()]);
  });
});
