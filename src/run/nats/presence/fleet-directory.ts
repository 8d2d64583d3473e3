// Who is in a fleet: entries of workers, collected from what they say. A reader asks all of them, and knows by signs of life
// for whom to wait. What is not signed by the worker itself, or was said once and comes again, changes nothing.

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

/** Milliseconds that signs of life are listened for, before the first answer: each is given every `HEARTBEAT_MS`. */
const LISTEN_MS = 3 * HEARTBEAT_MS;

/** Milliseconds that are waited for somebody who gives signs of life, or who must be there. */
const PATIENCE_MS = 2000;

/** Milliseconds after which they are asked again. */
const AGAIN_MS = 400;

/** Milliseconds between two entries of one worker that are read. */
const APART_MS = 20;

/** Milliseconds between two questions because of somebody unknown: each is answered by everybody. */
const UNKNOWN_MS = 250;

/** Entries that are held, and bytes of all together. */
const MAX_ENTRIES = 1024;
const MAX_BYTES = 64 << 20;

/** Own questions whose answers are believed: the latest. */
const MAX_ASKED = 8;

interface Known {
  readonly said: Announcement;
  readonly trusted: boolean;
  readonly bytes: number;
  readonly at: number;
}

export class FleetDirectory {
  readonly #connection: NatsConnection;
  readonly #own: SigningIdentity | undefined;
  /** Who asks, as a token pair and as answers name him. */
  readonly #tokens: string;
  readonly #known = new Map<string, Known>();
  /** When entries were last looked at, by who sent them. */
  readonly #looked = new Map<string, number>();
  readonly #alive = new Map<string, number>();
  readonly #asked: string[] = [];
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
   * @param who two tokens of a node; by default what the credentials say
   * @param beats whether to listen for signs of life, as `read` does; workers may not
   * @throws BedsideError E_FABRIC
   */
  static async open(
    connection: NatsConnection,
    credentials: Credentials | undefined,
    { who, beats = true }: { readonly who?: string; readonly beats?: boolean } = {},
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
    if (beats) listen(heartbeatSubject('worker.*'), ({ subject }) => directory.#live(senderOf(subject)));
    try {
      directory.#ask();
      await connection.flush();
    } catch (cause) {
      throw natsError('the fleet cannot be read', cause);
    }
    return directory;
  }

  /**
   * All entries as they are now, in the order of their names.
   * @param expected names that are waited for, should they be slow to answer
   * @throws BedsideError E_FABRIC
   */
  async read(expected: readonly string[] = []): Promise<FleetEntry[]> {
    const start = performance.now();
    try {
      this.#ask();
      // A server that is away says nothing of the fleet.
      await this.#connection.flush();
      while (!this.#isWhole(start, expected)) {
        await sleep(5);
        if (performance.now() - this.#askedAt > AGAIN_MS) this.#ask();
      }
    } catch (cause) {
      throw natsError('the fleet cannot be read', cause);
    }
    return this.entries();
  }

  /** What is known without asking. */
  entries(): FleetEntry[] {
    const oldest = performance.now() - ENTRY_MS;
    for (const [name, { at }] of this.#known) if (at < oldest) this.#forget(name);
    return [...this.#known.values()]
      .flatMap(({ said: { entry }, trusted }) => (entry ? [{ ...entry, trusted }] : []))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #isWhole(start: number, expected: readonly string[]): boolean {
    const now = performance.now();
    if (now - start > PATIENCE_MS) return true;
    if (now - this.#opened < LISTEN_MS) return false;
    const has = (name: string): boolean => (this.#known.get(name)?.at ?? 0) >= start - APART_MS;
    const living = [...this.#alive].filter(([, at]) => now - at < LISTEN_MS).map(([name]) => name);
    return [...expected, ...living].every(has);
  }

  #ask(): void {
    const nonce = randomBytes(16).toString('base64url');
    this.#asked.push(nonce);
    if (this.#asked.length > MAX_ASKED) this.#asked.shift();
    this.#askedAt = performance.now();
    this.#connection.publish(rollCallSubject(this.#tokens), nonce);
  }

  #live(name: string): void {
    if (this.#alive.size >= MAX_ENTRIES && !this.#alive.has(name)) this.#alive.clear();
    this.#alive.set(name, performance.now());
  }

  #take(name: string, { data, headers }: Msg): void {
    const now = performance.now();
    if (headers || data.length > MAX_ENTRY_BYTES) return;
    if (now - (this.#looked.get(name) ?? Number.NEGATIVE_INFINITY) < APART_MS) return;
    if (this.#looked.size >= MAX_ENTRIES) this.#looked.clear();
    this.#looked.set(name, now);
    const statement = verifyStatement(this.#own, 'entry', Buffer.from(data).toString(), name);
    const said = statement && readSaid(statement.text, name);
    if (!said) return;
    const before = this.#known.get(name);
    if (before?.said.session === said.session) {
      // Once gone, a session says nothing more.
      if (said.counter <= before.said.counter || !before.said.entry) return;
    } else if (!said.asked.some((nonce) => this.#asked.includes(nonce))) {
      // It may be there again, or somebody repeats what it once said: it is asked.
      if (now - this.#askedAt > UNKNOWN_MS) this.#ask();
      return;
    }
    this.#forget(name);
    if (this.#known.size >= MAX_ENTRIES || this.#bytes + data.length > MAX_BYTES) return;
    this.#bytes += data.length;
    // On an open server a worker is what it says.
    const trusted = statement.certificate?.trusted ?? true;
    this.#known.set(name, { said, trusted, bytes: data.length, at: now });
  }

  #forget(name: string): void {
    this.#bytes -= this.#known.get(name)?.bytes ?? 0;
    this.#known.delete(name);
  }
}

function readSaid(text: string, name: string): Announcement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = ANNOUNCEMENT.safeParse(value);
  return data && (data.entry?.name ?? name) === name ? data : undefined;
}
