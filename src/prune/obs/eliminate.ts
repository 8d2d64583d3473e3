// The order in which the units of a group go: at each step the one that its readers can do without most easily.
import type { Reader } from './surgeon.ts';

/** A group taken apart to the last unit. */
export interface Elimination {
  /** Units, the first to go first. */
  readonly order: readonly number[];
  /** What the removal of each of them added to the squared error of the readers. */
  readonly errors: readonly number[];
}

/** Removes all units of a group but one, always the one that adds the least to the error of all readers together. */
export async function eliminate(units: number, readers: readonly Reader[]): Promise<Elimination> {
  const left = new Set(Array.from({ length: units }, (_, unit) => unit));
  const order: number[] = [];
  const errors: number[] = [];
  while (left.size > 0) {
    let [least, next] = [Number.POSITIVE_INFINITY, -1];
    for (const unit of left) {
      let error = 0;
      for (const reader of readers) error += reader.errorOf(unit);
      if (error < least || next < 0) [least, next] = [error, unit];
    }
    left.delete(next);
    order.push(next);
    errors.push(least);
    if (left.size > 0) for (const reader of readers) await reader.remove(next);
  }
  return { order, errors };
}

/**
 * Scores that rank a group's units as they went: what each removal added, never less than the removals before it, so
 * that a smaller network keeps a part of what a larger one keeps.
 */
export function scoresOf({ order, errors }: Elimination): Float64Array {
  const scores = new Float64Array(order.length);
  let last = 0;
  order.forEach((unit, i) => {
    // Ties would be broken by index: each is a little more than the one before.
    last = Math.max(errors[i] as number, last * (1 + 1e-9), Number.MIN_VALUE ** 0.5 * (i + 1));
    scores[unit] = last;
  });
  return scores;
}
