// Limits how many notes other nodes can cause.

/** Number of notes in a window. */
export const MAX_NOTES = 20;
/** Length of a window in milliseconds. */
export const NOTES_MS = 10_000;

/**
 * Passes on the first notes of each window, and counts the others. The count is passed on with the next window.
 * @param clock current time in milliseconds
 */
export function limitNotes(
  onNote: (text: string) => void,
  clock: () => number = () => performance.now(),
): (text: string) => void {
  let [since, passed, more] = [Number.NEGATIVE_INFINITY, 0, 0];
  return (text) => {
    const now = clock();
    if (now - since >= NOTES_MS) {
      if (more > 0) onNote(`${more} more notes like these were left out`);
      [since, passed, more] = [now, 0, 0];
    }
    if (passed++ < MAX_NOTES) onNote(text);
    else more++;
  };
}
