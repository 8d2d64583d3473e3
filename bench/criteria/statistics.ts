// The few statistics of the studies.

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; NaN for fewer than two values. */
export function deviation(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** Area under a curve by the trapezoidal rule; points in any order, the mean of those at one place. */
export function area(points: readonly (readonly [x: number, y: number])[]): number {
  const byPlace = new Map<number, number[]>();
  for (const [x, y] of points) byPlace.set(x, [...(byPlace.get(x) ?? []), y]);
  const sorted = [...byPlace].map(([x, ys]) => [x, mean(ys)] as const).sort(([a], [b]) => a - b);
  return sorted.reduce((sum, [x, y], i) => {
    const before = sorted[i - 1];
    return before ? sum + ((x - before[0]) * (y + before[1])) / 2 : 0;
  }, 0);
}

/** The entry with the largest value; undefined of none. */
export function largestBy<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  return items.reduce<T | undefined>(
    (best, item) => (best === undefined || value(item) > value(best) ? item : best),
    undefined,
  );
}
