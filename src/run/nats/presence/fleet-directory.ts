// Reads who is in a fleet. A reader asks all workers for announcements, and knows from heartbeats for which of them to
// wait. Announcements that the worker has not signed, or that are replayed, are ignored.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { HEARTBEAT_MS } from '../../protocol/fabric.ts';
import type { Credentials } from '../cluster/credentials.ts';
import { type SigningIdentity, signingIdentityOf, verifyStatement } from '../identity/statement.ts';
import { natsError } from '../transport/connect.ts';
import {
  announcementSubject,
  heartbeatSubject,
  rollCallSubject,
  senderOf,
  tokenOf,
} from '../transport/subjects.ts';
import {
  ANNOUNCEMENT,
  type Announcement,
  ENTRY_MS,
  type FleetEntry,
  MAX_ENTRY_BYTES,
} from './announcement.ts';

/**
 * Milliseconds for which heartbeats are collected before the first result: each worker sends one every `HEARTBEAT_MS`.
 */
const LISTEN_MS = 3 * HEARTBEAT_MS;

/** Milliseconds to wait for workers that send heartbeats, or that are expected. */
const TIMEOUT_MS = 2000;

/** Milliseconds after which the roll call is repeated. */
const REPEAT_MS = 400;

/** Announcements of one worker that follow within so many milliseconds are not read. */
const MIN_INTERVAL_MS = 20;

/** Milliseconds between roll calls because of an unknown worker: every worker replies to each. */
const UNKNOWN_MS = 250;

/** Number of entries, and their bytes in total. */
const MAX_ENTRIES = 1024;
const MAX_BYTES = 64 << 20;

/** Number of latest nonces that are accepted in announcements. */
const MAX_NONCES = 8;

interface KnownWorker {
  readonly announcement: Announcement;
  readonly trusted: boolean;
  readonly bytes: number;
  readonly at: number;
}

