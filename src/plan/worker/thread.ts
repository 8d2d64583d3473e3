// The worker thread's side: one task after another.
import { parentPort } from 'node:worker_threads';
import { messageOf, must } from '../../util/index.ts';
import { solve } from '../exact/solve.ts';
import type { PlanReply, PlanTask } from './messages.ts';

const port = must(parentPort, 'a worker thread has a parent');

port.on('message', ({ id, effort, instance, options, stop }: PlanTask) => {
  const reply = (message: PlanReply): void => port.postMessage(message);
  const signal = {
    get aborted() {
      return Atomics.load(stop, 0) !== 0;
    },
  };
  try {
    const result = solve(instance, effort, {
      ...options,
      signal,
      onProgress: (progress) => reply({ id, progress }),
    });
    reply({ id, result });
  } catch (error) {
    reply({ id, error: messageOf(error) });
  }
});
