// One-sided lower bounds of measures that are no shares of samples.
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';

/** The standard normal quantile of 95 %, and the share of bootstrap draws below the bound. */
const Z = 1.6448536269514722;
const BELOW = 0.05;

const DRAWS = 1000;
const SEED = 1;

/**
 * The one-sided 95 % lower bound of an area under the ROC curve, by the score interval of Newcombe ("Confidence
 * intervals for an effect size measure based on the Mann-Whitney statistic. Part 2", Statistics in Medicine 2006, method
 * 5). It is below 1 for a perfect order too. NaN without positive or negative samples.
 */
export function aurocLowerBound(area: number, positives: number, negatives: number): number {
  if (Number.isNaN(area) || positives === 0 || negatives === 0) return Number.NaN;
  const mean = (positives + negatives) / 2 - 1;
  const spread = (of: number): number =>
    (of * (1 - of) * (1 + mean * ((1 - of) / (2 - of) + of / (1 + of)))) / (positives * negatives);
  let [low, high] = [0, area];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (area - middle > Z * Math.sqrt(spread(middle))) low = middle;
    else high = middle;
  }
  return low;
}

/** Sums over samples, from which a measure follows. */
export interface SummedMeasure {
  /** `[samples, size]`. */
  readonly rows: Float64Array;
  readonly size: number;
  /** The measure of the sums of some rows, which may be drawn more than once. */
  readonly of: (sums: Float64Array) => number;
}

/** The measure of all samples. */
export function measureOf({ rows, size, of }: SummedMeasure): number {
  const sums = new Float64Array(size);
  for (let at = 0; at < rows.length; at++)
    sums[at % size] = (sums[at % size] as number) + (rows[at] as number);
  return of(sums);
}

/**
 * The one-sided 95 % lower bound by bootstrap (the percentile method of Efron) over samples, at least 0. Where all draws
 * are alike, as if all samples were perfect, it is as for a share of them: 0.05 ^ (1 / samples) of the value.
 */
export function bootstrapLowerBound(measure: SummedMeasure): number {
  const { rows, size, of } = measure;
  const samples = rows.length / size;
  const random = new Random(SEED);
  const sums = new Float64Array(size);
  const found = Float64Array.from({ length: DRAWS }, () => {
    sums.fill(0);
    for (let i = 0; i < samples; i++) {
      const from = random.integer(samples) * size;
      for (let k = 0; k < size; k++) sums[k] = (sums[k] as number) + (rows[from + k] as number);
    }
    return of(sums);
  })
    .filter((value) => !Number.isNaN(value))
    .sort();
  if (found.length === 0) return 0;
  const [lowest, highest] = [must(found[0], 'a draw'), must(found.at(-1), 'a draw')];
  if (highest - lowest < 1e-12) return Math.max(0, measureOf(measure) * BELOW ** (1 / samples));
  return Math.max(0, must(found[Math.floor(BELOW * found.length)], 'a draw'));
}
