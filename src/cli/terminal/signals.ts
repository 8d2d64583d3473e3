// Signals to stop, handled from the first moment on: imported before everything else. The process exits with the status that
// shells use for a signal, so that temporary files and child processes are cleared (`util/leftovers.ts`).

/** Exit statuses by signal: 128 and its number. */
export const STOPPED = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const WORDS = { SIGHUP: undefined, SIGINT: 'interrupted', SIGTERM: 'terminated' } as const;

for (const signal of Object.keys(STOPPED) as (keyof typeof STOPPED)[]) {
  process.on(signal, () => {
    // A terminal that is gone cannot show anything.
    if (WORDS[signal] !== undefined) process.stderr.write(`\nbedside: ${WORDS[signal]}\n`);
    process.exit(STOPPED[signal]);
  });
}
