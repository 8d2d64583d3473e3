// JetStream on a server with the generated configuration: every verb of its API for every role, and requests for
// replies on the subjects of others.
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { ALL, RoleConnections, type TestRole, WORKERS } from '../test-support/role-connections.ts';
import type { Account } from './roles.ts';

const STREAM = 'OBJ_bedside-bundles';
const ANCHORS = 'KV_bedside-audit';
const ANCHOR = '$KV.bedside-audit.gateway.log';
const META = '$O.bedside-bundles.M.eA==';

/** Every verb of the API (nats-server 2.9 to 2.12), for the streams of bundles and anchors, and for another one. */
const VERBS = [
  'INFO',
  ...['NAMES', 'LIST', 'TEMPLATE.NAMES'].map((verb) => `STREAM.${verb}`),
  ...[STREAM, ANCHORS, 'OTHER'].flatMap((stream) => [
    ...`CREATE UPDATE INFO DELETE PURGE MSG.GET MSG.DELETE SNAPSHOT RESTORE PEER.REMOVE LEADER.STEPDOWN TEMPLATE.CREATE TEMPLATE.INFO TEMPLATE.DELETE`
      .split(' ')
      .map((verb) => `STREAM.${verb}.${stream}`),
    ...['CREATE', 'NAMES', 'LIST'].map((verb) => `CONSUMER.${verb}.${stream}`),
    ...`CREATE DURABLE.CREATE INFO DELETE MSG.NEXT LEADER.STEPDOWN PAUSE RESET UNPIN`
      .split(' ')
      .map((verb) => `CONSUMER.${verb}.${stream}.c`),
    `CONSUMER.CREATE.${stream}.c.bedside.>`.replace('>', 'x'),
    `DIRECT.GET.${stream}`,
    `DIRECT.GET.${stream}.${META}`,
    `DIRECT.GET.${stream}.$O.bedside-bundles.C.x`,
  ]),
  'META.LEADER.STEPDOWN',
  'SERVER.REMOVE',
  'SERVER.STREAM.MOVE.A.S',
  'ACCOUNT.PURGE.STORE',
  'ACCOUNT.STREAM.MOVE.STORE.S',
  'ACCOUNT.STREAM.CANCEL_MOVE.STORE.S',
].map((verb) => `$JS.API.${verb}`);

/** All API subjects that each role may use in the account of the bundles. */
const listed = `DIRECT.GET.${STREAM}.${META}`;
const read = [`DIRECT.GET.${STREAM}`, listed];
const MAY: Readonly<Record<TestRole, readonly string[]>> = {
  worker: read,
  pinned: read,
  guest: read,
  client: [listed],
  observer: ['INFO', `DIRECT.GET.${ANCHORS}`],
  coordinator: [
    'INFO',
    ...['INFO', 'PURGE', 'MSG.GET'].map((verb) => `STREAM.${verb}.${STREAM}`),
    ...read,
    `DIRECT.GET.${ANCHORS}`,
  ],
  operator: [
    'INFO',
    ...['CREATE', 'INFO', 'DELETE', 'PURGE'].map((verb) => `STREAM.${verb}.${STREAM}`),
    ...['CREATE', 'INFO'].map((verb) => `STREAM.${verb}.${ANCHORS}`),
  ],
};

/** Subjects on which an attacker may want the server to publish. */
const VICTIMS = [
  'bedside.control.worker.pinned.coordinator.x',
  'bedside.tensor.coordinator.x.worker.pinned',
  'bedside.hello.worker.pinned.coordinator.x',
  'bedside.beat.worker.pinned',
  'bedside.entry.worker.pinned',
  'bedside.joined.worker.pinned',
  '_INBOX.coordinator.x.y.1',
  '_INBOX.worker.pinned.y.1',
  `$JS.API.STREAM.PURGE.${STREAM}`,
  `$JS.API.STREAM.DELETE.${STREAM}`,
  `$JS.API.STREAM.CREATE.EVIL`,
  `$JS.API.CONSUMER.CREATE.${STREAM}`,
  '$KV.bedside-fleet.trusted.guest',
  '$O.bedside-bundles.M.eA==',
  '$SYS.REQ.SERVER.PING',
];

