// Comparisons and what-ifs in a thread of their own, so that requests never wait for them.
import type { Worker } from 'node:worker_threads';
import type { Bundle } from '../../bundle/index.ts';
import type { RunPlan } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { startThread } from '../../util/internal.ts';
import type { SolverName } from '../planners.ts';
import type { ComparedPlans, Moment } from './compare-plans.ts';
import type { FleetEdit } from './fleet-edit.ts';
import type { OutlookReply, OutlookTask } from './messages.ts';
import type { WhatIf } from './what-if.ts';

/** Tasks that run and wait; more are refused. */
const MOST_TASKS = 8;

type BundlePart = Pick<Bundle, 'sha256' | 'manifest'>;

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Answers questions about plans in a worker thread, one after another. The thread starts with the first one, and does not
 * keep the process alive.
 */
export class Outlook {
  readonly #waiting = new Map<number, Waiting>();
  readonly #sent = new Set<string>();
  #worker: Worker | undefined;
  #next = 0;
  #closed = false;

  /**
   * The plan in use beside greedy and exact planning.
   * @param seconds limit of the exact search
   * @throws BedsideError E_BUSY where too many wait; E_CANCELLED once it is closed; as `comparePlans`
   */
  compare(bundle: BundlePart, moment: Moment, plan: RunPlan, seconds: number): Promise<ComparedPlans> {
    return this.#ask(bundle, { kind: 'compare', moment, plan: runPart(plan), seconds });
  }

  /** @throws BedsideError as `compare`; as `whatIf` */
  whatIf(bundle: BundlePart, moment: Moment, edit: FleetEdit, solver: SolverName): Promise<WhatIf> {
    return this.#ask(bundle, { kind: 'what-if', moment, edit, solver });
  }

  /** Ends the thread; what waits is cancelled. What runs ends first: a thread must not stop in the engine. */
  async close(): Promise<void> {
    this.#closed = true;
    const [running, ...others] = this.#waiting;
    for (const [id, { reject }] of others) {
      this.#waiting.delete(id);
      reject(new BedsideError('E_CANCELLED', 'stopping'));
    }
    const worker = this.#worker;
    if (!worker) return;
    if (!running) {
      await worker.terminate();
      return;
    }
    await new Promise<void>((done) => {
      worker.once('message', () => done());
      worker.once('exit', () => done());
    });
    await worker.terminate();
  }

  #ask<T extends ComparedPlans | WhatIf>(
    { sha256, manifest }: BundlePart,
    task: DistributiveOmit<Exclude<OutlookTask, { kind: 'bundle' }>, 'id' | 'bundle'>,
  ): Promise<T> {
    if (this.#closed) return Promise.reject(new BedsideError('E_CANCELLED', 'stopping'));
    if (this.#waiting.size >= MOST_TASKS) {
      return Promise.reject(
        new BedsideError('E_BUSY', 'too many questions about plans at a time', {
          hint: 'ask again in a moment',
        }),
      );
    }
    this.#worker ??= this.#start();
    const worker = this.#worker;
    if (!this.#sent.has(sha256)) worker.postMessage({ kind: 'bundle', bundle: sha256, manifest });
    this.#sent.add(sha256);
    const id = this.#next++;
    const answer = new Promise<T>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    worker.postMessage({ ...task, id, bundle: sha256 } as OutlookTask);
    return answer;
  }

  #start(): Worker {
    const worker = startThread(import.meta.url, 'thread');
    worker.unref();
    worker.on('message', (reply: OutlookReply) => {
      const waiting = must(this.#waiting.get(reply.id), 'a task that waits');
      this.#waiting.delete(reply.id);
      if ('result' in reply) return waiting.resolve(reply.result as never);
      const { code, message, hint } = reply.error;
      waiting.reject(new BedsideError(code, message, hint === undefined ? {} : { hint }));
    });
    const failed = (what: string): void => {
      for (const { reject } of this.#waiting.values()) {
        reject(new BedsideError('E_INTERNAL', `the thread that compares plans ${what}`));
      }
      this.#waiting.clear();
      this.#sent.clear();
      this.#worker = undefined;
    };
    worker.on('error', () => failed('failed'));
    worker.on('exit', () => failed('has ended'));
    return worker;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Without what only its planner needs. */
function runPart({ levels, stages }: RunPlan): RunPlan {
  return {
    levels,
    stages: stages.map(({ index, segments, precision, wire }) => ({ index, segments, precision, wire })),
  };
}
