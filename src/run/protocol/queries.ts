// What a requester asks of devices: each answer is taken once, from the device that was asked, and if it fits the question.
import { randomBytes } from 'node:crypto';
import type { BedsideError } from '../../util/index.ts';
import type { NodeMessage } from './messages.ts';

/** What is asked, and what of its answers ends it. */
const ANSWERS = {
  warm: ['warmed'],
  ask: ['report'],
  measure: ['report', 'refused'],
} as const satisfies Partial<Record<NodeMessage['kind'], readonly NodeMessage['kind'][]>>;

export type Query = Extract<NodeMessage, { readonly kind: keyof typeof ANSWERS }>;
export type QueryReply = Extract<NodeMessage, { readonly kind: 'warmed' | 'report' | 'refused' }>;

/** How long a device is waited for. Milliseconds. */
export interface QueryTimeouts {
  /** Without a word: a device that works on it says so every two seconds. */
  readonly silence: number;
  /** All told. */
  readonly total: number;
}

export const QUERY_TIMEOUTS: QueryTimeouts = { silence: 10_000, total: 600_000 };

/** Milliseconds after which a device that works on a question says so again. */
export const WORKING_MS = 2000;

interface Open {
  readonly to: string;
  readonly question: Query;
  readonly total: NodeJS.Timeout;
  readonly silence: NodeJS.Timeout;
  readonly resolve: (answer: QueryReply) => void;
  readonly reject: (error: Error) => void;
}

/** An id that nobody can guess: 128 random bits. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}

/** Questions that have no answer yet. */
export class PendingQueries {
  readonly #open = new Map<string, Open>();
  readonly #limits: QueryTimeouts;
  readonly #onSilent: (to: string, why: string) => void;

  /** @param onSilent told of a device that does not answer; all that it was asked is then to be given up by `lose` */
  constructor(onSilent: (to: string, why: string) => void, limits = QUERY_TIMEOUTS) {
    this.#onSilent = onSilent;
    this.#limits = limits;
  }

  /** Opens a question; the caller sends it. */
  ask(to: string, question: Query): Promise<QueryReply> {
    const { silence, total } = this.#limits;
    const late = (ms: number) => (): void =>
      this.#onSilent(to, `it did not answer ${NAMES[question.kind]} within ${ms / 1000} s`);
    return new Promise((resolve, reject) => {
      const timers = { total: setTimeout(late(total), total), silence: setTimeout(late(silence), silence) };
      this.#open.set(question.id, { to, question, ...timers, resolve, reject });
    });
  }

  /** What a device says to a question. */
  receive(from: string, message: NodeMessage): void {
    if (!('id' in message)) return;
    const open = this.#open.get(message.id);
    if (open?.to !== from) return;
    if (message.kind === 'working') open.silence.refresh();
    else if (isAnswer(message) && includes(ANSWERS[open.question.kind], message.kind)) {
      this.#close(message.id, open);
      open.resolve(message);
    }
  }

  /** Devices to which a question may have been lost, and the question. */
  *to(peers: ReadonlySet<string>): Generator<readonly [string, Query]> {
    for (const { to, question } of this.#open.values()) if (peers.has(to)) yield [to, question];
  }

  /** Ends what was asked of a device, or of all. */
  lose(error: BedsideError, peer?: string): void {
    for (const [id, open] of [...this.#open]) {
      if (peer !== undefined && open.to !== peer) continue;
      this.#close(id, open);
      open.reject(error);
    }
  }

  #close(id: string, { total, silence }: Open): void {
    clearTimeout(total);
    clearTimeout(silence);
    this.#open.delete(id);
  }
}

const NAMES: Readonly<Record<Query['kind'], string>> = {
  warm: 'whether it is ready for a plan',
  ask: 'how it is',
  measure: 'how long its stages take',
};

function isAnswer(message: NodeMessage): message is QueryReply {
  return message.kind === 'warmed' || message.kind === 'report' || message.kind === 'refused';
}

function includes(kinds: readonly NodeMessage['kind'][], kind: NodeMessage['kind']): boolean {
  return kinds.includes(kind);
}
