// How often the memory of JavaScript is cleared.
import { setFlagsFromString } from 'node:v8';

/** By how many percent of what is alive memory may grow until it is cleared. */
const GROWTH = 800;

/**
 * Has memory cleared less often in this process and its threads, for commands that compute for long. Numbers of the
 * engine count as garbage beside a heap of some tens of megabytes, so V8 would otherwise clear it ten times a second and
 * keep half a core with that.
 */
export function clearMemoryLater(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
}
