// One connection for each role of a server, and the subjects that the server refuses it.
import { setTimeout as sleep } from 'node:timers/promises';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { must } from '../../../util/index.ts';
import type { Role } from '../cluster/roles.ts';
import { connectNats, type NatsAccount } from '../transport/connect.ts';
import type { TestServer } from './nats-server.ts';

/** The tested identities; some are bound to a name. */
const WHO = {
  worker: { role: 'worker' },
  pinned: { role: 'worker', name: 'pinned' },
  guest: { role: 'worker', name: 'guest' },
  client: { role: 'client' },
  coordinator: { role: 'coordinator' },
  observer: { role: 'observer' },
  operator: { role: 'operator' },
} as const satisfies Record<string, { role: Role; name?: string }>;
export type TestRole = keyof typeof WHO;

export const ALL = Object.keys(WHO) as TestRole[];
export const WORKERS: readonly TestRole[] = ['worker', 'pinned', 'guest'];

/** The connections of all tested identities. */
export class RoleConnections {
  readonly #connections = new Map<TestRole, NatsConnection>();
  readonly #refused = new Map<TestRole, Set<string>>();

  static async come(server: TestServer, door: NatsAccount): Promise<RoleConnections> {
    const people = new RoleConnections();
    for (const who of ALL) {
      const identity: { role: Role; name?: string } = WHO[who];
      const credentials = await server.credentials(identity.role, identity.name);
      const connection = await connectNats({ credentials }, { door });
      const own = new Set<string>();
      people.#refused.set(who, own);
      people.#connections.set(who, connection);
      void (async () => {
        for await (const status of connection.status()) {
          if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
          own.add(`${status.error.operation} ${status.error.subject}`);
        }
      })();
    }
    return people;
  }

  connection(who: TestRole): NatsConnection {
    return must(this.#connections.get(who), 'a connection');
  }

  /** Waits until refusals of the server have arrived. */
  async settled(who: TestRole): Promise<void> {
    await this.connection(who).flush();
    await sleep(50);
  }

  /** Those of the subjects to which a role may subscribe. */
  async subscribes(who: TestRole, subjects: readonly string[]): Promise<string[]> {
    const subscriptions = subjects.map((subject) =>
      this.connection(who).subscribe(subject, { callback: () => {} }),
    );
    await this.settled(who);
    for (const subscription of subscriptions) subscription.unsubscribe();
    return subjects.filter((subject) => !this.#refused.get(who)?.has(`subscription ${subject}`));
  }

  /** Those of the subjects to which a role may publish. The payloads are malformed. */
  async publishes(who: TestRole, subjects: readonly string[]): Promise<string[]> {
    for (const subject of subjects) this.connection(who).publish(subject, 'x');
    await this.settled(who);
    return subjects.filter((subject) => !this.#refused.get(who)?.has(`publish ${subject}`));
  }

  async leave(): Promise<void> {
    for (const connection of this.#connections.values()) await connection.close();
  }
}
