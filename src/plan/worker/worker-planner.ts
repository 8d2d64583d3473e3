// A planner in a worker thread: the caller's thread stays free, progress arrives while the search runs, a signal stops
// it.
import type { Worker } from 'node:worker_threads';
import { BedsideError } from '../../util/index.ts';
import { startThread } from '../../util/internal.ts';
import type { Effort } from '../exact/solve.ts';
import type { Planner, PlannerOptions, PlannerResult, PlanProgress } from '../planner.ts';
import type { PlanningInstance } from '../problem/instance.ts';
import type { PlanReply, PlanTask } from './messages.ts';

interface Waiting {
  readonly resolve: (result: PlannerResult) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((progress: PlanProgress) => void) | undefined;
}

/**
 * `exact` or `beam` in a worker thread. The thread is started once and keeps its compiled code from request to request.
 * Requests are answered one after another. For a service that must answer others while it plans; a command that waits
 * for its plan anyway has no use for it. `close` ends the thread. An idle planner does not keep the process alive.
 */
export class WorkerPlanner implements Planner {
  readonly name: Effort;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #failure: Error | undefined;

  constructor(effort: Effort) {
    this.name = effort;
    this.#worker = startThread(import.meta.url, 'thread');
    this.#worker.unref();
    this.#worker.on('message', (reply: PlanReply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#fail(`failed: ${error.message}`));
    this.#worker.on('exit', () => this.#fail('has ended'));
  }

  /** @throws BedsideError E_INTERNAL when the thread failed or was closed */
  plan(instance: PlanningInstance, options: PlannerOptions = {}): Promise<PlannerResult> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { signal, onProgress, ...rest } = options;
    const id = this.#next++;
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const abort = (): void => {
      Atomics.store(stop, 0, 1);
    };
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const task: PlanTask = { id, effort: this.name, instance, options: rest, stop };
    const answer = new Promise<PlannerResult>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onProgress });
      this.#worker.ref();
      this.#worker.postMessage(task);
    });
    return answer.finally(() => signal?.removeEventListener('abort', abort));
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #receive(reply: PlanReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if ('progress' in reply) {
      waiting.onProgress?.(reply.progress);
      return;
    }
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('result' in reply) waiting.resolve(reply.result);
    else waiting.reject(new BedsideError('E_INTERNAL', `the planner's thread: ${reply.error}`));
  }

  #fail(what: string): void {
    this.#failure ??= new BedsideError('E_INTERNAL', `the planner's thread ${what}`);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
