// The storage that a NATS server has for a cluster: one bucket, for bundles.
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsError } from '../transport/connect.ts';
import { BUNDLE_BUCKET, BUNDLE_STREAM } from '../transport/subjects.ts';

/**
 * Creates the bucket for bundles, unless it exists.
 * @param connection in the account where bundles are stored
 * @returns whether it was missing
 * @throws BedsideError E_FABRIC if the credentials do not allow it, or the server has no JetStream
 */
export async function makeBuckets(connection: NatsConnection): Promise<boolean> {
  try {
    const manager = await jetstreamManager(connection);
    if (await isThere(manager, BUNDLE_STREAM)) return false;
    await new Objm(connection).create(BUNDLE_BUCKET, { description: 'bundles of bedside' });
    return true;
  } catch (cause) {
    throw natsError('the bucket of the cluster cannot be made', cause);
  }
}

async function isThere(
  manager: Awaited<ReturnType<typeof jetstreamManager>>,
  name: string,
): Promise<boolean> {
  try {
    await manager.streams.info(name);
    return true;
  } catch (error) {
    if (/not found/.test(String(error))) return false;
    throw error;
  }
}
