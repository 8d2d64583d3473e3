// The formulas by which a ward moves.

/**
 * Share of its distance from the mean that a stationary Gauss-Markov process keeps over `elapsed` seconds; its
 * autocorrelation (Uhlenbeck and Ornstein, Physical Review 36, 1930; for shadow fading Gudmundson, Electronics Letters
 * 27, 1991, by distance).
 */
export function persistence(seconds: number, elapsed: number): number {
  return seconds > 0 ? Math.exp(-elapsed / seconds) : 0;
}

/** Standard deviation of what is new after a step that keeps `kept`, so that the process stays as wide as it is. */
export function innovation(deviation: number, kept: number): number {
  return deviation * Math.sqrt(1 - kept * kept);
}

/** Capacity in bits a second for each hertz of bandwidth (Shannon, Proceedings of the IRE 37, 1949). */
export function shannon(snrDecibels: number): number {
  return Math.log2(1 + 10 ** (snrDecibels / 10));
}

/** Probability that a Poisson process with this mean time between events has one within `elapsed` seconds. */
export function within(meanSeconds: number, elapsed: number): number {
  return -Math.expm1(-elapsed / meanSeconds);
}

/** Exponential time with this mean from a number uniform in [0, 1). */
export function exponential(meanSeconds: number, uniform: number): number {
  return -meanSeconds * Math.log(1 - uniform);
}
