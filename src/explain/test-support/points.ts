// Samples for models around one operator.
import { normals } from './nets.ts';
import type { Case } from './operator-cases.ts';

/** Random input values that keep clear of a case's kinks, by more than a step of differences. */
export function points(
  { kinks = [], range, distinct }: Case,
  count: number,
  step: number,
  seed = 11,
): Float32Array {
  const values = normals(count, seed);
  if (distinct) {
    const order = Array.from(values.keys()).sort((a, b) => (values[a] as number) - (values[b] as number));
    order.forEach((place, rank) => {
      values[place] = 0.05 * (rank - count / 2);
    });
  }
  return values.map((value) => {
    const [low, high] = range ?? [value, value];
    const within = range ? low + (high - low) / (1 + Math.exp(-2 * value)) : value;
    const near = kinks.find((kink) => Math.abs(within - kink) < 10 * step);
    return near === undefined ? within : near + 12 * step * (within < near ? -1 : 1);
  });
}
