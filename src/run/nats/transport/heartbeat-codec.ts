// What a node says of itself at every beat, as bytes. That it lives anybody may say under its subject; that it goes it must
// sign, for the life that it has now.

import { type SigningIdentity, signStatement, verifyStatement } from '../identity/statement.ts';
import type { Heartbeat } from './heartbeat.ts';

/** Which life of a node it is, and how many connections it has lost in it. */
export interface NodeInstance {
  readonly name: string;
  readonly instance: string;
  readonly connections: number;
}

const MAX_BYTES = 8192;

/** @param bye why it goes */
export function encodeHeartbeat(
  { name, instance, connections }: NodeInstance,
  bye: string | undefined,
  own: SigningIdentity | undefined,
): string {
  const farewell =
    bye === undefined
      ? undefined
      : signStatement(own, 'farewell', JSON.stringify({ name, instance, why: bye }));
  return JSON.stringify({ instance, connections, farewell });
}

/**
 * A beat, and the life that it is of; undefined for what is none, and for a farewell that does not hold.
 * @param of whom it is to be of; on a server with credentials, a farewell holds for the life that a session is with
 */
export function decodeHeartbeat(
  data: Uint8Array,
  own: SigningIdentity | undefined,
  { peer, instance: life }: { readonly peer: string; readonly instance: string | undefined },
): (Heartbeat & { readonly instance: string }) | undefined {
  if (data.length > MAX_BYTES) return undefined;
  try {
    const { instance, connections, farewell } = JSON.parse(Buffer.from(data).toString()) as {
      readonly [key: string]: unknown;
    };
    if (typeof instance !== 'string' || typeof connections !== 'number') return undefined;
    const session = `${instance} ${connections}`;
    if (farewell === undefined) return { session, instance };
    const statement =
      typeof farewell === 'string' ? verifyStatement(own, 'farewell', farewell, peer) : undefined;
    if (!statement) return undefined;
    const said = JSON.parse(statement.text) as { readonly [key: string]: unknown };
    if (said.name !== peer || said.instance !== instance || typeof said.why !== 'string') return undefined;
    return !own || instance === life ? { session, instance, bye: said.why } : undefined;
  } catch {
    return undefined;
  }
}
