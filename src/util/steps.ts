// Long work in steps, for those who have other things to do between them.
import { setImmediate } from 'node:timers/promises';

/** Work that can pause; its result is there after the last step. */
export type Steps<T> = Generator<void, T>;

/** All steps at once. */
export function atOnce<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** One step after another, with everything that waits for this thread in between: messages, timers, heartbeats. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  let step = steps.next();
  while (!step.done) {
    await setImmediate();
    step = steps.next();
  }
  return step.value;
}
