// Notes of what others do: so many at a time, and how many more there were.

/** Notes in a window, and its milliseconds. */
export const MAX_NOTES = 20;
export const NOTES_MS = 10_000;

/**
 * Lets the first notes of a window through, and counts the others.
 * @param clock milliseconds
 */
export function limitNotes(
  tell: (text: string) => void,
  clock: () => number = () => performance.now(),
): (text: string) => void {
  let [since, told, more] = [Number.NEGATIVE_INFINITY, 0, 0];
  return (text) => {
    const now = clock();
    if (now - since >= NOTES_MS) {
      if (more > 0) tell(`${more} more notes like these were left out`);
      [since, told, more] = [now, 0, 0];
    }
    if (told++ < MAX_NOTES) tell(text);
    else more++;
  };
}
