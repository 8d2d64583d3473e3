// Cholesky factors of large systems, computed by halves: nearly all work is matrix products, which run on the engine.
import { cholesky, invertLower } from './linalg.ts';
import type { Matrix, Products } from './products.ts';

/** Largest block that is factored directly. */
const LEAF = 96;

/**
 * Lower Cholesky factor `L` of a symmetric positive definite matrix: a direct block with its inverse, or
 * `[[top, 0], [right^T, bottom]]`.
 */
export type Factor =
  | { readonly n: number; readonly inverse: Matrix }
  | { readonly n: number; readonly top: Factor; readonly right: Matrix; readonly bottom: Factor };

/**
 * Factors a symmetric matrix, which is not changed.
 * @param shift is added to the diagonal
 * @returns undefined when the matrix is not positive definite
 */
export async function factorise(
  a: Matrix,
  products: Products,
  shift = 0,
  leaf = LEAF,
): Promise<Factor | undefined> {
  const n = a.rows;
  if (n <= leaf) {
    const l = a.data.slice();
    for (let i = 0; i < n; i++) l[i * n + i] = (l[i * n + i] as number) + shift;
    if (!cholesky(l, n)) return undefined;
    return { n, inverse: { rows: n, columns: n, data: invertLower(l, n) } };
  }
  const half = n >> 1;
  const top = await factorise(block(a, 0, half, 0, half), products, shift, leaf);
  if (!top) return undefined;
  const right = await forward(top, block(a, 0, half, half, n), products);
  const rest = await products.minusAtb(block(a, half, n, half, n), right, right);
  const bottom = await factorise(rest, products, shift, leaf);
  return bottom && { n, top, right, bottom };
}

/** Solves `L L^T X = B`; `b` is not changed. */
export async function solveFactor(factor: Factor, b: Matrix, products: Products): Promise<Matrix> {
  return backward(factor, await forward(factor, b, products), products);
}

/** Solves `L Y = B`. */
async function forward(factor: Factor, b: Matrix, products: Products): Promise<Matrix> {
  if ('inverse' in factor) return products.ab(factor.inverse, b);
  const { top, right, bottom } = factor;
  const y1 = await forward(top, rowsOf(b, 0, top.n), products);
  const rest = await products.minusAtb(rowsOf(b, top.n, b.rows), right, y1);
  return stack(y1, await forward(bottom, rest, products));
}

/** Solves `L^T X = B`. */
async function backward(factor: Factor, b: Matrix, products: Products): Promise<Matrix> {
  if ('inverse' in factor) return products.atb(factor.inverse, b);
  const { top, right, bottom } = factor;
  const x2 = await backward(bottom, rowsOf(b, top.n, b.rows), products);
  const rest = await products.minusAb(rowsOf(b, 0, top.n), right, x2);
  return stack(await backward(top, rest, products), x2);
}

/**
 * The inverse of a symmetric positive definite matrix, which is not changed, by halves: with `A`, `B` and `D` its blocks and
 * `S = D - B^T A^-1 B`, its blocks are `A^-1 + T S^-1 T^T`, `-T S^-1` and `S^-1`, where `T = A^-1 B`. Solving for the
 * identity would take twice the products, half of them with zeros.
 * @param shift is added to the diagonal
 * @returns undefined when the matrix is not positive definite
 */
export async function invertPositive(
  a: Matrix,
  products: Products,
  shift = 0,
  leaf = LEAF,
): Promise<Matrix | undefined> {
  const n = a.rows;
  if (n <= leaf) {
    const factor = await factorise(a, products, shift, leaf);
    return factor && 'inverse' in factor ? products.atb(factor.inverse, factor.inverse) : undefined;
  }
  const half = n >> 1;
  const top = await invertPositive(block(a, 0, half, 0, half), products, shift, leaf);
  if (!top) return undefined;
  const beside = block(a, 0, half, half, n);
  const moved = await products.ab(top, beside);
  const rest = await products.minusAtb(block(a, half, n, half, n), beside, moved);
  const bottom = await invertPositive(rest, products, shift, leaf);
  if (!bottom) return undefined;
  const right = await products.ab(moved, bottom);
  const added = await products.abt(right, moved);
  const data = new Float64Array(n * n);
  for (let i = 0; i < half; i++) {
    for (let j = 0; j < half; j++) {
      data[i * n + j] = (top.data[i * half + j] as number) + (added.data[i * half + j] as number);
    }
    for (let j = half; j < n; j++) {
      const value = -(right.data[i * (n - half) + j - half] as number);
      data[i * n + j] = value;
      data[j * n + i] = value;
    }
  }
  for (let i = half; i < n; i++) data.set(rowsOf(bottom, i - half, i - half + 1).data, i * n + half);
  return { rows: n, columns: n, data };
}

/** Rows `[from, to)`, sharing memory. */
export function rowsOf(matrix: Matrix, from: number, to: number): Matrix {
  const { columns } = matrix;
  return { rows: to - from, columns, data: matrix.data.subarray(from * columns, to * columns) };
}

function block(a: Matrix, top: number, bottom: number, left: number, right: number): Matrix {
  const columns = right - left;
  const data = new Float64Array((bottom - top) * columns);
  for (let i = top; i < bottom; i++) {
    data.set(a.data.subarray(i * a.columns + left, i * a.columns + right), (i - top) * columns);
  }
  return { rows: bottom - top, columns, data };
}

function stack(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { rows: a.rows + b.rows, columns: a.columns, data };
}
