// Which subject carries what. A node is two tokens: its role and its name. Every message names its receiver and its sender
// in its subject, so that the server's permissions, and not the sender's word, say who may tell what to whom.
import { must } from '../../util/index.ts';

/** Nodes by what they may do. */
export const NODE_ROLES = ['worker', 'client', 'coordinator'] as const;
export type NodeRole = (typeof NODE_ROLES)[number];

/** Bucket of presence and fleet entries, and of bundles; and the streams that hold them. */
export const FLEET_BUCKET = 'bedside-fleet';
export const FLEET_STREAM = `KV_${FLEET_BUCKET}`;
export const BUNDLE_BUCKET = 'bedside-bundles';
export const BUNDLE_STREAM = `OBJ_${BUNDLE_BUCKET}`;

/** What goes over the connection of tensors, and over that of the rest. */
export type Channel = 'tensor' | 'control';

export interface NodeAddress {
  readonly role: NodeRole;
  /** As a token of a subject. */
  readonly token: string;
}

/** The address of a node: `client/…` and `coordinator/…` are requesters, any other name is a worker. */
export function addressOf(name: string): NodeAddress {
  const slash = name.indexOf('/');
  const role = NODE_ROLES.find((one) => one === name.slice(0, slash));
  if (slash < 0 || role === undefined || role === 'worker') return { role: 'worker', token: tokenOf(name) };
  return { role, token: tokenOf(name.slice(slash + 1)) };
}

/** The name of a node, as others call it. */
export function nameOf(role: string, token: string): string {
  return role === 'worker' ? nameOfToken(token) : `${role}/${nameOfToken(token)}`;
}

/** Any text as one token: what is no letter, digit, `-` or `_` becomes `=` and the two digits of each of its bytes. */
export function tokenOf(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[\w-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

export function nameOfToken(token: string): string {
  return Buffer.from(
    token.replace(
      /=([0-9a-f]{2})|./g,
      (char, hex: string | undefined) => hex ?? Buffer.from(char).toString('hex'),
    ),
    'hex',
  ).toString();
}

/** What `from` tells `to`. Either may be a pair of wildcards. */
export function messageSubject(channel: Channel, to: string, from: string): string {
  return `bedside.${channel}.${to}.${from}`;
}

/** An address as two tokens. */
export function tokensOf({ role, token }: NodeAddress): string {
  return `${role}.${token}`;
}

/** Who sent what came on a subject. */
export function senderOf(subject: string): string {
  const [role, token] = subject.split('.').slice(-2);
  return nameOf(must(role, 'a role'), must(token, 'a name'));
}

/** Signs of life of a node. */
export const beatSubject = (tokens: string): string => `bedside.beat.${tokens}`;

/** Asked before joining: the server says whether somebody listens, and nobody answers. */
export const whoSubject = (tokens: string): string => `bedside.who.${tokens}`;

/** Key of a worker's entry. Its first part is what the server lets it claim to be. */
export const entryKey = (trusted: boolean, token: string): string =>
  `${trusted ? 'trusted' : 'guest'}.${token}`;

/** Where answers of the server come in. */
export const inboxPrefix = (tokens: string): string => `_INBOX.${tokens}`;
