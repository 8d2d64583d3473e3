// Which subject carries what. A node is two tokens: its role and its name. Every message names its receiver and its sender
// in its subject, so that the server's permissions, and not the sender's word, say who may tell what to whom.
import { must } from '../../../util/index.ts';

/** Nodes by what they may do. */
export const NODE_ROLES = ['worker', 'client', 'coordinator'] as const;
export type NodeRole = (typeof NODE_ROLES)[number];

/** Bucket of bundles, and the stream that holds it. */
export const BUNDLE_BUCKET = 'bedside-bundles';
export const BUNDLE_STREAM = `OBJ_${BUNDLE_BUCKET}`;

/** What goes over the connection of tensors, and over that of the rest. */
export type Channel = 'tensor' | 'control';

/** What nodes tell each other: `hello` makes the keys of the rest. */
export type SubjectChannel = Channel | 'hello';

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
export function messageSubject(channel: SubjectChannel, to: string, from: string): string {
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
export const heartbeatSubject = (tokens: string): string => `bedside.beat.${tokens}`;

/** Asked before joining: the server says whether somebody listens, and nobody answers. */
export const nameCheckSubject = (tokens: string): string => `bedside.who.${tokens}`;

/** Said once by who joins: keys made with the one before of its name are void. */
export const joinedSubject = (tokens: string): string => `bedside.joined.${tokens}`;

/** What a worker says of itself. */
export const announcementSubject = (tokens: string): string => `bedside.entry.${tokens}`;

/** Asked of all workers by who wants their entries. */
export const rollCallSubject = (tokens: string): string => `bedside.roll.${tokens}`;

/** Where answers of the server come in. */
export const inboxPrefix = (tokens: string): string => `_INBOX.${tokens}`;
