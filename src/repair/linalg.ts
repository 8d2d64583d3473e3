// Dense linear algebra in float64 on single blocks. Matrices are row-major.
import { Random } from '../util/internal.ts';
import type { Matrix } from './products.ts';

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

/**
 * The inverse of a lower triangular matrix `[n, n]`, also lower triangular; entries above the diagonal are not read.
 */
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

/** Iterations: enough to separate eigenvalues that differ by a quarter to one millionth. */
const ROUNDS = 60;

/**
 * The orthonormal directions in which a symmetric positive semidefinite matrix is largest, `[n, count]`, by subspace
 * iteration. Columns are zero where nothing is left.
 */
export function leadingDirections(a: Matrix, count: number): Matrix {
  const n = a.rows;
  const random = new Random(1);
  let basis = Array.from({ length: count }, () => Float64Array.from({ length: n }, () => random.normal()));
  for (let round = 0; round < ROUNDS; round++) {
    basis = basis.map((v) => Float64Array.from({ length: n }, (_, i) => dot(a.data, i * n, 0, n, v)));
    for (const [c, v] of basis.entries()) {
      const length = Math.sqrt(dot(v, 0, 0, n));
      // Two passes are enough (Kahan): one pass leaves rounding errors of nearly dependent vectors.
      for (let pass = 0; pass < 2; pass++) {
        for (const u of basis.slice(0, c)) {
          const part = dot(u, 0, 0, n, v);
          for (let i = 0; i < n; i++) v[i] = (v[i] as number) - part * (u[i] as number);
        }
      }
      const rest = Math.sqrt(dot(v, 0, 0, n));
      const factor = rest > 1e-12 * length ? 1 / rest : 0;
      for (let i = 0; i < n; i++) v[i] = (v[i] as number) * factor;
    }
  }
  const data = new Float64Array(n * count);
  for (const [c, v] of basis.entries()) for (let i = 0; i < n; i++) data[i * count + c] = v[i] as number;
  return { rows: n, columns: count, data };
}

/** Four running sums hide the latency of additions. */
function dot(a: Float64Array, p: number, q: number, length: number, b = a): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += (a[p + k] as number) * (b[q + k] as number);
    s1 += (a[p + k + 1] as number) * (b[q + k + 1] as number);
    s2 += (a[p + k + 2] as number) * (b[q + k + 2] as number);
    s3 += (a[p + k + 3] as number) * (b[q + k + 3] as number);
  }
  for (; k < length; k++) s0 += (a[p + k] as number) * (b[q + k] as number);
  return s0 + s1 + s2 + s3;
}
