// How figures are written in the tables.
import { deviation, mean } from './statistics.ts';

/** `0.512 ± 0.020`; the mean alone for one value, nothing of none. */
export function plusMinus(values: readonly number[], digits = 3): string {
  if (values.length === 0) return '';
  const spread = deviation(values);
  return mean(values).toFixed(digits) + (Number.isNaN(spread) ? '' : ` ± ${spread.toFixed(digits)}`);
}

/** The number, or nothing where there is none. */
export function shown(value: number, digits = 3): string {
  return Number.isNaN(value) ? '' : value.toFixed(digits);
}

/** `+1.5`, or nothing where there is none. */
export function signed(points: number): string {
  return Number.isNaN(points) ? '' : (points >= 0 ? '+' : '') + points.toFixed(1);
}

/** Order with larger first, what is not there last. */
export function descending(a: number, b: number): number {
  return (Number.isNaN(b) ? -1 : b) - (Number.isNaN(a) ? -1 : a);
}
