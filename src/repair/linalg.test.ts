import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { factorise, invertPositive, solveFactor } from './factor.ts';
import { cholesky, invertLower, leadingDirections } from './linalg.ts';
import { type Matrix, Products } from './products.ts';

function positiveDefinite(n: number, random: Random): Matrix {
  const b = Float64Array.from({ length: n * n }, () => random.normal());
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 0.1 : 0;
      for (let k = 0; k < n; k++) sum += (b[i * n + k] as number) * (b[j * n + k] as number);
      a[i * n + j] = sum;
    }
  }
  return { rows: n, columns: n, data: a };
}

function times(a: Matrix, x: Matrix): Matrix {
  const data = new Float64Array(a.rows * x.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      for (let c = 0; c < x.columns; c++) {
        const at = i * x.columns + c;
        data[at] =
          (data[at] as number) +
          (a.data[i * a.columns + k] as number) * (x.data[k * x.columns + c] as number);
      }
    }
  }
  return { rows: a.rows, columns: x.columns, data };
}

let products: Products;
beforeAll(async () => {
  products = await Products.create(1);
});
afterAll(() => products.release());

describe('invertPositive', () => {
  it.each([1, 3, 4, 5, 9, 33])('inverts a matrix of %i rows, shifted', async (n) => {
    const a = positiveDefinite(n, new Random(n));
    const inverse = must(await invertPositive(a, products, 0.5, 4), 'not positive definite');
    const shifted = { ...a, data: a.data.map((value, at) => value + (at % (n + 1) === 0 ? 0.5 : 0)) };
    times(shifted, inverse).data.forEach((value, at) => {
      expect(value).toBeCloseTo(at % (n + 1) === 0 ? 1 : 0, 8);
    });
  });

  it('says when a matrix is not positive definite, wherever that shows', async () => {
    for (const bad of [0, 5, 8]) {
      const a = positiveDefinite(9, new Random(2));
      a.data[bad * 10] = -1;
      expect(await invertPositive(a, products, 0, 4)).toBeUndefined();
    }
  });
});

describe('factorise and solveFactor', () => {
  // Blocks of 4: from one block to a tree of several levels, with odd sizes.
  it.each([1, 2, 3, 4, 5, 7, 8, 33, 40])(
    'solve systems of %i unknowns and several right sides',
    async (n) => {
      const random = new Random(n);
      const a = positiveDefinite(n, random);
      const x = { rows: n, columns: 3, data: Float64Array.from({ length: n * 3 }, () => random.normal()) };
      const b = times(a, x);
      const factor = must(await factorise(a, products, 0, 4), 'not positive definite');
      const found = await solveFactor(factor, b, products);
      found.data.forEach((value, i) => {
        expect(value).toBeCloseTo(x.data[i] as number, 6);
      });
    },
  );

  it('adds the shift to the whole diagonal', async () => {
    const a = positiveDefinite(9, new Random(1));
    const x = { rows: 9, columns: 1, data: Float64Array.from({ length: 9 }, (_, i) => i - 4) };
    const b = times(a, x);
    for (let i = 0; i < 9; i++) b.data[i] = (b.data[i] as number) + 2.5 * (x.data[i] as number);
    const factor = must(await factorise(a, products, 2.5, 2), 'not positive definite');
    const found = await solveFactor(factor, b, products);
    found.data.forEach((value, i) => {
      expect(value).toBeCloseTo(i - 4, 8);
    });
  });

  it('refuses a matrix that is not positive definite, wherever it shows', async () => {
    const matrix = (data: Float64Array, n: number): Matrix => ({ rows: n, columns: n, data });
    // Eigenvalues 3 and -1.
    const indefinite = Float64Array.of(1, 2, 2, 1);
    expect(cholesky(indefinite.slice(), 2)).toBe(false);
    expect(await factorise(matrix(indefinite, 2), products)).toBeUndefined();
    expect(await factorise(matrix(indefinite, 2), products, 0, 1)).toBeUndefined();
    expect(await factorise(matrix(Float64Array.of(Number.NaN), 1), products)).toBeUndefined();
    expect(await factorise(matrix(indefinite, 2), products, 1.5, 1)).toBeDefined();
  });
});

describe('invertLower', () => {
  it('gives the inverse and reads nothing above the diagonal', () => {
    const n = 6;
    const l = positiveDefinite(n, new Random(3)).data;
    expect(cholesky(l, n)).toBe(true);
    const inverse = invertLower(l, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k <= i; k++) sum += (l[i * n + k] as number) * (inverse[k * n + j] as number);
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 9);
      }
    }
  });
});

describe('leadingDirections', () => {
  it('finds the eigenvectors of the largest eigenvalues', () => {
    // Q diag(9, 5, 2, .5, .1, 0) Q^T with Q from two reflections.
    const n = 6;
    const values = [9, 5, 2, 0.5, 0.1, 0];
    const random = new Random(4);
    const v = Array.from({ length: n }, () => random.normal());
    const norm = v.reduce((sum, x) => sum + x * x, 0);
    const q = (i: number, j: number): number =>
      (i === j ? 1 : 0) - (2 * (v[i] as number) * (v[j] as number)) / norm;
    const data = Float64Array.from({ length: n * n }, (_, at) =>
      values.reduce((sum, value, k) => sum + value * q(Math.floor(at / n), k) * q(at % n, k), 0),
    );
    const found = leadingDirections({ rows: n, columns: n, data }, 3);
    for (let c = 0; c < 3; c++) {
      let cosine = 0;
      for (let i = 0; i < n; i++) cosine += (found.data[i * 3 + c] as number) * q(i, c);
      expect(Math.abs(cosine)).toBeCloseTo(1, 9);
    }
  });

  it('has nothing to say where nothing is left', () => {
    const found = leadingDirections({ rows: 2, columns: 2, data: Float64Array.of(1, 1, 1, 1) }, 2);
    const half = Math.sqrt(0.5);
    expect(Math.abs(found.data[0] as number)).toBeCloseTo(half, 9);
    expect([found.data[1], found.data[3]].map((x) => Math.abs(x as number))).toEqual([0, 0]);
    expect(leadingDirections({ rows: 2, columns: 2, data: new Float64Array(4) }, 1).data).toEqual(
      new Float64Array(2),
    );
  });
});
