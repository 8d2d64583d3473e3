// Where results go: a folder, or a server or receiver with a queue on the disk before it.
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BedsideError, messageOf } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { ResultTransaction } from '../fhir/transaction.ts';
import { checkedUrl, type ServerAccess } from './ask.ts';
import { type Outcome, postTransaction } from './post-transaction.ts';
import { ResultQueue, writeDurably } from './queue.ts';

/** How results are delivered. */
export interface OutletOptions extends Omit<ServerAccess, 'url'> {
  /** Folder in which results wait for a server. */
  readonly queue?: string | undefined;
  /** Seconds before the first new try, doubled for each further one up to 60; default 1. */
  readonly firstRetry?: number | undefined;
  /** Told what hinders deliveries, in words that name no patient. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** What became of results so far. */
export interface OutletState {
  readonly delivered: number;
  readonly waiting: number;
  readonly refused: number;
  /** The last thing that went wrong. */
  readonly problem?: string | undefined;
}

/** A place for results of one form. */
export interface Outlet<T> extends AsyncDisposable {
  /**
   * Takes a result. When this resolves it is on the disk, and from then on it is delivered once, by this process or a later
   * one that opens the same queue.
   * @throws BedsideError E_OUTPUT
   */
  send(item: T): Promise<void>;
  readonly state: OutletState;
  /** Waits until nothing waits any more, at most so many seconds. */
  flush(seconds: number): Promise<OutletState>;
  /** Ends deliveries. What waits stays in the queue. */
  close(): Promise<void>;
}

/** A place for results of FHIR. */
export type FhirOutlet = Outlet<ResultTransaction>;

/** Whether `--fhir-out` means a server. */
export function isFhirServer(target: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(target);
}

/**
 * Opens a place for results: a folder, or the base address of a FHIR server.
 * @throws BedsideError E_USAGE for an address that is none or unprotected, or without `queue`; E_OUTPUT; E_BUSY when another
 *   process uses the queue
 */
export async function openOutlet(target: string, options: OutletOptions = {}): Promise<FhirOutlet> {
  if (!isFhirServer(target)) return await FolderOutlet.open(target);
  const { queue, firstRetry = 1, onNote = () => {}, ...access } = options;
  const base = checkedUrl({ ...access, url: target }, 'FHIR server');
  if (queue === undefined) {
    throw new BedsideError('E_USAGE', 'a FHIR server needs a folder in which results wait for it', {
      hint: 'name one that outlives this process',
    });
  }
  const server: Receiver<ResultTransaction> = {
    name: 'the FHIR server',
    idOf,
    bodyOf: (transaction) => JSON.stringify(transaction),
    post: (body, signal) => postTransaction({ ...access, url: base }, base, body, signal),
  };
  return new QueuedOutlet(server, await ResultQueue.open(queue), firstRetry, onNote);
}

/** One file for each result; a server can be given them later. */
class FolderOutlet implements FhirOutlet {
  readonly #folder: string;
  #delivered = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<FolderOutlet> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new BedsideError('E_OUTPUT', `cannot write to ${folder}: ${messageOf(cause)}`, { cause });
    }
    return new FolderOutlet(folder);
  }

  async send(transaction: ResultTransaction): Promise<void> {
    const path = join(this.#folder, `${idOf(transaction)}.json`);
    if (await stat(path).catch(() => undefined)) return;
    try {
      await writeDurably(path, `${JSON.stringify(transaction, null, 2)}\n`);
    } catch (cause) {
      throw new BedsideError('E_OUTPUT', `cannot write to ${this.#folder}: ${messageOf(cause)}`, { cause });
    }
    this.#delivered++;
  }

  get state(): OutletState {
    return { delivered: this.#delivered, waiting: 0, refused: 0 };
  }

  async flush(): Promise<OutletState> {
    return this.state;
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Longest wait between tries, in seconds, unless the server asks for more. */
const MOST_WAIT = 60;
/** Milliseconds that a timer can count. */
const MOST_TIMER = 2 ** 31 - 1;

/** Who results go to, and how. */
export interface Receiver<T> {
  /** As messages call it. */
  readonly name: string;
  /** The UUID of a result. */
  idOf(item: T): string;
  /** JSON, which waits on the disk. */
  bodyOf(item: T): string;
  /** Sends a body once. Never throws for what a receiver or network does. */
  post(body: string, signal: AbortSignal): Promise<Outcome>;
}

/** Results that wait on the disk until their receiver has them. */
export class QueuedOutlet<T> implements Outlet<T> {
  readonly #receiver: Receiver<T>;
  readonly #queue: ResultQueue;
  readonly #firstRetry: number;
  readonly #onNote: (text: string) => void;
  readonly #stop = new AbortController();
  readonly #random = new Random(process.pid);
  #delivered = 0;
  #refused = 0;
  #problem: string | undefined;
  #running: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(receiver: Receiver<T>, queue: ResultQueue, firstRetry: number, onNote: (text: string) => void) {
    this.#receiver = receiver;
    this.#queue = queue;
    this.#firstRetry = firstRetry;
    this.#onNote = onNote;
    if (queue.waiting > 0) onNote(`${queue.waiting} results of an earlier run wait for ${receiver.name}`);
    this.#run();
  }

  get state(): OutletState {
    const [delivered, waiting, refused] = [this.#delivered, this.#queue.waiting, this.#refused];
    return {
      delivered,
      waiting,
      refused,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  async send(item: T): Promise<void> {
    if (this.#stop.signal.aborted) throw new BedsideError('E_BUSY', 'deliveries have ended');
    await this.#queue.add(this.#receiver.idOf(item), this.#receiver.bodyOf(item));
    this.#run();
  }

  async flush(seconds: number): Promise<OutletState> {
    const end = performance.now() + 1000 * seconds;
    while (this.#queue.waiting > 0 && performance.now() < end && !this.#stop.signal.aborted) {
      this.#run();
      const left = Math.ceil(Math.min(MOST_TIMER, end - performance.now()));
      const timer = new AbortController();
      const over = sleep(left, undefined, { signal: timer.signal }).catch(() => {});
      await Promise.race([this.#running, over]);
      timer.abort();
    }
    return this.state;
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#stop.abort();
      await this.#running;
      await this.#queue.close();
    })();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #run(): void {
    if (this.#running || this.#stop.signal.aborted) return;
    this.#running = this.#deliver().finally(() => {
      this.#running = undefined;
      if (this.#queue.waiting > 0) this.#run();
    });
  }

  /** Delivers what waits, the oldest first, until nothing does. */
  async #deliver(): Promise<void> {
    const { signal } = this.#stop;
    for (let tries = 0; !signal.aborted && this.#queue.waiting > 0; ) {
      const wait = await this.#deliverOne(signal).catch((error: unknown) => {
        // A queue that cannot be read, say: the results stay on the disk.
        this.#say(`results are not delivered: ${messageOf(error)}`);
        return 0;
      });
      if (wait === undefined) tries = 0;
      else await sleep(1000 * Math.max(wait, this.#backoff(tries++)), undefined, { signal }).catch(() => {});
    }
  }

  /** Delivers the oldest. @returns undefined once it waits no more; otherwise the least seconds until the next try */
  async #deliverOne(signal: AbortSignal): Promise<number | undefined> {
    const next = await this.#queue.next();
    if (!next) return undefined;
    const outcome = await this.#receiver.post(next.body, signal);
    if (outcome.kind === 'delivered') {
      await this.#queue.done(next.name);
      this.#delivered++;
    } else if (outcome.kind === 'refused') {
      await this.#queue.refuse(next.name, `${outcome.why}\n\n${outcome.said}`);
      this.#refused++;
      this.#say(`${outcome.why}: the result is set aside in the folder 'refused' of the queue`);
    } else {
      if (!signal.aborted) this.#say(`${outcome.why}; the result waits, and is sent again`);
      return outcome.after ?? 0;
    }
    return undefined;
  }

  /** Seconds, doubled at each try and spread, so that many senders do not come back at once. */
  #backoff(tries: number): number {
    const seconds = Math.min(MOST_WAIT, this.#firstRetry * 2 ** Math.min(tries, 30));
    return seconds * (0.5 + 0.5 * this.#random.uniform());
  }

  /** The same again is said once. */
  #say(text: string): void {
    if (text !== this.#problem) this.#onNote(text);
    this.#problem = text;
  }
}

function idOf({ identifier }: ResultTransaction): string {
  return identifier.value.replace('urn:uuid:', '');
}
