// The subjects that each role may publish and subscribe to, in each account of the server; docs/cluster.md lists them.
//
// The server replies to JetStream requests on any subject that the sender names, without checking that the sender may
// publish there. Nodes therefore meet in an account without JetStream and imports, in which nobody can make the server
// publish anything. Bundles are in an account of their own. Two further accounts import single requests from it: one to
// read and one to write. Replies arrive in the account of the sender, so that only the operator can cause messages in
// the account of the bundles.
import {
  ANCHOR_STREAM,
  anchorSubject,
  announcementSubject,
  BUNDLE_BUCKET,
  BUNDLE_STREAM,
  heartbeatSubject,
  inboxPrefix,
  joinedSubject,
  messageSubject,
  NODE_ROLES,
  nameCheckSubject,
  rollCallSubject,
  type SubjectChannel,
  tokenOf,
} from '../transport/subjects.ts';

/**
 * `worker` computes; `client` asks for results; `coordinator` also publishes bundles and keeps anchors of audit logs;
 * `observer` sees the fleet, and reads anchors; `operator` makes the buckets.
 */
export const ROLES = [...NODE_ROLES, 'observer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** The accounts: where nodes meet, where bundles are stored, and from where they are written and read. */
export const ACCOUNTS = ['FABRIC', 'STORE', 'WRITE', 'READ'] as const;
export type Account = (typeof ACCOUNTS)[number];

/** A node that may connect. */
export interface Identity {
  readonly role: Role;
  /** The only name that the node may have; absent: any name of its role. */
  readonly name?: string | undefined;
  /** For a worker: whether the operator trusts it. */
  readonly trusted?: boolean | undefined;
}

/** Subjects, with wildcards. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const API = '$JS.API';
const BUNDLE_LISTED = `${API}.DIRECT.GET.${BUNDLE_STREAM}.$O.${BUNDLE_BUCKET}.M.*`;
const BUNDLE_BYTES = `${API}.DIRECT.GET.${BUNDLE_STREAM}`;
const ANCHORS_READ = `${API}.DIRECT.GET.${ANCHOR_STREAM}`;

/** The services that accounts import from `STORE`. */
export const IMPORTS: Readonly<Record<'READ' | 'WRITE', readonly string[]>> = {
  READ: [BUNDLE_LISTED, BUNDLE_BYTES, ANCHORS_READ, `${API}.INFO`],
  WRITE: [
    `$O.${BUNDLE_BUCKET}.>`,
    ...[BUNDLE_LISTED, BUNDLE_BYTES, `${API}.INFO`],
    `${API}.STREAM.INFO.${BUNDLE_STREAM}`,
    `${API}.STREAM.MSG.GET.${BUNDLE_STREAM}`,
    // Removes the chunks of an object that could not be written completely.
    `${API}.STREAM.PURGE.${BUNDLE_STREAM}`,
    ...[anchorSubject('*.*'), ANCHORS_READ],
  ],
};

/** The account in which a role reaches bundles. */
export function storeOf(role: Role): Exclude<Account, 'FABRIC'> {
  if (role === 'operator') return 'STORE';
  return role === 'coordinator' ? 'WRITE' : 'READ';
}

/** The permissions of an identity in an account; none if it is not a user of the account. */
export function permissionsOf(identity: Identity, account: Account): Permissions {
  const { role, name } = identity;
  const own = `${role}.${name === undefined ? '*' : tokenOf(name)}`;
  const inbox = `${inboxPrefix(own)}.>`;
  if (account === 'FABRIC') return fabricPermissions(role, own, inbox);
  const publish = storeOf(role) === account ? storedFor(identity) : [];
  return { publish, subscribe: publish.length > 0 ? [inbox] : [] };
}

/** Subjects of JetStream's API that each role may publish to. */
const STORED: Readonly<Record<Role, readonly string[]>> = {
  worker: [BUNDLE_LISTED, BUNDLE_BYTES],
  client: [BUNDLE_LISTED],
  observer: [`${API}.INFO`, ANCHORS_READ],
  coordinator: IMPORTS.WRITE,
  operator: [
    `${API}.INFO`,
    ...['CREATE', 'INFO', 'DELETE', 'PURGE'].map((verb) => `${API}.STREAM.${verb}.${BUNDLE_STREAM}`),
    // Neither emptied nor removed: anchors are evidence.
    ...['CREATE', 'INFO'].map((verb) => `${API}.STREAM.${verb}.${ANCHOR_STREAM}`),
  ],
};

/** As `STORED`; a coordinator with a name keeps anchors under that name alone. */
function storedFor({ role, name }: Identity): readonly string[] {
  if (name === undefined) return STORED[role];
  const any = anchorSubject('*.*');
  return STORED[role].map((subject) => (subject === any ? anchorSubject(`${tokenOf(name)}.*`) : subject));
}

function fabricPermissions(role: Role, own: string, inbox: string): Permissions {
  const channels: readonly SubjectChannel[] = ['tensor', 'control', 'hello'];
  const sendTo = (to: string): string[] => channels.map((one) => messageSubject(one, to, own));
  const received = [...channels.map((one) => messageSubject(one, own, '*.*')), inbox, nameCheckSubject(own)];
  const node = [heartbeatSubject(own), joinedSubject(own), rollCallSubject(own)];
  const entries = announcementSubject('worker.*');
  switch (role) {
    case 'worker':
      return {
        // `nameCheckSubject`: to check whether a name is free or a peer is there.
        publish: [...sendTo('*.*'), ...node, announcementSubject(own), nameCheckSubject('worker.*')],
        subscribe: [...received, joinedSubject('*.*'), entries, rollCallSubject('*.*')],
      };
    case 'client':
      return {
        publish: [...sendTo('worker.*'), ...node, nameCheckSubject('worker.*'), nameCheckSubject(own)],
        subscribe: [...received, joinedSubject('*.*'), entries, heartbeatSubject('worker.*')],
      };
    case 'coordinator':
      return {
        publish: [...sendTo('*.*'), ...node, nameCheckSubject('*.*')],
        subscribe: [...received, joinedSubject('*.*'), entries, heartbeatSubject('*.*')],
      };
    case 'observer':
    case 'operator':
      return { publish: [rollCallSubject(own)], subscribe: [inbox, entries, heartbeatSubject('*.*')] };
  }
}
