// Dense linear algebra in float64 on single blocks. Matrices are row-major.

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

/** The inverse of a lower triangular matrix (`[n, n]`, what is above the diagonal is not read), lower triangular too. */
export function invertLower(l: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const pivot = 1 / (l[i * n + i] as number);
    inverse[i * n + i] = pivot;
    for (let k = 0; k < i; k++) {
      const factor = (l[i * n + k] as number) * pivot;
      for (let j = 0; j <= k; j++) {
        inverse[i * n + j] = (inverse[i * n + j] as number) - factor * (inverse[k * n + j] as number);
      }
    }
  }
  return inverse;
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
