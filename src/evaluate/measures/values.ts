// How near values come to those expected.

/** Mean absolute difference of every `stride`th value from `from`. */
export function meanAbsoluteError(
  given: ArrayLike<number>,
  expected: ArrayLike<number>,
  from = 0,
  stride = 1,
): number {
  let [sum, count] = [0, 0];
  for (let i = from; i < given.length; i += stride, count++) {
    sum += Math.abs((given[i] as number) - (expected[i] as number));
  }
  return sum / count;
}

/**
 * R2, the share of the variance that is explained: 1 - sum of squared errors / sum of squares around the expected
 * values' mean. NaN where all expected values are the same.
 */
export function r2(given: ArrayLike<number>, expected: ArrayLike<number>, from = 0, stride = 1): number {
  let [sum, count] = [0, 0];
  for (let i = from; i < expected.length; i += stride, count++) sum += expected[i] as number;
  const mean = sum / count;
  let [errors, squares] = [0, 0];
  for (let i = from; i < expected.length; i += stride) {
    errors += ((given[i] as number) - (expected[i] as number)) ** 2;
    squares += ((expected[i] as number) - mean) ** 2;
  }
  return squares === 0 ? Number.NaN : 1 - errors / squares;
}

/** The cosine of the angle between rows of `size` values, averaged over rows; 0 for a row of zeros against another. */
export function meanCosine(a: ArrayLike<number>, b: ArrayLike<number>, size: number): number {
  let total = 0;
  for (let first = 0; first < a.length; first += size) {
    let [product, left, right] = [0, 0, 0];
    for (let i = first; i < first + size; i++) {
      const [x, y] = [a[i] as number, b[i] as number];
      product += x * y;
      left += x * x;
      right += y * y;
    }
    // Two rows of zeros are alike.
    if (left === 0 && right === 0) total += 1;
    else if (left > 0 && right > 0) total += product / Math.sqrt(left * right);
  }
  return total / (a.length / size);
}
