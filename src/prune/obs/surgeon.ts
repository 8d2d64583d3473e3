// Optimal brain surgeon on whole channels: the error of a layer when a channel that it reads is removed and the other
// weights are refitted at once, and the state after that removal (Hassibi and Stork, NIPS 1992; for structures Kurtic
// et al., ZipLM, NeurIPS 2023).

import { cholesky, invertLower, type Matrix, type Products } from '../../repair/internal.ts';
import { innerProducts } from './inner-products.ts';

/** Number of pending columns of changes before the engine applies them to the whole inverse. */
const PUT_OFF = 128;
/**
 * Share of the rows that removed units may hold before the matrices are copied without them. A copy takes as long as applying
 * changes several times.
 */
const MOST_DEAD = 0.125;
/** Multiply-adds of a refit from which the engine does it. */
const ENGINE_WORK = 1e6;

/** One layer that reads channels (one group of its convolution), as a least-squares problem. */
export interface ReaderProblem {
  /** Inverse of the Gram matrix of the inputs, ridge included, `[unknowns, unknowns]`. */
  readonly inverse: Matrix;
  /** Weights `[unknowns, outputs]`, each output scaled by the root of its importance. */
  readonly weights: Matrix;
  /** The unknowns of each unit that may be removed; other unknowns stay. */
  readonly units: readonly (readonly number[])[];
}

/**
 * A reader while units are removed one by one. Removing unit `S` raises the squared error by `tr(W_S^T (H_SS)^-1 W_S)`,
 * where `H` is the inverse of the Gram matrix. Afterwards `W -= H_S (H_SS)^-1 W_S` and `H -= H_S (H_SS)^-1 H_S^T`.
 */
export class Reader {
  readonly #products: Products;
  /** Rows of the matrices below that belong to each unit; empty once it is removed. */
  readonly #rows: number[][];
  /** The block of `H` of each unit with itself, up to date; empty where every unit has one row. */
  readonly #own: Float64Array[];
  /** Where every unit has one row: the diagonal of `H`, and the squared length of each row of `W`, up to date. */
  #single: { readonly diagonal: Float64Array; readonly squares: Float64Array } | undefined;
  #inverse: Matrix;
  #weights: Matrix;
  /** Pending changes: the true inverse is `#inverse - left^T right`, both `[pending, unknowns]`. */
  #left: Float64Array;
  #right: Float64Array;
  readonly #engineWork: number;
  #putOff = 0;
  #alive: Uint8Array;

