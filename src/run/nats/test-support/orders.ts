// What processes of nodes are told by tests, and what they answer.
import type { NatsWorkerOptions } from '../nats-worker.ts';
import type { NodeEntry } from '../presence/announcement.ts';
import type { NatsAccess } from '../transport/connect.ts';

/** A worker as `bedside worker` starts it. */
export interface WorkerTask {
  readonly access: NatsAccess;
  readonly options: Pick<NatsWorkerOptions, 'device' | 'links'>;
}

/** A coordinator for one bundle, which creates the bucket as operator and publishes the bundle. */
export interface ClientTask {
  readonly access: NatsAccess;
  readonly operator: NatsAccess;
  /** Folder of the bundle. */
  readonly bundle: string;
}

/** How one request ended. */
export interface EndedRequest {
  /** Milliseconds since 1970. */
  readonly asked: number;
  readonly ms: number;
  /** `right`, `wrong`, the code of an error, or an error without one. */
  readonly how: string;
  /** Whether devices other than the source gave the result. */
  readonly far: boolean;
}

/** Orders to a coordinator's process. */
export type ClientOrder =
  /** Random plans over these devices, one after the other. */
  | { readonly kind: 'random'; readonly devices: readonly string[]; readonly requests: number }
  /** Starts a stream: a request every so many milliseconds, with a stage on the far device unless it is lost. */
  | {
      readonly kind: 'stream';
      readonly source: string;
      readonly far: string;
      readonly every: number;
      readonly deadline: number;
    }
  /** Asks for the requests of the stream that have ended since the last time. */
  | { readonly kind: 'ended' }
  /** Ends the stream, and asks for the rest of its requests. */
  | { readonly kind: 'stop' }
  /** Asks for the lost devices, and since when they are lost (milliseconds since 1970). */
  | { readonly kind: 'lost' }
  /** Asks how often a device was lost. */
  | { readonly kind: 'losses' }
  | { readonly kind: 'fleet' };

/** Replies, by kind of order. */
export interface ClientReplies {
  readonly random: readonly EndedRequest[];
  readonly stream: null;
  readonly ended: readonly EndedRequest[];
  readonly losses: number;
  readonly stop: {
    readonly ended: readonly EndedRequest[];
    readonly asked: number;
    readonly running: number;
  };
  readonly lost: readonly (readonly [string, number])[];
  readonly fleet: readonly NodeEntry[];
}

/** Answers orders of the parent process one by one, and ends with it. */
export function serve(answer: (order: never) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit(0));
  let turn: Promise<unknown> = Promise.resolve();
  process.on('message', (order) => {
    turn = turn.then(() =>
      answer(order as never).then(
        (value) => process.send?.({ answer: value }),
        (error: unknown) => process.send?.({ error: String(error) }),
      ),
    );
  });
}
