// Probabilities from scores.

/** The softmax of scores. The largest is subtracted first, so that no exponential overflows. */
export function softmax(scores: ArrayLike<number>): Float64Array {
  const most = Array.from(scores).reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = Float64Array.from(scores, (score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}
