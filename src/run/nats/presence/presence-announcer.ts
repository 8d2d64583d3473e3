// A worker in its fleet: it says what it is every now and then, and when it is asked.
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { BedsideError, formatBytes } from '../../../util/index.ts';
import type { Credentials } from '../cluster/credentials.ts';
import { type SigningIdentity, signingIdentityOf, signStatement } from '../identity/statement.ts';
import { addressOf, announcementSubject, rollCallSubject, tokensOf } from '../transport/subjects.ts';
import { type Announcement, ENTRY_MS, MAX_ENTRY_BYTES, type NodeEntry } from './announcement.ts';

/** Milliseconds between entries: a few may be lost before one expires. */
export const ANNOUNCE_INTERVAL_MS = ENTRY_MS / 4;

/** Milliseconds in which questions are answered together. */
const TOGETHER_MS = 25;

/** Who asked since the last entry: more are answered when they ask again. */
const MAX_ASKERS = 64;
const MAX_OF_ONE = 4;
const MAX_NONCE = 64;

export class PresenceAnnouncer {
  readonly #connection: NatsConnection;
  readonly #subject: string;
  readonly #own: SigningIdentity | undefined;
  readonly #entry: () => NodeEntry;
  readonly #onNote: (text: string) => void;
  readonly #session = randomBytes(12).toString('base64url');
  readonly #askers = new Map<string, string[]>();
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
   * Says so for the first time; from then on by itself.
   * @throws BedsideError E_FABRIC for an entry that the server does not carry
   */
  start(): void {
    this.#tell();
    this.#connection.subscribe(rollCallSubject('*.*'), {
      callback: (error, { subject, data, headers }) => {
        if (!error && !headers && data.length <= MAX_NONCE)
          this.#asked(subject, Buffer.from(data).toString());
      },
    });
    this.#timer = setInterval(() => this.#again(), ANNOUNCE_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Says that it goes: it is no longer in the fleet. */
  remove(): void {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    if (this.#counter > 0 && !this.#connection.isClosed()) this.#publish(undefined);
  }

  #asked(subject: string, nonce: string): void {
    const asker = subject.split('.').slice(-2).join('.');
    if (this.#askers.size >= MAX_ASKERS && !this.#askers.has(asker)) return;
    this.#askers.set(asker, [...(this.#askers.get(asker) ?? []), nonce].slice(-MAX_OF_ONE));
    if (this.#soon || this.#gone) return;
    this.#soon = setTimeout(() => this.#again(), TOGETHER_MS);
    this.#soon.unref();
  }

  #again(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    try {
      this.#tell();
    } catch (error) {
      this.#onNote((error as Error).message);
    }
  }

  #tell(): void {
    if (!this.#gone && !this.#connection.isClosed()) this.#publish(this.#entry());
  }

  #publish(entry: NodeEntry | undefined): void {
    const asked = [...this.#askers.values()].flat();
    this.#askers.clear();
    const said: Announcement = { session: this.#session, counter: this.#counter++, asked, entry };
    const bytes = Buffer.from(signStatement(this.#own, 'entry', JSON.stringify(said)));
    const most = Math.min(MAX_ENTRY_BYTES, this.#connection.info?.max_payload ?? MAX_ENTRY_BYTES);
    if (bytes.length > most) {
      throw new BedsideError(
        'E_FABRIC',
        `what '${entry?.name}' says of itself, ${formatBytes(bytes.length)}, is more than the ${formatBytes(most)} that one message may have`,
        { hint: 'raise max_payload of the NATS server; bedside cluster init sets 8 MB' },
      );
    }
    this.#connection.publish(this.#subject, bytes);
  }
}
