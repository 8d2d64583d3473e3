// Sessions in a thread of their own. ONNX Runtime's binding for Node opens and runs graphs on the calling thread, which
// can then do nothing else, such as answer or send heartbeats.
import type { Worker } from 'node:worker_threads';
import { type Model, writeModel } from '../../onnx/index.ts';
import { BedsideError } from '../../util/index.ts';
import { startThread } from '../../util/internal.ts';
import type { Feed, Session, SessionOptions } from '../session.ts';
import type { Task, TaskOutcome, TaskReply, TaskRequest } from './messages.ts';

interface Waiting {
  readonly resolve: (done: TaskOutcome) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A thread that opens and runs graphs, one after another; its first session starts it. Data to it is copied, data from
 * it is not, which costs about 0.05 ms a run. It does not keep the process alive while it is idle.
 */
export class ComputeThread {
  #worker: Worker | undefined;
  #failure: Error | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /**
   * As `createSession`, but run on the thread.
   * @throws BedsideError E_ENGINE when the runtime refuses the graph; E_INTERNAL when the thread failed or was closed
   */
  async createSession(model: Model | Uint8Array, options: SessionOptions): Promise<Session> {
    const session = this.#next++;
    const bytes = model instanceof Uint8Array ? model : writeModel(model);
    const created = await this.#ask(session, { kind: 'create', bytes, options });
    if (created.kind !== 'created') throw unexpected(created);
    const { inputNames, outputNames } = created;
    const run = async (feeds: Readonly<Record<string, Feed>>, outputs?: readonly string[]) => {
      const done = await this.#ask(session, { kind: 'run', feeds: asCopies(feeds), outputs });
      if (done.kind === 'result') return done.result;
      throw unexpected(done);
    };
    const release = async (): Promise<void> => void (await this.#ask(session, { kind: 'release' }));
    return { name: options.name, inputNames, outputNames, run, release };
  }

  /** Ends the thread. Nothing may run: the runtime does not survive being stopped in the middle. */
  async close(): Promise<void> {
    this.#failure ??= new BedsideError('E_INTERNAL', 'internal: the compute thread has been closed');
    await this.#worker?.terminate();
  }

  #ask(session: number, task: Task): Promise<TaskOutcome> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const asked: TaskRequest = { ...task, session, id: this.#next++ };
    return new Promise((resolve, reject) => {
      this.#waiting.set(asked.id, { resolve, reject });
      worker.ref();
      worker.postMessage(asked);
    });
  }

  #start(): Worker {
    const worker = startThread(import.meta.url, 'thread');
    worker.unref();
    worker.on('message', (reply: TaskReply) => this.#receive(reply));
    worker.on('error', (error) => this.#fail(`failed: ${error.message}`));
    worker.on('exit', () => this.#fail('has ended'));
    return worker;
  }

  #receive(reply: TaskReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (reply.kind !== 'failed') waiting?.resolve(reply);
    else waiting?.reject(new BedsideError(reply.code, reply.message, reply.hint ? { hint: reply.hint } : {}));
  }

  #fail(what: string): void {
    this.#failure ??= new BedsideError('E_ENGINE', `the thread that computes ${what}`);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

/** A view of a larger buffer would be sent with all of it. */
function asCopies(feeds: Readonly<Record<string, Feed>>): Record<string, Feed> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, value]) => {
      const whole = value.data.byteLength === value.data.buffer.byteLength;
      return [name, whole ? value : ({ ...value, data: value.data.slice() } as Feed)];
    }),
  );
}

function unexpected({ kind }: TaskOutcome): BedsideError {
  return new BedsideError('E_INTERNAL', `internal: the compute thread answered ${kind}`);
}