/** Collects the announcements of all workers. */
export class FleetDirectory {
  readonly #connection: NatsConnection;
  readonly #own: SigningIdentity | undefined;
  /** The reader, as two tokens. */
  readonly #tokens: string;
  readonly #known = new Map<string, KnownWorker>();
  /** Time of the last announcement that was read, by worker. */
  readonly #readAt = new Map<string, number>();
  /** Time of the last heartbeat, by worker. */
  readonly #alive = new Map<string, number>();
  readonly #nonces: string[] = [];
  readonly #opened = performance.now();
  #askedAt = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  private constructor(connection: NatsConnection, credentials: Credentials | undefined, who: string) {
    this.#connection = connection;
    this.#own = signingIdentityOf(credentials);
    this.#tokens = who;
  }

  /**
   * Begins to listen.
   * @param who two tokens of the reading node; default: those of the credentials
   * @param heartbeats whether to listen for heartbeats, which `read` needs; workers may not
   * @throws BedsideError E_FABRIC
   */
  static async open(
    connection: NatsConnection,
    credentials: Credentials | undefined,
    { who, heartbeats = true }: { readonly who?: string; readonly heartbeats?: boolean } = {},
  ): Promise<FleetDirectory> {
    const { role = 'client', name = `any-${randomBytes(6).toString('hex')}` } = credentials ?? {};
    const directory = new FleetDirectory(connection, credentials, who ?? `${role}.${tokenOf(name)}`);
    const listen = (subject: string, take: (msg: Msg) => void): void => {
      connection.subscribe(subject, {
        callback: (error, msg) => {
          if (!error) take(msg);
        },
      });
    };
    listen(announcementSubject('worker.*'), (msg) => directory.#take(senderOf(msg.subject), msg));
    if (heartbeats) {
      listen(heartbeatSubject('worker.*'), ({ subject }) => directory.#noteAlive(senderOf(subject)));
    }
    try {
      directory.#rollCall();
      await connection.flush();
    } catch (cause) {
      throw natsError('the fleet cannot be read', cause);
    }
    return directory;
  }

  /**
   * All current entries, in the order of their names. Asks all workers, and waits for those that send heartbeats.
   * @param expected names of further workers to wait for
   * @throws BedsideError E_FABRIC
   */
  async read(expected: readonly string[] = []): Promise<FleetEntry[]> {
    const start = performance.now();
    try {
      this.#rollCall();
      // Fails if the server is away.
      await this.#connection.flush();
      while (!this.#isComplete(start, expected)) {
        await sleep(5);
        if (performance.now() - this.#askedAt > REPEAT_MS) this.#rollCall();
      }
    } catch (cause) {
      throw natsError('the fleet cannot be read', cause);
    }
    return this.entries();
  }

  /** The entries that are known without asking. */
  entries(): FleetEntry[] {
    const oldest = performance.now() - ENTRY_MS;
    for (const [name, { at }] of this.#known) if (at < oldest) this.#forget(name);
    return [...this.#known.values()]
      .flatMap(({ announcement: { entry }, trusted }) => (entry ? [{ ...entry, trusted }] : []))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #isComplete(start: number, expected: readonly string[]): boolean {
    const now = performance.now();
    if (now - start > TIMEOUT_MS) return true;
    if (now - this.#opened < LISTEN_MS) return false;
    const has = (name: string): boolean => (this.#known.get(name)?.at ?? 0) >= start - MIN_INTERVAL_MS;
    const living = [...this.#alive].filter(([, at]) => now - at < LISTEN_MS).map(([name]) => name);
    return [...expected, ...living].every(has);
  }

  #rollCall(): void {
    const nonce = randomBytes(16).toString('base64url');
    this.#nonces.push(nonce);
    if (this.#nonces.length > MAX_NONCES) this.#nonces.shift();
    this.#askedAt = performance.now();
    this.#connection.publish(rollCallSubject(this.#tokens), nonce);
  }

  #noteAlive(name: string): void {
    if (this.#alive.size >= MAX_ENTRIES && !this.#alive.has(name)) this.#alive.clear();
    this.#alive.set(name, performance.now());
  }

  #take(name: string, { data, headers }: Msg): void {
    const now = performance.now();
    if (headers || data.length > MAX_ENTRY_BYTES) return;
    if (now - (this.#readAt.get(name) ?? Number.NEGATIVE_INFINITY) < MIN_INTERVAL_MS) return;
    if (this.#readAt.size >= MAX_ENTRIES) this.#readAt.clear();
    this.#readAt.set(name, now);
    const statement = verifyStatement(this.#own, 'entry', Buffer.from(data).toString(), name);
    const announcement = statement && parseAnnouncement(statement.text, name);
    if (!announcement) return;
    const before = this.#known.get(name)?.announcement;
    if (before?.session === announcement.session) {
      // A session that has ended announces nothing more.
      if (announcement.counter <= before.counter || !before.entry) return;
    } else if (!announcement.asked.some((nonce) => this.#nonces.includes(nonce))) {
      // The worker may have restarted, or somebody replays an old announcement: a roll call shows which.
      if (now - this.#askedAt > UNKNOWN_MS) this.#rollCall();
      return;
    }
    this.#forget(name);
    if (this.#known.size >= MAX_ENTRIES || this.#bytes + data.length > MAX_BYTES) return;
    this.#bytes += data.length;
    // On an open server nodes have no certificates, and all count as trusted.
    const trusted = statement.certificate?.trusted ?? true;
    this.#known.set(name, { announcement, trusted, bytes: data.length, at: now });
  }

  #forget(name: string): void {
    this.#bytes -= this.#known.get(name)?.bytes ?? 0;
    this.#known.delete(name);
  }
}

function parseAnnouncement(text: string, name: string): Announcement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = ANNOUNCEMENT.safeParse(value);
  return data && (data.entry?.name ?? name) === name ? data : undefined;
}