describe.skipIf(!hasNatsServer)('JetStream', () => {
  let server: TestServer;
  let doors: Readonly<Record<'fabric' | 'store', RoleConnections>>;
  beforeAll(async () => {
    server = await TestServer.start({ ears: true });
    doors = {
      fabric: await RoleConnections.come(server, 'fabric'),
      store: await RoleConnections.come(server, 'store'),
    };
  });
  afterAll(async () => {
    for (const people of Object.values(doors)) await people.leave();
    await server.close();
  });

  it.each(ALL)('%s has no verb of it where nodes meet', async (who) => {
    expect(await doors.fabric.publishes(who, VERBS)).toEqual([]);
  });

  it.each(ALL)('%s has its own verbs where bundles are, and no other', async (who) => {
    // The payloads are not valid requests, so even allowed ones change nothing.
    const may = VERBS.filter((verb) => MAY[who].includes(verb.slice('$JS.API.'.length)));
    expect(may).toHaveLength(MAY[who].length);
    expect(await doors.store.publishes(who, VERBS)).toEqual(may);
    const other = ['$KV.x.y', '_INBOX.worker.pinned.1', 'bedside.beat.worker.pinned', '$JS.ACK.x', '_R_.x'];
    expect(await doors.store.publishes(who, [META, ANCHOR, ...other])).toEqual(
      who === 'coordinator' ? [META, ANCHOR] : [],
    );
    const heard = ['>', '$O.>', '$JS.>', '_INBOX.>', '_R_.>', '_INBOX.other.x.>'];
    expect(await doors.store.subscribes(who, heard)).toEqual([]);
  });

  it('says nothing where nodes meet, whatever is asked of it, by whom, and wherever the answer is to go', async () => {
    await using fabric = await Ear.open(server, 'FABRIC');
    for (const who of ALL) await tryAll(who);
    expect(await fabric.heard()).toEqual([]);
  });

  it('says nothing where bundles are for those who only read', async () => {
    await using store = await Ear.open(server, 'STORE');
    await new Objm(store.connection)
      .open('bedside-bundles')
      .then((objects) => objects.putBlob({ name: 'orders' }, Buffer.from('of an attacker')));
    const before = await store.messages();
    await store.heard();
    for (const who of [...WORKERS, 'client', 'observer'] as const) await tryAll(who);
    const subjects = new Set(
      (await store.heard()).map((subject) => subject.replace(/^(_R_|.*ADVISORY)\..*/, '$1')),
    );
    // Requests, their replies, and the advisories about them.
    expect([...subjects].sort()).toEqual(
      [
        ...['INFO', ...read, `DIRECT.GET.${ANCHORS}`].map((verb) => `$JS.API.${verb}`),
        ...['$JS.EVENT.ADVISORY', '_R_'],
      ].sort(),
    );
    expect(await store.messages()).toBe(before);
  });

  it('says nothing where bundles are for a coordinator but what it may say itself', async () => {
    await using store = await Ear.open(server, 'STORE');
    await tryAll('coordinator');
    const said = new Set(await store.heard());
    const purge = `$JS.API.STREAM.PURGE.${STREAM}`;
    expect(VICTIMS.filter((subject) => said.has(subject) && subject !== META)).toEqual([purge]);
    // The stream is there.
    expect(await store.messages()).toBeGreaterThanOrEqual(0);
  });

  /** Sends every allowed request, with replies to every subject. */
  async function tryAll(who: TestRole): Promise<void> {
    for (const door of ['fabric', 'store'] as const) {
      const connection = doors[door].connection(who);
      const verbs = new Set(
        [...MAY[who], ...read, 'INFO'].filter((verb) => !/PURGE|DELETE|CREATE/.test(verb)),
      );
      for (const verb of verbs) {
        for (const reply of VICTIMS)
          for (const said of trick(reply)) connection.publish(`$JS.API.${verb}`, ...said);
      }
      await doors[door].settled(who);
    }
  }
});

/** Listens to everything in an account. */
class Ear implements AsyncDisposable {
  readonly connection: NatsConnection;
  #subjects: string[] = [];

  private constructor(connection: NatsConnection) {
    this.connection = connection;
  }

  static async open(server: TestServer, account: Account): Promise<Ear> {
    const ear = new Ear(await server.ear(account));
    ear.connection.subscribe('>', { callback: (_, { subject }) => void ear.#subjects.push(subject) });
    await ear.connection.flush();
    return ear;
  }

  /** Subjects since the last call, except those of its own replies. */
  async heard(): Promise<string[]> {
    await this.connection.flush();
    return this.#subjects.splice(0).filter((subject) => !subject.startsWith('_INBOX.ear'));
  }

  async messages(): Promise<number> {
    return (await (await jetstreamManager(this.connection)).streams.info(STREAM)).state.messages;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.connection.close();
  }
}

/** Every form of request for one message. */
function trick(reply: string): [string, { reply: string; headers?: ReturnType<typeof headers> }][] {
  const asked = JSON.stringify({ seq: 1 });
  const told = headers();
  for (const name of ['Nats-Trace-Dest', 'Nats-Reply-To', 'Reply-To', 'Nats-Msg-Id']) told.set(name, reply);
  return [
    [asked, { reply }],
    ['', { reply }],
    [asked, { reply, headers: told }],
  ];
}
