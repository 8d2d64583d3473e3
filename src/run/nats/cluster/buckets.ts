// The storage that a NATS server has for a cluster: a bucket for bundles, and one for anchors of audit logs.
import { DiscardPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { messageOf } from '../../../util/index.ts';
import { natsError } from '../transport/connect.ts';
import {
  ANCHOR_BUCKET,
  ANCHOR_STREAM,
  anchorSubject,
  BUNDLE_BUCKET,
  BUNDLE_STREAM,
} from '../transport/subjects.ts';

/** Values of an anchor that are kept, the most that NATS Key/Value has. */
export const ANCHOR_HISTORY = 64;

/** Bytes of a value: a count, a hash and a signature, with room. */
const ANCHOR_BYTES = 4096;

/**
 * Creates the buckets, unless they exist.
 * @param connection in the account where bundles are stored
 * @returns whether one was missing
 * @throws BedsideError E_FABRIC if the credentials do not allow it, or the server has no JetStream
 */
export async function makeBuckets(connection: NatsConnection): Promise<boolean> {
  try {
    const manager = await jetstreamManager(connection);
    const bundles = await isThere(manager, BUNDLE_STREAM);
    if (!bundles) await new Objm(connection).create(BUNDLE_BUCKET, { description: 'bundles of bedside' });
    const anchors = await hasAnchors(manager);
    if (!anchors) await makeAnchors(manager);
    return !bundles || !anchors;
  } catch (cause) {
    throw natsError('the bucket of the cluster cannot be made', cause);
  }
}

/** A server whose configuration is older than anchors refuses the question; it goes on without them. */
async function hasAnchors(manager: JetStreamManager): Promise<boolean> {
  try {
    return await isThere(manager, ANCHOR_STREAM);
  } catch (error) {
    if (/permission/i.test(messageOf(error))) return true;
    throw error;
  }
}

/** A bucket of NATS Key/Value whose values nobody can remove: only newer ones push the oldest out. */
async function makeAnchors(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({
    name: ANCHOR_STREAM,
    description: `${ANCHOR_BUCKET}: ends of audit logs of bedside`,
    subjects: [anchorSubject('>')],
    max_msgs_per_subject: ANCHOR_HISTORY,
    max_msg_size: ANCHOR_BYTES,
    discard: DiscardPolicy.New,
    allow_direct: true,
    allow_rollup_hdrs: false,
    deny_delete: true,
    deny_purge: true,
  });
}

async function isThere(manager: JetStreamManager, name: string): Promise<boolean> {
  try {
    await manager.streams.info(name);
    return true;
  } catch (error) {
    if (/not found/.test(String(error))) return false;
    throw error;
  }
}
