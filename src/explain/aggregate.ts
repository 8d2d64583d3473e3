// Combines samples: turns one signed value for each sample and channel into one score for each channel.
import { BedsideError } from '../util/index.ts';

/**
 * How samples are combined: `mean-absolute` (mean of absolute sums, the default), `absolute-mean`, `mean` (signed),
 * `positive` (mean of positive parts), `mean-square`, `square-mean` (square of the signed mean), or a quantile of the
 * absolute values.
 */
export type Aggregation =
  | 'mean-absolute'
  | 'absolute-mean'
  | 'mean'
  | 'positive'
  | 'mean-square'
  | 'square-mean'
  | { readonly quantile: number };

/** The aggregations without a parameter. */
export const AGGREGATIONS = [
  'mean-absolute',
  'absolute-mean',
  'mean',
  'positive',
  'mean-square',
  'square-mean',
] as const;

/**
 * An aggregation by name; a quantile is `quantile=0.9`.
 * @throws BedsideError E_USAGE
 */
export function parseAggregation(text: string): Aggregation {
  const named = AGGREGATIONS.find((name) => name === text);
  if (named) return named;
  const quantile = /^quantile=(\d*\.?\d+)$/.exec(text)?.[1];
  if (quantile !== undefined && Number(quantile) <= 1) return { quantile: Number(quantile) };
  throw new BedsideError('E_USAGE', `unknown aggregation '${text}'`, {
    hint: `known: ${AGGREGATIONS.join(', ')}, quantile=Q with Q in [0, 1]`,
  });
}

/** Collects the values of one layer, sample by sample. */
export class Aggregator {
  readonly #kind: Aggregation;
  readonly #sums: Float64Array;
  #weight = 0;
  /** Only for quantiles: every sample's values and weight. */
  readonly #rows: { readonly weight: number; readonly values: Float32Array }[] = [];

  constructor(kind: Aggregation, channels: number) {
    this.#kind = kind;
    this.#sums = new Float64Array(channels);
  }

  /** Adds the channels of one sample, `[channels]`. */
  add(values: Float32Array, weight: number): void {
    this.#weight += weight;
    if (typeof this.#kind === 'object') {
      this.#rows.push({ weight, values: values.map(Math.abs) });
      return;
    }
    const sums = this.#sums;
    for (let c = 0; c < sums.length; c++) {
      sums[c] = (sums[c] as number) + weight * term(this.#kind, values[c] as number);
    }
  }

  /** One score for each channel. */
  finish(): Float64Array {
    const kind = this.#kind;
    if (typeof kind === 'object') {
      return this.#sums.map((_, c) => weightedQuantile(this.#rows, c, kind.quantile));
    }
    const total = this.#weight || 1;
    return this.#sums.map((sum) => ofMean(kind, sum / total));
  }
}

function ofMean(kind: Exclude<Aggregation, object>, mean: number): number {
  switch (kind) {
    case 'absolute-mean':
      return Math.abs(mean);
    case 'square-mean':
      return mean * mean;
    case 'mean':
    case 'mean-absolute':
    case 'mean-square':
    case 'positive':
      return mean;
  }
}

function term(kind: Exclude<Aggregation, object>, value: number): number {
  switch (kind) {
    case 'mean-absolute':
      return Math.abs(value);
    case 'positive':
      return Math.max(value, 0);
    case 'mean-square':
      return value * value;
    case 'mean':
    case 'absolute-mean':
    case 'square-mean':
      return value;
  }
}

/**
 * The smallest value at which the cumulative share of the weights reaches `quantile`; samples with weight 0 do not
 * count.
 */
function weightedQuantile(
  rows: readonly { readonly weight: number; readonly values: Float32Array }[],
  channel: number,
  quantile: number,
): number {
  const sorted = rows
    .map(({ weight, values }) => ({ weight, value: values[channel] as number }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => a.value - b.value);
  const goal = quantile * sorted.reduce((sum, { weight }) => sum + weight, 0);
  let reached = 0;
  for (const { weight, value } of sorted) {
    reached += weight;
    if (reached >= goal) return value;
  }
  return sorted.at(-1)?.value ?? 0;
}
