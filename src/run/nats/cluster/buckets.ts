// What a NATS server keeps for a cluster: entries of the fleet, which expire, and bundles.
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsError } from '../connect.ts';
import { BUNDLE_BUCKET, BUNDLE_STREAM, FLEET_BUCKET, FLEET_STREAM } from '../subjects.ts';

/** Milliseconds after which an entry that is not told again is gone. */
export const ENTRY_MS = 5000;

/** Bytes of entries; more are refused. */
const FLEET_BYTES = 64 << 20;

/**
 * Makes both buckets, where they are not there yet.
 * @returns whether one was missing
 * @throws BedsideError E_FABRIC when these credentials may not, or the server has no JetStream
 */
export async function makeBuckets(connection: NatsConnection): Promise<boolean> {
  try {
    const manager = await jetstreamManager(connection);
    const there = await Promise.all([FLEET_STREAM, BUNDLE_STREAM].map((name) => isThere(manager, name)));
    if (there.every(Boolean)) return false;
    if (!there[0]) {
      await new Kvm(connection).create(FLEET_BUCKET, {
        history: 1,
        ttl: ENTRY_MS,
        max_bytes: FLEET_BYTES,
        maxValueSize: 1 << 20,
        allow_direct: true,
      });
    }
    if (!there[1]) await new Objm(connection).create(BUNDLE_BUCKET, { description: 'bundles of bedside' });
    return true;
  } catch (cause) {
    throw natsError('the buckets of the cluster cannot be made', cause);
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
