// Inner products of a few rows, three by three at a time: each number that is loaded then takes part in three products.

/** Inner products of `k` chosen rows of a matrix: the lower triangle of `[k, k]`, and some entries above it. */
export function innerProducts(data: Float64Array, rows: readonly number[], columns: number): Float64Array {
  const k = rows.length;
  const result = new Float64Array(k * k);
  // Rows beyond the last one are the last one again.
  const start = (i: number): number => (rows[Math.min(i, k - 1)] as number) * columns;
  for (let i = 0; i < k; i += 3) {
    for (let j = 0; j <= i; j += 3) {
      const found = nineProducts(
        data,
        [start(i), start(i + 1), start(i + 2)],
        [start(j), start(j + 1), start(j + 2)],
        columns,
      );
      for (let p = 0; p < 3 && i + p < k; p++) {
        for (let q = 0; q < 3 && j + q < k; q++) result[(i + p) * k + j + q] = found[3 * p + q] as number;
      }
    }
  }
  return result;
}

type Three = readonly [number, number, number];

/** Inner products of three rows, which start at `a`, and three that start at `b`. */
function nineProducts(data: Float64Array, a: Three, b: Three, length: number): readonly number[] {
  const [a0, a1, a2] = a;
  const [b0, b1, b2] = b;
  let [s00, s01, s02, s10, s11, s12, s20, s21, s22] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    const [x0, x1, x2] = [data[a0 + i] as number, data[a1 + i] as number, data[a2 + i] as number];
    const [y0, y1, y2] = [data[b0 + i] as number, data[b1 + i] as number, data[b2 + i] as number];
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
  }
  return [s00, s01, s02, s10, s11, s12, s20, s21, s22];
}
