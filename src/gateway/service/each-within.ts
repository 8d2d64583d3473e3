// Work on many items, so many at a time.
import { setMaxListeners } from 'node:events';

/**
 * The results of all items, in their order. The first failure cancels what still runs, and nothing further starts.
 * @param most items at the same time
 * @param signal cancels too
 * @throws whatever work on an item threw first
 */
export async function eachWithin<T, R>(
  items: readonly T[],
  most: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const [only] = items;
  if (only !== undefined && items.length === 1) return [await work(only, signal)];
  const results = new Array<R>(items.length);
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  // Every item that runs listens.
  setMaxListeners(0, until);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && !stop.signal.aborted) {
      const i = next++;
      results[i] = await work(items[i] as T, until);
    }
  };
  const lanes = Array.from({ length: Math.min(most, items.length) }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(lanes);
    throw error;
  }
  return results;
}
