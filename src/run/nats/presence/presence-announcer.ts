// Announces a worker to its fleet: at regular intervals, and in reply to roll calls.
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { BedsideError, formatBytes } from '../../../util/index.ts';
import type { Credentials } from '../cluster/credentials.ts';
import { type SigningIdentity, signingIdentityOf, signStatement } from '../identity/statement.ts';
import { addressOf, announcementSubject, rollCallSubject, tokensOf } from '../transport/subjects.ts';
import { type Announcement, ENTRY_MS, MAX_ENTRY_BYTES, type NodeEntry } from './announcement.ts';

/** Milliseconds between announcements: a few may be lost before the entry expires. */
export const ANNOUNCE_INTERVAL_MS = ENTRY_MS / 4;

/** Milliseconds within which roll calls get one common reply. */
const REPLY_DELAY_MS = 25;

/** Readers whose nonces are kept until the next announcement, and nonces of each. Others must ask again. */
const MAX_READERS = 64;
const MAX_NONCES_PER_READER = 4;
/** Bytes of a nonce. */
const MAX_NONCE = 64;

/** Announces one worker, until `remove`. */
export class PresenceAnnouncer {
  readonly #connection: NatsConnection;
  readonly #subject: string;
  readonly #own: SigningIdentity | undefined;
  readonly #entry: () => NodeEntry;
  readonly #onNote: (text: string) => void;
  readonly #session = randomBytes(12).toString('base64url');
  readonly #nonces = new Map<string, string[]>();
  #counter = 0;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #gone = false;

  constructor(
    connection: NatsConnection,
    credentials: Credentials | undefined,
    entry: () => NodeEntry,
    onNote: (text: string) => void = () => {},
  ) {
    this.#connection = connection;
    this.#own = signingIdentityOf(credentials);
    this.#entry = entry;
    this.#onNote = onNote;
    this.#subject = announcementSubject(tokensOf(addressOf(entry().name)));
  }

  /**
   * Announces the worker for the first time; further announcements follow by themselves.
   * @throws BedsideError E_FABRIC for an entry that is too large for the server
   */
  start(): void {
    this.#announce();
    this.#connection.subscribe(rollCallSubject('*.*'), {
      callback: (error, { subject, data, headers }) => {
        if (!error && !headers && data.length <= MAX_NONCE)
          this.#receiveRollCall(subject, Buffer.from(data).toString());
      },
    });
    this.#timer = setInterval(() => this.#repeat(), ANNOUNCE_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Announces that the worker goes: it is no longer in the fleet. */
  remove(): void {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    if (this.#counter > 0 && !this.#connection.isClosed()) this.#publish(undefined);
  }

  #receiveRollCall(subject: string, nonce: string): void {
    const reader = subject.split('.').slice(-2).join('.');
    if (this.#nonces.size >= MAX_READERS && !this.#nonces.has(reader)) return;
    this.#nonces.set(reader, [...(this.#nonces.get(reader) ?? []), nonce].slice(-MAX_NONCES_PER_READER));
    if (this.#soon || this.#gone) return;
    this.#soon = setTimeout(() => this.#repeat(), REPLY_DELAY_MS);
    this.#soon.unref();
  }

  #repeat(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    try {
      this.#announce();
    } catch (error) {
      this.#onNote((error as Error).message);
    }
  }

  #announce(): void {
    if (!this.#gone && !this.#connection.isClosed()) this.#publish(this.#entry());
  }

  #publish(entry: NodeEntry | undefined): void {
    const asked = [...this.#nonces.values()].flat();
    this.#nonces.clear();
    const announcement: Announcement = { session: this.#session, counter: this.#counter++, asked, entry };
    const bytes = Buffer.from(signStatement(this.#own, 'entry', JSON.stringify(announcement)));
    const most = Math.min(MAX_ENTRY_BYTES, this.#connection.info?.max_payload ?? MAX_ENTRY_BYTES);
    if (bytes.length > most) {
      throw new BedsideError(
        'E_FABRIC',
        `the announcement of '${entry?.name}' has ${formatBytes(bytes.length)}; a message may have ${formatBytes(most)}`,
        { hint: 'raise max_payload of the NATS server; bedside cluster init sets 8 MB' },
      );
    }
    this.#connection.publish(this.#subject, bytes);
  }
}
