// Heartbeats as bytes. A plain heartbeat is not signed. The last one says that the node goes, and must be signed for
// the current instance of the node.
import { type SigningIdentity, signStatement, verifyStatement } from '../identity/statement.ts';
import type { Heartbeat } from './heartbeat.ts';

/** One run of a node, from joining to leaving, and how often it has lost a connection. */
export interface NodeInstance {
  readonly name: string;
  readonly instance: string;
  readonly connections: number;
}

const MAX_BYTES = 8192;

/** The text of a heartbeat. @param bye reason for leaving, if the node goes */
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
 * Reads a heartbeat and the instance of its sender; undefined if it is malformed, or if its farewell is not valid.
 * @param peer the expected sender, and the instance with which this node has a secure session. On a server with
 * credentials a farewell is valid only for that instance.
 */
export function decodeHeartbeat(
  data: Uint8Array,
  own: SigningIdentity | undefined,
  { peer, instance: known }: { readonly peer: string; readonly instance: string | undefined },
): (Heartbeat & { readonly instance: string }) | undefined {
  if (data.length > MAX_BYTES) return undefined;
  try {
    const { instance, connections, farewell } = JSON.parse(Buffer.from(data).toString()) as {
      readonly [key: string]: unknown;
    };
    if (typeof instance !== 'string' || typeof connections !== 'number') return undefined;
    const session = `${instance} ${connections}`;
    if (farewell === undefined) return { session, instance, reconnected: connections > 0 };
    const statement =
      typeof farewell === 'string' ? verifyStatement(own, 'farewell', farewell, peer) : undefined;
    if (!statement) return undefined;
    const bye = JSON.parse(statement.text) as { readonly [key: string]: unknown };
    if (bye.name !== peer || bye.instance !== instance || typeof bye.why !== 'string') return undefined;
    return !own || instance === known ? { session, instance, bye: bye.why } : undefined;
  } catch {
    return undefined;
  }
}
