// The order in which the units of a group are removed: always the unit that its readers can replace best.
import type { Reader } from './surgeon.ts';

/** The removal of all units of a group but one. */
export interface Elimination {
  /** Units in the order of removal. */
  readonly order: readonly number[];
  /** The squared error that each removal added to the readers. */
  readonly errors: readonly number[];
}

/**
 * Removes all units of a group but one. Each time, the unit goes that adds least to the error of all readers together.
 */
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
 * Scores that rank a group's units by the order of removal. A score is the error that the removal added, but never less
 * than the scores before it: a smaller network then keeps a subset of the units of a larger one.
 */
export function scoresOf({ order, errors }: Elimination): Float64Array {
  const scores = new Float64Array(order.length);
  let last = 0;
  order.forEach((unit, i) => {
    // Ties would be broken by index, so each score is a little larger than the last.
    last = Math.max(errors[i] as number, last * (1 + 1e-9), Number.MIN_VALUE ** 0.5 * (i + 1));
    scores[unit] = last;
  });
  return scores;
}
