import { describe, expect, it } from 'vitest';
import { Random } from '../../util/index.ts';
import { cholesky, choleskySolve } from './linalg.ts';

function positiveDefinite(n: number, random: Random): Float64Array {
  const b = Float64Array.from({ length: n * n }, () => random.normal());
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 0.1 : 0;
      for (let k = 0; k < n; k++) sum += (b[i * n + k] as number) * (b[j * n + k] as number);
      a[i * n + j] = sum;
    }
  }
  return a;
}

describe('cholesky', () => {
  it.each([1, 2, 3, 7, 40])('solves systems of %i unknowns and several right sides', (n) => {
    const random = new Random(n);
    const a = positiveDefinite(n, random);
    const columns = 3;
    const x = Float64Array.from({ length: n * columns }, () => random.normal());
    const b = new Float64Array(n * columns);
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < columns; c++) {
        for (let k = 0; k < n; k++) {
          b[i * columns + c] =
            (b[i * columns + c] as number) + (a[i * n + k] as number) * (x[k * columns + c] as number);
        }
      }
    }
    const factor = a.slice();
    expect(cholesky(factor, n)).toBe(true);
    choleskySolve(factor, n, b, columns);
    b.forEach((value, i) => {
      expect(value).toBeCloseTo(x[i] as number, 6);
    });
  });

  it('refuses a matrix that is not positive definite', () => {
    // Eigenvalues 3 and -1.
    expect(cholesky(Float64Array.of(1, 2, 2, 1), 2)).toBe(false);
    expect(cholesky(Float64Array.of(Number.NaN), 1)).toBe(false);
  });
});
