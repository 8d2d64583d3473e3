// The subjects of a cluster. Two tokens stand for a node: its role and its name. The subject of every message names
// receiver and sender, so that the server's permissions, and not the sender's claims, decide who may send what to whom.
import { must } from '../../../util/index.ts';

/** Roles of nodes that exchange messages. */
export const NODE_ROLES = ['worker', 'client', 'coordinator'] as const;
export type NodeRole = (typeof NODE_ROLES)[number];

/** The bucket for bundles, and the name of its stream. */
export const BUNDLE_BUCKET = 'bedside-bundles';
export const BUNDLE_STREAM = `OBJ_${BUNDLE_BUCKET}`;

/** The bucket for anchors of audit logs, and the name of its stream, as NATS Key/Value has them. */
export const ANCHOR_BUCKET = 'bedside-audit';
export const ANCHOR_STREAM = `KV_${ANCHOR_BUCKET}`;

/** The subject of an anchor: two tokens, of the gateway and of the log, or wildcards. */
export const anchorSubject = (tokens: string): string => `$KV.${ANCHOR_BUCKET}.${tokens}`;

/** The two connections of a node: one for tensors, one for the rest. */
export type Channel = 'tensor' | 'control';

/** The kinds of messages between nodes: `hello` agrees on the keys for the others. */
export type SubjectChannel = Channel | 'hello';

/** A node as its subjects name it. */
export interface NodeAddress {
  readonly role: NodeRole;
  /** The name as a token of a subject. */
  readonly token: string;
}

/** The role of a node. Names that start with `client/` or `coordinator/` have that role; all others are workers. */
export function roleOf(name: string): NodeRole {
  return NODE_ROLES.find((one) => one !== 'worker' && name.startsWith(`${one}/`)) ?? 'worker';
}

/** The address of a node. */
export function addressOf(name: string): NodeAddress {
  const role = roleOf(name);
  return { role, token: tokenOf(role === 'worker' ? name : name.slice(role.length + 1)) };
}

/** The name of a node, as other nodes use it. */
export function nameOf(role: string, token: string): string {
  return role === 'worker' ? nameOfToken(token) : `${role}/${nameOfToken(token)}`;
}

/** Any text as one token. All but letters, digits, `-` and `_` become `=` and two hexadecimal digits for each byte. */
export function tokenOf(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[\w-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/** The text of a token, as written by `tokenOf`. */
export function nameOfToken(token: string): string {
  return Buffer.from(
    token.replace(
      /=([0-9a-f]{2})|./g,
      (char, hex: string | undefined) => hex ?? Buffer.from(char).toString('hex'),
    ),
    'hex',
  ).toString();
}

/** The subject of messages from one node to another, each given as two tokens or wildcards. */
export function messageSubject(channel: SubjectChannel, to: string, from: string): string {
  return `bedside.${channel}.${to}.${from}`;
}

/** An address as two tokens, `role.name`. */
export function tokensOf({ role, token }: NodeAddress): string {
  return `${role}.${token}`;
}

/** Senders by subject: every message asks. Bounded, because other nodes can invent any number of names. */
const senders = new Map<string, string>();
const MAX_SENDERS = 4096;

/** The name of the node that sent a message on this subject. */
export function senderOf(subject: string): string {
  const known = senders.get(subject);
  if (known !== undefined) return known;
  const [role, token] = subject.split('.').slice(-2);
  const name = nameOf(must(role, 'a role'), must(token, 'a name'));
  if (senders.size >= MAX_SENDERS) senders.clear();
  senders.set(subject, name);
  return name;
}

/** Heartbeats of a node. */
export const heartbeatSubject = (tokens: string): string => `bedside.beat.${tokens}`;

/**
 * Published before joining: the server reports whether anybody has subscribed, so the name is taken. Nobody replies.
 */
export const nameCheckSubject = (tokens: string): string => `bedside.who.${tokens}`;

/** Published once by a node that joins: session keys of an earlier node with this name become void. */
export const joinedSubject = (tokens: string): string => `bedside.joined.${tokens}`;

/** Announcements of a worker. */
export const announcementSubject = (tokens: string): string => `bedside.entry.${tokens}`;

/** Asks all workers for an announcement. */
export const rollCallSubject = (tokens: string): string => `bedside.roll.${tokens}`;

/** Prefix of the subjects on which the server's replies arrive. */
export const inboxPrefix = (tokens: string): string => `_INBOX.${tokens}`;
