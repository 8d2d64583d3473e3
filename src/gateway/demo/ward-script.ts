// What happens in the demo's ward by itself, again and again: a link is throttled, then a device is killed and comes back.
import { setTimeout as sleep } from 'node:timers/promises';
import { BedsideError } from '../../util/index.ts';
import type { DemoWard } from './demo-ward.ts';

/** Seconds of quiet, of a throttled link, and until a killed device is started again. */
export const SCRIPT = { quiet: 20, throttled: 15, killed: 12 };

/** Runs until it is told to stop. Whoever uses the buttons meanwhile is not disturbed: what cannot be done is left out. */
export async function runScript(ward: DemoWard, signal: AbortSignal, times = SCRIPT): Promise<void> {
  const wait = (seconds: number): Promise<void> => sleep(1000 * seconds, undefined, { signal });
  const act = (what: () => Promise<void>): Promise<void> =>
    what().catch((error: unknown) => {
      if (!BedsideError.is(error)) throw error;
    });
  try {
    for (;;) {
      await wait(times.quiet);
      await act(() => ward.throttle(true));
      await wait(times.throttled);
      await act(() => ward.throttle(false));
      await wait(times.quiet);
      const [victim] = ward.working;
      if (victim === undefined) continue;
      await act(() => ward.kill(victim));
      await wait(times.killed);
      await act(() => ward.revive(victim));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
