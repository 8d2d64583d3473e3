// What each role may publish and subscribe to, in each account of the server. Written out in docs/cluster.md.
//
// The server answers questions to JetStream on whatever subject the asker names, without asking whether the asker may
// publish there. So nodes meet in an account that has no JetStream and imports nothing, where nobody can have the server say
// anything. Bundles lie in an account of their own, of which two more import single questions: one to read, one to write.
// Answers come in the account of who asks, so nobody but the operator can have anything said where bundles are.
import {
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
 * `worker` computes; `client` asks for results; `coordinator` also publishes bundles; `observer` sees the fleet;
 * `operator` makes the bucket.
 */
export const ROLES = [...NODE_ROLES, 'observer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Where nodes meet; where bundles lie; and from where they are written and read. */
export const ACCOUNTS = ['FABRIC', 'STORE', 'WRITE', 'READ'] as const;
export type Account = (typeof ACCOUNTS)[number];

/** One who may connect. */
export interface Identity {
  readonly role: Role;
  /** The only name that it may bear; absent: any of its role. */
  readonly name?: string | undefined;
  /** Workers: whether the operator trusts them. */
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

/** What accounts import of `STORE`, as services, and nothing else. */
export const IMPORTS: Readonly<Record<'READ' | 'WRITE', readonly string[]>> = {
  READ: [BUNDLE_LISTED, BUNDLE_BYTES, `${API}.INFO`],
  WRITE: [
    `$O.${BUNDLE_BUCKET}.>`,
    ...[BUNDLE_LISTED, BUNDLE_BYTES, `${API}.INFO`],
    `${API}.STREAM.INFO.${BUNDLE_STREAM}`,
    `${API}.STREAM.MSG.GET.${BUNDLE_STREAM}`,
    // The chunks of an object that could not be written whole.
    `${API}.STREAM.PURGE.${BUNDLE_STREAM}`,
  ],
};

/** The account in which a role reaches bundles. */
export function storeOf(role: Role): Exclude<Account, 'FABRIC'> {
  if (role === 'operator') return 'STORE';
  return role === 'coordinator' ? 'WRITE' : 'READ';
}

/** What the server lets an identity do in an account; nothing where it is no user of it. */
export function permissionsOf(identity: Identity, account: Account): Permissions {
  const { role, name } = identity;
  const own = `${role}.${name === undefined ? '*' : tokenOf(name)}`;
  const inbox = `${inboxPrefix(own)}.>`;
  if (account === 'FABRIC') return fabricOf(role, own, inbox);
  const publish = storeOf(role) === account ? STORED[role] : [];
  return { publish, subscribe: publish.length > 0 ? [inbox] : [] };
}

/** Of JetStream's API. */
const STORED: Readonly<Record<Role, readonly string[]>> = {
  worker: [BUNDLE_LISTED, BUNDLE_BYTES],
  client: [BUNDLE_LISTED],
  observer: [`${API}.INFO`],
  coordinator: IMPORTS.WRITE,
  operator: [
    `${API}.INFO`,
    ...['CREATE', 'INFO', 'DELETE', 'PURGE'].map((verb) => `${API}.STREAM.${verb}.${BUNDLE_STREAM}`),
  ],
};

function fabricOf(role: Role, own: string, inbox: string): Permissions {
  const told: readonly SubjectChannel[] = ['tensor', 'control', 'hello'];
  const tell = (to: string): string[] => told.map((one) => messageSubject(one, to, own));
  const heard = [...told.map((one) => messageSubject(one, own, '*.*')), inbox, nameCheckSubject(own)];
  const node = [heartbeatSubject(own), joinedSubject(own), rollCallSubject(own)];
  const entries = announcementSubject('worker.*');
  switch (role) {
    case 'worker':
      return {
        // Whether a name, or a peer, is there.
        publish: [...tell('*.*'), ...node, announcementSubject(own), nameCheckSubject('worker.*')],
        subscribe: [...heard, joinedSubject('*.*'), entries, rollCallSubject('*.*')],
      };
    case 'client':
      return {
        publish: [...tell('worker.*'), ...node, nameCheckSubject('worker.*'), nameCheckSubject(own)],
        subscribe: [...heard, joinedSubject('*.*'), entries, heartbeatSubject('worker.*')],
      };
    case 'coordinator':
      return {
        publish: [...tell('*.*'), ...node, nameCheckSubject('*.*')],
        subscribe: [...heard, joinedSubject('*.*'), entries, heartbeatSubject('*.*')],
      };
    case 'observer':
    case 'operator':
      return { publish: [rollCallSubject(own)], subscribe: [inbox, entries, heartbeatSubject('*.*')] };
  }
}
