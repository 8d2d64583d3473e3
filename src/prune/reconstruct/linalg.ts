// Dense linear algebra in float64 for the systems of reconstruction. Matrices are row-major.

/**
 * Replaces the lower triangle of a symmetric `n x n` matrix by its Cholesky factor.
 * @returns false when the matrix is not positive definite (its content is then void)
 */
export function cholesky(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const rowI = i * n;
    for (let j = 0; j <= i; j++) {
      const rowJ = j * n;
      const rest = (a[rowI + j] as number) - dot(a, rowI, rowJ, j);
      if (j < i) {
        a[rowI + j] = rest / (a[rowJ + j] as number);
      } else {
        if (!(rest > 0)) return false;
        a[rowI + i] = Math.sqrt(rest);
      }
    }
  }
  return true;
}

/** Solves `L L^T X = B` in place for a factor from `cholesky`; `b` is `n x columns`. */
export function choleskySolve(l: Float64Array, n: number, b: Float64Array, columns: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) subtractRow(b, i, j, l[i * n + j] as number, columns);
    scaleRow(b, i, 1 / (l[i * n + i] as number), columns);
  }
  for (let i = n - 1; i >= 0; i--) {
    scaleRow(b, i, 1 / (l[i * n + i] as number), columns);
    // Row by row of the factor: its columns would be strided.
    for (let j = 0; j < i; j++) subtractRow(b, j, i, l[i * n + j] as number, columns);
  }
}

/** Four running sums hide the latency of additions. */
function dot(a: Float64Array, p: number, q: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += (a[p + k] as number) * (a[q + k] as number);
    s1 += (a[p + k + 1] as number) * (a[q + k + 1] as number);
    s2 += (a[p + k + 2] as number) * (a[q + k + 2] as number);
    s3 += (a[p + k + 3] as number) * (a[q + k + 3] as number);
  }
  for (; k < length; k++) s0 += (a[p + k] as number) * (a[q + k] as number);
  return s0 + s1 + s2 + s3;
}

function subtractRow(b: Float64Array, to: number, from: number, factor: number, columns: number): void {
  const p = to * columns;
  const q = from * columns;
  for (let c = 0; c < columns; c++) b[p + c] = (b[p + c] as number) - factor * (b[q + c] as number);
}

function scaleRow(b: Float64Array, row: number, factor: number, columns: number): void {
  for (let c = row * columns; c < (row + 1) * columns; c++) b[c] = (b[c] as number) * factor;
}
