// Queries of a coordinator to devices. Each gets one reply: the first that fits the query and comes from the queried
// device.
import { randomBytes } from 'node:crypto';
import type { BedsideError } from '../../util/index.ts';
import type { NodeMessage } from './messages.ts';

/** The kinds of queries, and the kinds of replies that end each. */
const REPLIES = {
  warm: ['warmed'],
  ask: ['report'],
  measure: ['report', 'refused'],
} as const satisfies Partial<Record<NodeMessage['kind'], readonly NodeMessage['kind'][]>>;

/** A message that asks a device for something. */
export type Query = Extract<NodeMessage, { readonly kind: keyof typeof REPLIES }>;
/** A message that ends a query. */
export type QueryReply = Extract<NodeMessage, { readonly kind: 'warmed' | 'report' | 'refused' }>;

/** How long a coordinator waits for a device. Milliseconds. */
export interface QueryTimeouts {
  /** Without any message: a device that works on a query says so every two seconds. */
  readonly silence: number;
  /** Without progress, whatever it says: no part fetched, no session made, no run timed. */
  readonly standstill: number;
  /** In total. */
  readonly total: number;
}

/** Default time-outs: 10 s of silence, 30 s without progress, 10 minutes in total. */
export const QUERY_TIMEOUTS: QueryTimeouts = { silence: 10_000, standstill: 30_000, total: 600_000 };

/** Milliseconds between two messages of a device that it still works on a query. */
export const WORKING_MS = 2000;

interface OpenQuery {
  readonly to: string;
  readonly query: Query;
  readonly timers: Readonly<Record<keyof QueryTimeouts, NodeJS.Timeout>>;
  /** The most progress that the device has told. */
  progress: number;
  readonly resolve: (reply: QueryReply) => void;
  readonly reject: (error: Error) => void;
}

/** Random bytes of ids to come: drawing many at once costs as much as drawing few. */
const ID_BYTES = 16;
let drawn = Buffer.alloc(0);

/** An id that nobody can guess: 128 random bits. */
export function newId(): string {
  if (drawn.length < ID_BYTES) drawn = randomBytes(256 * ID_BYTES);
  const id = drawn.toString('hex', 0, ID_BYTES);
  drawn = drawn.subarray(ID_BYTES);
  return id;
}

/** Queries without a reply so far. */
export class PendingQueries {
  readonly #open = new Map<string, OpenQuery>();
  readonly #limits: QueryTimeouts;
  readonly #onSilent: (to: string, why: string) => void;

  /** @param onSilent called for a device that does not reply; the caller then gives up its queries with `lose` */
  constructor(onSilent: (to: string, why: string) => void, limits = QUERY_TIMEOUTS) {
    this.#onSilent = onSilent;
    this.#limits = limits;
  }

  /** Registers a query; the caller sends it. */
  ask(to: string, query: Query): Promise<QueryReply> {
    const { silence, standstill, total } = this.#limits;
    const late = (ms: number, how = ''): NodeJS.Timeout =>
      setTimeout(
        () => this.#onSilent(to, `it did not answer ${NAMES[query.kind]} within ${ms / 1000} s${how}`),
        ms,
      );
    return new Promise((resolve, reject) => {
      const timers = {
        silence: late(silence),
        standstill: late(standstill, ' without getting on'),
        total: late(total),
      };
      this.#open.set(query.id, { to, query, timers, progress: -1, resolve, reject });
    });
  }

  /** Takes a device's message about a query; ignores every other message. */
  receive(from: string, message: NodeMessage): void {
    if (!('id' in message)) return;
    const open = this.#open.get(message.id);
    if (open?.to !== from) return;
    if (message.kind === 'working') {
      open.timers.silence.refresh();
      const { progress } = message;
      if (typeof progress !== 'number' || !(progress > open.progress)) return;
      open.progress = progress;
      open.timers.standstill.refresh();
    } else if (isReply(message) && includes(REPLIES[open.query.kind], message.kind)) {
      this.#close(message.id, open);
      open.resolve(message);
    }
  }

  /** The open queries to these peers, to be sent again because they may have been lost. */
  *to(peers: ReadonlySet<string>): Generator<readonly [string, Query]> {
    for (const { to, query } of this.#open.values()) if (peers.has(to)) yield [to, query];
  }

  /** Ends the queries to a device, or all queries, with an error. */
  lose(error: BedsideError, peer?: string): void {
    for (const [id, open] of [...this.#open]) {
      if (peer !== undefined && open.to !== peer) continue;
      this.#close(id, open);
      open.reject(error);
    }
  }

  #close(id: string, { timers }: OpenQuery): void {
    for (const timer of Object.values(timers)) clearTimeout(timer);
    this.#open.delete(id);
  }
}

const NAMES: Readonly<Record<Query['kind'], string>> = {
  warm: 'whether it is ready for a plan',
  ask: 'how it is',
  measure: 'how long its stages take',
};

function isReply(message: NodeMessage): message is QueryReply {
  return message.kind === 'warmed' || message.kind === 'report' || message.kind === 'refused';
}

function includes(kinds: readonly NodeMessage['kind'][], kind: NodeMessage['kind']): boolean {
  return kinds.includes(kind);
}
