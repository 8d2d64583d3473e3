// What each role may publish and subscribe to: the whole of who is believed and who reads what. No role may make consumers:
// a consumer could be told to deliver to any subject, past all of this. Written out in docs/cluster.md.
import {
  BUNDLE_BUCKET,
  BUNDLE_STREAM,
  beatSubject,
  entryKey,
  FLEET_BUCKET,
  FLEET_STREAM,
  inboxPrefix,
  messageSubject,
  NODE_ROLES,
  tokenOf,
  whoSubject,
} from '../subjects.ts';

/**
 * `worker` computes; `client` asks for results; `coordinator` also publishes bundles; `observer` sees the fleet;
 * `operator` makes the buckets.
 */
export const ROLES = [...NODE_ROLES, 'observer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** One who may connect. */
export interface Identity {
  readonly role: Role;
  /** The only name that it may bear; absent: any of its role. */
  readonly name?: string | undefined;
  /** Workers: whether they may say that they are trusted. */
  readonly trusted?: boolean | undefined;
}

/** Subjects, with wildcards. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const API = '$JS.API';
const ENTRIES = [`${API}.STREAM.INFO.${FLEET_STREAM}`, `${API}.DIRECT.GET.${FLEET_STREAM}.>`];
const BUNDLE_LISTED = `${API}.DIRECT.GET.${BUNDLE_STREAM}.$O.${BUNDLE_BUCKET}.M.>`;
const BUNDLE_BYTES = `${API}.DIRECT.GET.${BUNDLE_STREAM}`;

/** What the server lets an identity do. */
export function permissionsOf({ role, name, trusted = true }: Identity): Permissions {
  const token = name === undefined ? '*' : tokenOf(name);
  const own = `${role}.${token}`;
  const inbox = `${inboxPrefix(own)}.>`;
  const heard = [messageSubject('tensor', own, '*.*'), messageSubject('control', own, '*.*'), inbox];
  switch (role) {
    case 'worker':
      return {
        publish: [
          ...told('*.*', own),
          beatSubject(own),
          // Whether a name, or a peer, is there.
          whoSubject('worker.*'),
          `$KV.${FLEET_BUCKET}.${entryKey(trusted, token)}`,
          ...ENTRIES,
          BUNDLE_LISTED,
          BUNDLE_BYTES,
        ],
        subscribe: [...heard, whoSubject(own)],
      };
    case 'client':
      return {
        publish: [
          ...told('worker.*', own),
          beatSubject(own),
          ...[whoSubject('worker.*'), whoSubject(own)],
          ...ENTRIES,
          BUNDLE_LISTED,
        ],
        subscribe: [...heard, whoSubject(own), beatSubject('worker.*')],
      };
    case 'coordinator':
      return {
        publish: [
          ...told('*.*', own),
          beatSubject(own),
          whoSubject('*.*'),
          ...ENTRIES,
          BUNDLE_LISTED,
          ...bundleWriting(),
        ],
        subscribe: [...heard, whoSubject(own), beatSubject('*.*')],
      };
    case 'observer':
      return { publish: [...ENTRIES, `${API}.INFO`], subscribe: [inbox, beatSubject('*.*')] };
    case 'operator':
      return {
        publish: [
          `${API}.INFO`,
          ...[FLEET_STREAM, BUNDLE_STREAM].flatMap((stream) =>
            ['CREATE', 'UPDATE', 'INFO', 'DELETE', 'PURGE'].map((verb) => `${API}.STREAM.${verb}.${stream}`),
          ),
          `${API}.DIRECT.GET.${FLEET_STREAM}.>`,
          BUNDLE_LISTED,
        ],
        subscribe: [inbox, beatSubject('*.*')],
      };
  }
}

function told(to: string, own: string): string[] {
  return [messageSubject('tensor', to, own), messageSubject('control', to, own)];
}

function bundleWriting(): string[] {
  return [
    `$O.${BUNDLE_BUCKET}.>`,
    BUNDLE_BYTES,
    `${API}.INFO`,
    `${API}.STREAM.INFO.${BUNDLE_STREAM}`,
    `${API}.STREAM.MSG.GET.${BUNDLE_STREAM}`,
    // The chunks of an object that could not be written whole.
    `${API}.STREAM.PURGE.${BUNDLE_STREAM}`,
  ];
}
