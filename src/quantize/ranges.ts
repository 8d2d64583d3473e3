// Ways to choose the range that the integers of a value span.

import { scaleOfRange, type ValueRange } from '../util/internal.ts';
import { throughUint8 } from './integers.ts';
import type { Bounds } from './places.ts';
import type { ValueStatistics } from './statistics.ts';

/** How a range was chosen. */
export type RangeMethod = 'min-max' | 'percentile' | 'mse' | 'entropy';

/** All of them; among equals the first is taken. */
export const RANGE_METHODS: readonly RangeMethod[] = ['min-max', 'percentile', 'mse', 'entropy'];

/** The share of the values that `percentile` keeps within the range, both ends together. */
const WITHIN = 0.999;

/** Shares of the whole range that `mse` and `entropy` try. */
const SHARES = Array.from({ length: 16 }, (_, i) => 1 - i * 0.05);

/** Bins of the histogram that `entropy` reads: eight for each integer. */
const BINS = 2048;
const INTEGERS = 256;

/** The range of a value by one method, within the bounds that a Relu or Clip sets. */
export function rangeBy(
  method: RangeMethod,
  statistics: ValueStatistics,
  bounds: Bounds | undefined,
): ValueRange {
  const whole = bounded(statistics, bounds);
  const values = bounds
    ? statistics.values.map((v) => Math.min(Math.max(v, bounds.low), bounds.high))
    : statistics.values;
  if (values.length === 0 || whole.low === whole.high) return whole;
  switch (method) {
    case 'min-max':
      return whole;
    case 'percentile':
      return withoutTails(values, whole);
    case 'mse':
      return best(whole, (range) => meanSquareLost(values, range));
    case 'entropy':
      return best(whole, (range) => divergence(values, range));
  }
}

/** The mean squared difference that a range's integers make. */
export function meanSquareLost(values: Float64Array, range: ValueRange): number {
  const rounded = throughUint8(values, scaleOfRange(range));
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] as number) - (rounded[i] as number)) ** 2;
  return sum / Math.max(1, values.length);
}

/** A range that holds 0, within bounds. */
function bounded({ low, high }: ValueRange, bounds: Bounds | undefined): ValueRange {
  const [least, most] = [Math.min(low, 0), Math.max(high, 0)];
  return bounds
    ? { low: Math.max(least, bounds.low), high: Math.min(most, bounds.high) }
    : { low: least, high: most };
}

function withoutTails(values: Float64Array, whole: ValueRange): ValueRange {
  const sorted = values.toSorted();
  const last = sorted.length - 1;
  const tail = (1 - WITHIN) / 2;
  const at = (share: number): number => sorted[Math.round(share * last)] as number;
  // One end is at 0 where all values are on one side of it: then the other end has the whole tail.
  if (whole.low === 0) return { low: 0, high: Math.max(0, at(WITHIN)) };
  if (whole.high === 0) return { low: Math.min(0, at(1 - WITHIN)), high: 0 };
  return { low: Math.min(0, at(tail)), high: Math.max(0, at(1 - tail)) };
}

function best(whole: ValueRange, lossOf: (range: ValueRange) => number): ValueRange {
  let [found, least] = [whole, Number.POSITIVE_INFINITY];
  for (const share of SHARES) {
    const range = { low: whole.low * share, high: whole.high * share };
    const loss = lossOf(range);
    if (loss < least) [found, least] = [range, loss];
  }
  return found;
}

/**
 * The Kullback-Leibler divergence of the values as integers from the values, both as histograms; what lies outside the
 * range counts at its ends (Migacz, "8-bit inference with TensorRT", GTC 2017).
 */
function divergence(values: Float64Array, { low, high }: ValueRange): number {
  const width = (high - low) / BINS;
  if (!(width > 0)) return Number.POSITIVE_INFINITY;
  const [inside, all] = [new Float64Array(BINS), new Float64Array(BINS)];
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((value - low) / width)));
    all[bin] = (all[bin] as number) + 1;
    if (value >= low && value <= high) inside[bin] = (inside[bin] as number) + 1;
  }
  const each = BINS / INTEGERS;
  let [sum, kept] = [0, 0];
  for (const count of inside) kept += count;
  for (let first = 0; first < BINS; first += each) {
    let [mass, used] = [0, 0];
    for (let bin = first; bin < first + each; bin++) {
      mass += inside[bin] as number;
      if (all[bin]) used++;
    }
    for (let bin = first; bin < first + each; bin++) {
      const p = (all[bin] as number) / values.length;
      const q = Math.max(mass / Math.max(1, used) / Math.max(1, kept), 1e-9);
      if (p > 0) sum += p * Math.log(p / q);
    }
  }
  return sum;
}
