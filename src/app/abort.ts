// Work that a signal may end.

/** Resolves when the signal is aborted; at once where it is already. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
}

/** The result of work; undefined once the signal is aborted: work that still runs then ends unheard. */
export async function unlessAborted<T extends object>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  work.catch(() => {});
  return Promise.race([aborted(signal).then(() => undefined), work]);
}
