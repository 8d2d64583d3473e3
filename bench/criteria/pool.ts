// Processes that work through a list of jobs.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BedsideError } from '../../src/util/index.ts';
import type { Cell } from './cells.ts';
import type { Job } from './plan.ts';
import type { Answer } from './worker.ts';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));

/** What happens to the answers. */
export interface PoolOptions {
  readonly workers: number;
  /** No job is begun after this time, as `Date.now()`. */
  readonly until: number;
  readonly onCell: (cell: Cell) => Promise<void>;
  readonly onFailure: (key: string, reason: string) => void;
}

/**
 * Hands out jobs in their order until there are none left or the time is up.
 * @throws BedsideError E_INTERNAL when a worker dies
 */
export async function workThrough(jobs: readonly Job[], options: PoolOptions): Promise<void> {
  const left = jobs.values();
  await Promise.all(Array.from({ length: options.workers }, () => oneWorker(left, options)));
}

function oneWorker(left: Iterator<Job>, options: PoolOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(WORKER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let finished = false;
    const next = (): void => {
      const job = Date.now() < options.until ? left.next() : undefined;
      if (job && !job.done) {
        child.send(job.value);
        return;
      }
      finished = true;
      child.disconnect();
    };
    child.on('message', (answer: Answer) => {
      if (answer.kind === 'failed') options.onFailure(answer.key, answer.reason);
      const kept = answer.kind === 'cell' ? options.onCell(answer.cell) : Promise.resolve();
      kept.then(next, reject);
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (finished) resolve();
      else reject(new BedsideError('E_INTERNAL', `internal: a worker of the study ended with code ${code}`));
    });
  });
}
