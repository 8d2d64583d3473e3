// Anchors of audit logs on the server, in a bucket of NATS Key/Value: the newest values of each log, which nobody can remove.
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { ANCHOR_HISTORY } from '../cluster/buckets.ts';
import { connectNats, type NatsAccess, natsError } from '../transport/connect.ts';
import { ANCHOR_STREAM, anchorSubject, tokenOf } from '../transport/subjects.ts';

const TIMEOUT_MS = 2000;

/** Whose log, and which of theirs. */
export interface AnchorKey {
  /** The gateway: the name of its credentials where they have one. */
  readonly gateway: string;
  readonly log: string;
}

/** The anchors of a server. It has a connection of its own. */
export class AnchorBucket implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #client: JetStreamClient;
  readonly #manager: JetStreamManager;

  private constructor(connection: NatsConnection, client: JetStreamClient, manager: JetStreamManager) {
    this.#connection = connection;
    this.#client = client;
    this.#manager = manager;
  }

  /** Connects. @throws BedsideError E_FABRIC */
  static async open(access: NatsAccess): Promise<AnchorBucket> {
    const connection = await connectNats(access, { door: 'store' });
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS });
    return new AnchorBucket(connection, jetstream(connection, { timeout: TIMEOUT_MS }), manager);
  }

  /**
   * Writes the newest value of a key, which the server has stored when this resolves.
   * @throws BedsideError E_FABRIC when it cannot, or the credentials do not allow it
   */
  async put(key: AnchorKey, value: string): Promise<void> {
    try {
      await this.#client.publish(subjectOf(key), value, { expect: { streamName: ANCHOR_STREAM } });
    } catch (cause) {
      throw natsError(`the anchor ${key.gateway}/${key.log} cannot be written to the NATS server`, cause);
    }
  }

  /**
   * The values of a key that are kept, the newest last; none where it has no value.
   * @throws BedsideError E_FABRIC
   */
  async values(key: AnchorKey): Promise<string[]> {
    const values: string[] = [];
    try {
      for (let seq = 1; values.length <= ANCHOR_HISTORY; ) {
        const query = { seq, next_by_subj: subjectOf(key) };
        const found = await this.#manager.direct.getMessage(ANCHOR_STREAM, query);
        if (!found) break;
        values.push(Buffer.from(found.data).toString());
        seq = found.seq + 1;
      }
    } catch (cause) {
      throw natsError(`the anchor ${key.gateway}/${key.log} cannot be read from the NATS server`, cause);
    }
    return values;
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function subjectOf({ gateway, log }: AnchorKey): string {
  return anchorSubject(`${tokenOf(gateway)}.${tokenOf(log)}`);
}
