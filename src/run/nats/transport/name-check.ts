// Checks that a node may have a name: its credentials must allow it, and no other node may have it.
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { BedsideError } from '../../../util/index.ts';
import type { NatsAccess } from './connect.ts';
import { addressOf, nameCheckSubject, tokenOf } from './subjects.ts';

/** Milliseconds within which the server reports that a name is free. */
const REPLY_MS = 500;

/** Whether no node has the name with these tokens. */
export async function isNameFree(connection: NatsConnection, tokens: string): Promise<boolean> {
  try {
    await connection.request(nameCheckSubject(tokens), '', { timeout: REPLY_MS });
  } catch (error) {
    if (error instanceof errors.NoRespondersError) return true;
    if (error instanceof errors.RequestError && error.isNoResponders()) return true;
    if (!(error instanceof errors.TimeoutError)) throw error;
  }
  return false;
}

/** @throws BedsideError E_FABRIC if another node has the name */
export async function assertNameFree(
  connection: NatsConnection,
  tokens: string,
  name: string,
): Promise<void> {
  if (await isNameFree(connection, tokens)) return;
  throw new BedsideError('E_FABRIC', `node '${name}' cannot join: the name is taken`, {
    hint: 'give every node a name of its own; one that has just been killed is gone after a few seconds',
  });
}

/** Refuses a name that the server would refuse anyway, with a clear error. @throws BedsideError E_FABRIC */
export function assertNameAllowed({ credentials }: NatsAccess, name: string): void {
  if (!credentials) return;
  const { role, name: only } = credentials;
  const wanted = addressOf(name);
  const fits = role === wanted.role && (only === undefined || tokenOf(only) === wanted.token);
  if (fits) return;
  throw new BedsideError(
    'E_FABRIC',
    `these credentials are for ${only === undefined ? `any ${role}` : `the ${role} '${only}'`}, not for '${name}'`,
    { hint: 'bedside cluster init writes credentials for each role, and with --workers for each device' },
  );
}

/** Whether the server answers, and so has taken all that was sent before; false where the connection is lost first. */
export function isAnswered(connection: NatsConnection): Promise<boolean> {
  return connection.flush().then(
    () => true,
    () => false,
  );
}
