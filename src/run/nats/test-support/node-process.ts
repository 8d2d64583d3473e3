// A node in a process of its own, which tests talk to, stop, kill, and put on other hosts. What it is told comes as one
// task, then orders; each order is answered once.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NatsWorkerOptions } from '../nats-worker.ts';
import type { NodeEntry } from '../presence/announcement.ts';
import type { NatsAccess } from '../transport/connect.ts';

/** A worker as `bedside worker` starts it. */
export interface WorkerTask {
  readonly access: NatsAccess;
  readonly options: Pick<NatsWorkerOptions, 'device' | 'links'>;
}

/** Who asks for one bundle; makes the buckets as operator, and publishes the bundle. */
export interface ClientTask {
  readonly access: NatsAccess;
  readonly operator: NatsAccess;
  /** Folder of the bundle. */
  readonly bundle: string;
}

/** How one request ended. */
export interface EndedRequest {
  /** Milliseconds since the epoch. */
  readonly asked: number;
  readonly ms: number;
  /** `right`, `wrong`, the code of an error, or an error without one. */
  readonly how: string;
  /** Whether devices other than the source gave the result. */
  readonly far: boolean;
}

export type ClientOrder =
  /** Random plans over these devices, one after the other. */
  | { readonly kind: 'random'; readonly devices: readonly string[]; readonly requests: number }
  /** From now on a request every so many milliseconds, with a stage on the far device unless it is lost. */
  | {
      readonly kind: 'stream';
      readonly source: string;
      readonly far: string;
      readonly every: number;
      readonly deadline: number;
    }
  /** How those of the stream have ended so far. */
  | { readonly kind: 'ended' }
  /** How those of the stream ended, of which no more come. */
  | { readonly kind: 'stop' }
  /** Devices that count as lost, and since when (milliseconds since the epoch). */
  | { readonly kind: 'lost' }
  /** How often one has come to count as lost. */
  | { readonly kind: 'losses' }
  | { readonly kind: 'fleet' };

/** Answers by order. */
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

/** A process of one of the files beside this one. `await using` kills it. */
export class NodeProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];

  /** @param enter words before its command, that run it on another host */
  constructor(file: 'client-process.ts' | 'worker-process.ts', enter: readonly string[] = []) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const words = [...enter, process.execPath, '--import', import.meta.resolve('tsx'), path];
    const [command = process.execPath, ...rest] = words;
    this.#process = spawn(command, rest, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#process.on('message', ({ answer, error }: { answer?: unknown; error?: string }) => {
      const next = this.#waiting.shift();
      if (error === undefined) next?.resolve(answer);
      else next?.reject(new Error(`${file}: ${error}`));
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting) reject(new Error(`${file} ended (${signal ?? code})`));
        resolve();
      });
    });
  }

  /** What it is to be. */
  start(task: WorkerTask | ClientTask): Promise<unknown> {
    return this.#tell(task);
  }

  ask<Kind extends ClientOrder['kind']>(
    order: Extract<ClientOrder, { kind: Kind }>,
  ): Promise<ClientReplies[Kind]> {
    return this.#tell(order) as Promise<ClientReplies[Kind]>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #tell(what: WorkerTask | ClientTask | ClientOrder): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#process.send(what, (error) => error && reject(error));
    });
  }
}

/** Answers orders of a process, in turn; ends with it. */
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
