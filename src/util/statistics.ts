// Small statistics that several parts share.

/** The middle value, or the mean of the two in the middle; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (low + (sorted[Math.floor(middle)] ?? low)) / 2;
}

/** The value below which this share of the values lies, by the nearest rank; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const rank = Math.max(0, Math.ceil(share * values.length) - 1);
  return values.toSorted((a, b) => a - b)[rank] ?? Number.NaN;
}

/**
 * One-sided lower confidence bound of a probability after `successes` in `trials` (Clopper and Pearson, Biometrika 1934):
 * the probability at which as many successes or more have the chance `1 - confidence`. 0 without trials.
 */
export function binomialLowerBound(successes: number, trials: number, confidence: number): number {
  if (successes === 0 || trials === 0) return 0;
  let [low, high] = [0, 1];
  // 60 halvings are more than a double can tell apart.
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (binomialTail(successes, trials, middle) > 1 - confidence) high = middle;
    else low = middle;
  }
  return low;
}

/** The chance of `successes` or more in `trials`. */
function binomialTail(successes: number, trials: number, probability: number): number {
  if (probability <= 0) return 0;
  if (probability >= 1) return 1;
  const odds = Math.log(probability) - Math.log1p(-probability);
  let logTerm = trials * Math.log1p(-probability);
  let tail = successes === 0 ? Math.exp(logTerm) : 0;
  for (let k = 1; k <= trials; k++) {
    logTerm += Math.log((trials - k + 1) / k) + odds;
    if (k >= successes) tail += Math.exp(logTerm);
  }
  return Math.min(1, tail);
}
