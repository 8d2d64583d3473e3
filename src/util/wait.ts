// Waiting for a moment more exactly than timers do.
import { setImmediate, setTimeout } from 'node:timers/promises';

/** Milliseconds by which a timer may be late: whole ones count, and another may pass before its turn. */
const LATE_MS = 2;

/**
 * Waits until a moment on the clock of `performance` (milliseconds), to some hundredths of a millisecond: the last two
 * milliseconds are waited awake, while everything else of this thread has its turns.
 */
export async function waitUntil(moment: number): Promise<void> {
  const rest = moment - performance.now() - LATE_MS;
  if (rest >= 1) await setTimeout(rest);
  while (performance.now() < moment) await setImmediate();
}
