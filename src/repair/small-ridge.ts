// Ridge regression with a few unknowns, such as one channel of a depthwise convolution: one pass over the rows, then
// small systems. There are thousands of these in a network, and calls of the engine would take longer than the sums.
import { cholesky } from './linalg.ts';
import type { Matrix } from './products.ts';
import { descent, type RidgeSolution, ridgeOf } from './ridge.ts';

/** Most unknowns and outputs together. */
export const SMALL = 48;

/** Inputs, targets, present weights, rows that fit, and where the search starts, as in `solveRidge`. */
export interface SmallProblem {
  readonly x: Matrix;
  readonly y: Matrix;
  readonly weights: Matrix;
  readonly fitRows: number;
  readonly start?: number | undefined;
}

/** Sums over rows of the products of all columns of inputs and residuals: the lower triangle, row by row. */
type Sums = Float64Array;

/** As `solveRidge`, for the residual `y - x weights`. */
export function solveSmall(problem: SmallProblem): RidgeSolution {
  const { x, y, weights, fitRows } = problem;
  const [n, m] = [x.columns, y.columns];
  const fit = sumsOf(x, y, weights, 0, fitRows);
  const held = sumsOf(x, y, weights, fitRows, x.rows);
  const factor = new Float64Array(n * n);
  const heldValues = Math.max(1, (x.rows - fitRows) * m);
  let before = 0;
  for (let o = n; o < n + m; o++) before += at(held, o, o);
  const errorBefore = before / heldValues;
  const errorAt = (strength: number): number => {
    const change = solved(fit, n, m, strength, factor);
    return change ? errorOf(held, change, n, m) / heldValues : Number.POSITIVE_INFINITY;
  };
  const search = descent(problem);
  let step = search.next();
  while (!step.done) step = search.next(errorAt(step.value));
  const found = step.value;
  if (!(found.error < errorBefore)) {
    return { change: undefined, strength: 0, errorBefore, errorAfter: errorBefore };
  }
  for (let i = 0; i < fit.length; i++) fit[i] = (fit[i] as number) + (held[i] as number);
  const data = solved(fit, n, m, found.strength, factor);
  const change = data && { rows: n, columns: m, data };
  return { change, strength: found.strength, errorBefore, errorAfter: found.error };
}

/** Rows that are added at once: each sum is then read and written once for all of them. */
const AT_ONCE = 4;

function sumsOf(x: Matrix, y: Matrix, weights: Matrix, from: number, to: number): Sums {
  const k = x.columns + y.columns;
  const packed = new Float64Array((k * (k + 1)) / 2);
  const rows = new Float64Array(AT_ONCE * k);
  for (let r = from; r < to; r += AT_ONCE) {
    for (let s = 0; s < AT_ONCE; s++) {
      if (r + s < to) writeRow(x, y, weights, r + s, rows, s * k);
      else rows.fill(0, s * k, (s + 1) * k);
    }
    for (let i = 0, p = 0; i < k; i++) {
      const [a, b] = [rows[i] as number, rows[k + i] as number];
      const [c, d] = [rows[2 * k + i] as number, rows[3 * k + i] as number];
      if (a === 0 && b === 0 && c === 0 && d === 0) {
        p += i + 1;
        continue;
      }
      for (let j = 0; j <= i; j++, p++) {
        const upper = a * (rows[j] as number) + b * (rows[k + j] as number);
        const lower = c * (rows[2 * k + j] as number) + d * (rows[3 * k + j] as number);
        packed[p] = (packed[p] as number) + upper + lower;
      }
    }
  }
  return packed;
}

/** Writes a row of inputs, and of residuals, to `out[start]` and on. */
function writeRow(
  x: Matrix,
  y: Matrix,
  { data: weights }: Matrix,
  r: number,
  out: Float64Array,
  start: number,
): void {
  const [n, m] = [x.columns, y.columns];
  for (let i = 0; i < n; i++) out[start + i] = x.data[r * n + i] as number;
  for (let o = 0; o < m; o++) {
    let rest = y.data[r * m + o] as number;
    for (let i = 0; i < n; i++) rest -= (out[start + i] as number) * (weights[i * m + o] as number);
    out[start + n + o] = rest;
  }
}

function at(sums: Sums, i: number, j: number): number {
  return sums[i >= j ? (i * (i + 1)) / 2 + j : (j * (j + 1)) / 2 + i] as number;
}

/**
 * The change of the weights `[n, m]`, or undefined where the system is not positive definite.
 * @param factor room for `[n, n]`
 */
function solved(
  sums: Sums,
  n: number,
  m: number,
  strength: number,
  factor: Float64Array,
): Float64Array | undefined {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += at(sums, i, i);
  const ridge = ridgeOf(strength, trace / n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) factor[i * n + j] = at(sums, i, j) + (i === j ? ridge : 0);
  }
  if (!cholesky(factor, n)) return undefined;
  const change = new Float64Array(n * m);
  for (let o = 0; o < m; o++) {
    for (let i = 0; i < n; i++) {
      let rest = at(sums, n + o, i);
      for (let j = 0; j < i; j++) rest -= (factor[i * n + j] as number) * (change[j * m + o] as number);
      change[i * m + o] = rest / (factor[i * n + i] as number);
    }
    for (let i = n - 1; i >= 0; i--) {
      let rest = change[i * m + o] as number;
      for (let j = i + 1; j < n; j++) rest -= (factor[j * n + i] as number) * (change[j * m + o] as number);
      change[i * m + o] = rest / (factor[i * n + i] as number);
    }
  }
  return change;
}

/** Squared error of the residual that stays: `|y|^2 - 2 d.(x^T y) + d.(x^T x) d`. */
function errorOf(sums: Sums, change: Float64Array, n: number, m: number): number {
  let error = 0;
  for (let o = 0; o < m; o++) {
    error += at(sums, n + o, n + o);
    for (let i = 0; i < n; i++) {
      const d = change[i * m + o] as number;
      let row = -2 * at(sums, n + o, i);
      for (let j = 0; j < n; j++) row += at(sums, i, j) * (change[j * m + o] as number);
      error += d * row;
    }
  }
  return Math.max(0, error);
}