  /** @param engineWork multiply-adds of a refit from which the engine does it */
  constructor(
    { inverse, weights, units }: ReaderProblem,
    products: Products,
    engineWork: number = ENGINE_WORK,
  ) {
    this.#products = products;
    this.#engineWork = engineWork;
    this.#rows = units.map((rows) => [...rows]);
    this.#inverse = inverse;
    this.#weights = { ...weights, data: weights.data.slice() };
    const n = inverse.rows;
    this.#alive = new Uint8Array(n).fill(1);
    const widest = Math.max(1, ...units.map((rows) => rows.length));
    const room = (PUT_OFF + widest) * n;
    this.#left = new Float64Array(room);
    this.#right = new Float64Array(room);
    if (this.#rows.every((rows) => rows.length <= 1)) {
      const { columns, data } = weights;
      this.#single = {
        diagonal: Float64Array.from({ length: n }, (_, row) => inverse.data[row * n + row] as number),
        squares: Float64Array.from({ length: n }, (_, row) => squareOf(data, row * columns, columns)),
      };
      this.#own = [];
      return;
    }
    this.#own = this.#rows.map((rows) => {
      const block = new Float64Array(rows.length ** 2);
      rows.forEach((p, i) => {
        rows.forEach((q, j) => {
          block[i * rows.length + j] = inverse.data[p * n + q] as number;
        });
      });
      return block;
    });
  }

  /** The squared error that removing a unit would add. */
  errorOf(unit: number): number {
    const rows = this.#rows[unit] as number[];
    const k = rows.length;
    if (k === 0) return 0;
    const { columns, data } = this.#weights;
    if (this.#single) {
      const [row] = rows as [number];
      return (this.#single.squares[row] as number) / positive(this.#single.diagonal[row] as number);
    }
    if (k === 1) {
      const at = (rows[0] as number) * columns;
      return squareOf(data, at, columns) / positive(this.#own[unit]?.[0] as number);
    }
    // With H_SS = L L^T and M = L^-1, the sum of the products of (M^T M) and W_S W_S^T, entry by entry.
    const m = invertLower(factorOf(this.#own[unit] as Float64Array, k), k);
    const products = innerProducts(data, rows, columns);
    let sum = 0;
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++) {
        let entry = 0;
        for (let p = i; p < k; p++) entry += (m[p * k + i] as number) * (m[p * k + j] as number);
        sum += (i === j ? 1 : 2) * entry * (products[i * k + j] as number);
      }
    }
    return Math.max(0, sum);
  }

  /** Removes a unit and refits the remaining weights. */
  async remove(unit: number): Promise<void> {
    const rows = this.#rows[unit] as number[];
    const k = rows.length;
    if (k === 0) return;
    const n = this.#inverse.rows;
    const at = this.#putOff * n;
    const right = this.#right.subarray(at, at + k * n);
    rows.forEach((row, j) => {
      this.#currentRow(row, right.subarray(j * n, (j + 1) * n));
    });
    const left = this.#left.subarray(at, at + k * n);
    const own = this.#single?.diagonal.slice(rows[0], (rows[0] as number) + 1) ?? this.#own[unit];
    solveInto(factorOf(own as Float64Array, k), right, left, k, n);
    this.#rows[unit] = [];
    for (const row of rows) this.#alive[row] = 0;
    await this.#refit(rows, left);
    if (this.#single) subtractDiagonal(this.#single.diagonal, left, right);
    else {
      this.#rows.forEach((other, index) => {
        if (other.length > 0) subtractProduct(this.#own[index] as Float64Array, other, left, right, k, n);
      });
    }
    this.#putOff += k;
    if (this.#putOff >= PUT_OFF) await this.#apply();
  }

  /** A row of the inverse, up to date. */
  #currentRow(row: number, out: Float64Array): void {
    const n = this.#inverse.rows;
    out.set(this.#inverse.data.subarray(row * n, (row + 1) * n));
    subtractRows(out, 0, { of: this.#left, column: row, width: n, count: this.#putOff }, this.#right, n);
  }

  /** `W -= left^T W_S` for the rows that stay. */
  async #refit(rows: readonly number[], left: Float64Array): Promise<void> {
    const n = this.#inverse.rows;
    const { columns, data } = this.#weights;
    const gone = new Float64Array(rows.length * columns);
    rows.forEach((row, j) => {
      gone.set(data.subarray(row * columns, (row + 1) * columns), j * columns);
    });
    if (this.#single) {
      const { squares } = this.#single;
      for (let row = 0; row < n; row++) {
        const factor = left[row] as number;
        if (!this.#alive[row] || factor === 0) continue;
        squares[row] = subtractScaled(data, row * columns, gone, columns, factor);
      }
      return;
    }
    if (n * rows.length * columns >= this.#engineWork) {
      const k = rows.length;
      this.#weights = await this.#products.minusAtb(
        this.#weights,
        { rows: k, columns: n, data: left },
        { rows: k, columns, data: gone },
      );
      return;
    }
    for (let row = 0; row < n; row++) {
      if (!this.#alive[row]) continue;
      const factors = { of: left, column: row, width: n, count: rows.length };
      subtractRows(data, row * columns, factors, gone, columns);
    }
  }

  /** Applies the pending changes; where many rows are of removed units, without those. */
  async #apply(): Promise<void> {
    const n = this.#inverse.rows;
    const stay: number[] = [];
    for (let row = 0; row < n; row++) if (this.#alive[row]) stay.push(row);
    if (stay.length <= (1 - MOST_DEAD) * n) this.#leaveOut(stay);
    const m = this.#inverse.rows;
    const pending = (data: Float64Array): Matrix => ({
      rows: this.#putOff,
      columns: m,
      data: data.subarray(0, this.#putOff * m),
    });
    const [left, right] = [pending(this.#left), pending(this.#right)];
    this.#inverse = await this.#products.minusAtb(this.#inverse, left, right);
    this.#putOff = 0;
  }

  /** Copies all matrices without the rows of removed units. */
  #leaveOut(stay: readonly number[]): void {
    const n = this.#inverse.rows;
    const m = stay.length;
    const inverse = new Float64Array(m * m);
    for (let i = 0, to = 0; i < m; i++) {
      const row = (stay[i] as number) * n;
      for (let j = 0; j < m; j++, to++) inverse[to] = this.#inverse.data[row + (stay[j] as number)] as number;
    }
    this.#inverse = { rows: m, columns: m, data: inverse };
    for (const pending of [this.#left, this.#right]) {
      // In place: nothing moves back.
      for (let p = 0, to = 0; p < this.#putOff; p++) {
        for (let i = 0; i < m; i++, to++) pending[to] = pending[p * n + (stay[i] as number)] as number;
      }
    }
    const { columns, data } = this.#weights;
    stay.forEach((row, i) => {
      data.copyWithin(i * columns, row * columns, (row + 1) * columns);
    });
    this.#weights = { rows: m, columns, data: data.subarray(0, m * columns) };
    const place = new Map(stay.map((row, i) => [row, i]));
    this.#rows.forEach((rows, unit) => {
      this.#rows[unit] = rows.map((row) => place.get(row) as number);
    });
    this.#alive = new Uint8Array(m).fill(1);
    if (this.#single) {
      const { diagonal, squares } = this.#single;
      const only = (from: Float64Array): Float64Array =>
        Float64Array.from(stay, (row) => from[row] as number);
      this.#single = { diagonal: only(diagonal), squares: only(squares) };
    }
  }
}

/** Cholesky factor of a block that is positive definite up to rounding. */
function factorOf(block: Float64Array, k: number): Float64Array {
  for (let lift = 0; ; lift = lift === 0 ? 1e-12 : lift * 100) {
    const factor = block.slice();
    for (let i = 0; i < k; i++) {
      const diagonal = i * k + i;
      factor[diagonal] = positive(factor[diagonal] as number) * (1 + lift);
    }
    if (cholesky(factor, k)) return factor;
  }
}

/** `out = (L L^T)^-1 right`, both `[k, n]`. */
function solveInto(factor: Float64Array, right: Float64Array, out: Float64Array, k: number, n: number): void {
  out.set(right);
  const scale = (row: number, by: number): void => {
    for (let i = row * n; i < (row + 1) * n; i++) out[i] = (out[i] as number) * by;
  };
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < i; j++) addScaled(out, i * n, out, j * n, n, -(factor[i * k + j] as number));
    scale(i, 1 / (factor[i * k + i] as number));
  }
  for (let i = k - 1; i >= 0; i--) {
    for (let j = i + 1; j < k; j++) addScaled(out, i * n, out, j * n, n, -(factor[j * k + i] as number));
    scale(i, 1 / (factor[i * k + i] as number));
  }
}

/** Subtracts `left^T right`, of one row each, from the diagonal of a matrix. */
function subtractDiagonal(diagonal: Float64Array, left: Float64Array, right: Float64Array): void {
  for (let i = 0; i < diagonal.length; i++) {
    diagonal[i] = (diagonal[i] as number) - (left[i] as number) * (right[i] as number);
  }
}

/** The entries of a column in the first `count` rows of a matrix of `width` columns. */
interface Column {
  readonly of: Float64Array;
  readonly column: number;
  readonly width: number;
  readonly count: number;
}

/** `out[at..] -= factors^T right`, with rows of `width`, four at a time, one after the other for each element. */
function subtractRows(
  out: Float64Array,
  at: number,
  factors: Column,
  right: Float64Array,
  width: number,
): void {
  const { of, column, width: step, count } = factors;
  let p = 0;
  let from = column;
  for (; p + 3 < count; p += 4, from += 4 * step) {
    const [r0, r1, r2, r3] = [p * width, (p + 1) * width, (p + 2) * width, (p + 3) * width];
    const [f0, f1] = [of[from] as number, of[from + step] as number];
    const [f2, f3] = [of[from + 2 * step] as number, of[from + 3 * step] as number];
    for (let i = 0; i < width; i++) {
      let value = (out[at + i] as number) - f0 * (right[r0 + i] as number);
      value -= f1 * (right[r1 + i] as number);
      value -= f2 * (right[r2 + i] as number);
      out[at + i] = value - f3 * (right[r3 + i] as number);
    }
  }
  for (; p < count; p++, from += step) addScaled(out, at, right, p * width, width, -(of[from] as number));
}

/** `to[at..] -= by * from`; the squared length of the result, by four running sums, which hide latency. */
function subtractScaled(
  to: Float64Array,
  at: number,
  from: Float64Array,
  length: number,
  by: number,
): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const p = at + i;
    const a = (to[p] as number) - by * (from[i] as number);
    const b = (to[p + 1] as number) - by * (from[i + 1] as number);
    const c = (to[p + 2] as number) - by * (from[i + 2] as number);
    const d = (to[p + 3] as number) - by * (from[i + 3] as number);
    to[p] = a;
    to[p + 1] = b;
    to[p + 2] = c;
    to[p + 3] = d;
    s0 += a * a;
    s1 += b * b;
    s2 += c * c;
    s3 += d * d;
  }
  for (; i < length; i++) {
    const a = (to[at + i] as number) - by * (from[i] as number);
    to[at + i] = a;
    s0 += a * a;
  }
  return s0 + s1 + s2 + s3;
}

function squareOf(data: Float64Array, at: number, length: number): number {
  let sum = 0;
  for (let i = at; i < at + length; i++) sum += (data[i] as number) * (data[i] as number);
  return sum;
}

/** `block -= left[:, rows]^T right[:, rows]` */
function subtractProduct(
  block: Float64Array,
  rows: readonly number[],
  left: Float64Array,
  right: Float64Array,
  k: number,
  n: number,
): void {
  const size = rows.length;
  for (let p = 0; p < k; p++) {
    for (let i = 0; i < size; i++) {
      const factor = left[p * n + (rows[i] as number)] as number;
      for (let j = 0; j < size; j++) {
        const at = i * size + j;
        block[at] = (block[at] as number) - factor * (right[p * n + (rows[j] as number)] as number);
      }
    }
  }
}

/** `to[at..] += by * from[start..]` */
function addScaled(
  to: Float64Array,
  at: number,
  from: Float64Array,
  start: number,
  length: number,
  by: number,
): void {
  for (let i = 0; i < length; i++) {
    to[at + i] = (to[at + i] as number) + by * (from[start + i] as number);
  }
}

/** Rounding can make a diagonal entry zero or negative. */
function positive(value: number): number {
  return value > Number.MIN_VALUE ? value : Number.MIN_VALUE ** 0.5;
}
