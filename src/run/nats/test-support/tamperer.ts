// Listens to all tensors on a server and repeats some: at once, or long after, when their requests have ended or have a
// new plan. Only keys for any name allow this, which is why each device of a cluster should have a key for its own
// name.
import type { NatsConnection } from '@nats-io/transport-node';
import { must } from '../../../util/index.ts';
import type { Random } from '../../../util/internal.ts';
import { connectNats } from '../transport/connect.ts';
import { messageSubject, senderOf } from '../transport/subjects.ts';
import type { TestServer } from './nats-server.ts';

interface Heard {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** Repeats tensors of other nodes. `await using` ends it. */
export class Tamperer implements AsyncDisposable {
  repeated = 0;
  replayed = 0;
  readonly #random: Random;
  readonly #connections: Readonly<Record<'worker' | 'coordinator', NatsConnection>>;
  readonly #old: Heard[] = [];

  private constructor(
    random: Random,
    connections: Readonly<Record<'worker' | 'coordinator', NatsConnection>>,
  ) {
    this.#random = random;
    this.#connections = connections;
  }

  /** @param onPart called for every tensor with its sender and its bytes */
  static async start(
    server: TestServer,
    random: Random,
    onPart: (from: string, data: Uint8Array) => void,
  ): Promise<Tamperer> {
    const [worker, coordinator] = await Promise.all(
      (['worker', 'coordinator'] as const).map(async (role) =>
        connectNats({ credentials: await server.credentials(role) }, { who: `${role}.tamperer` }),
      ),
    );
    const connections = {
      worker: must(worker, 'a connection'),
      coordinator: must(coordinator, 'a connection'),
    };
    const tamperer = new Tamperer(random, connections);
    for (const role of ['worker', 'coordinator'] as const) {
      connections[role].subscribe(messageSubject('tensor', `${role}.*`, '*.*'), {
        callback: (error, { subject, data }) => {
          if (error) return;
          onPart(senderOf(subject), data);
          tamperer.#hear({ subject, data: data.slice() });
        },
      });
      await connections[role].flush();
    }
    return tamperer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of Object.values(this.#connections)) await connection.close();
  }

  #hear(heard: Heard): void {
    if (this.#random.integer(8) === 0) {
      this.repeated++;
      setTimeout(() => this.#say(heard), 100 * this.#random.uniform() ** 4).unref();
    }
    this.#old.push(heard);
    if (this.#old.length > 50 && this.#random.integer(4) === 0) {
      this.replayed++;
      this.#say(must(this.#old[this.#random.integer(20)], 'an old one'));
    }
    if (this.#old.length > 100) this.#old.splice(0, 20);
  }

  /** Publishes in the name of the original sender. */
  #say({ subject, data }: Heard): void {
    const role = subject.split('.').at(-2) === 'worker' ? 'worker' : 'coordinator';
    const connection = this.#connections[role];
    if (!connection.isClosed()) connection.publish(subject, data);
  }
}
