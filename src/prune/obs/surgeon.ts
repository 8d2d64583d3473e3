// Optimal brain surgeon on whole channels: the error of a layer when a channel that it reads is removed and the other
// weights are refitted at once, and the state after that removal (Hassibi and Stork, NIPS 1992; for structures Kurtic
// et al., ZipLM, NeurIPS 2023).

import { cholesky, type Matrix, type Products } from '../../repair/internal.ts';

/** Number of pending columns of changes before the engine applies them to the whole inverse. */
const PUT_OFF = 192;

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
  /** The block of `H` of each unit with itself, up to date. */
  readonly #own: Float64Array[];
  #inverse: Matrix;
  #weights: Matrix;
  /** Pending changes: the true inverse is `#inverse - left^T right`, both `[pending, unknowns]`. */
  #left: Float64Array;
  #right: Float64Array;
  #putOff = 0;
  #alive: Uint8Array;

  constructor({ inverse, weights, units }: ReaderProblem, products: Products) {
    this.#products = products;
    this.#rows = units.map((rows) => [...rows]);
    this.#inverse = inverse;
    this.#weights = { ...weights, data: weights.data.slice() };
    const n = inverse.rows;
    this.#alive = new Uint8Array(n).fill(1);
    const widest = Math.max(1, ...units.map((rows) => rows.length));
    const room = (PUT_OFF + widest) * n;
    this.#left = new Float64Array(room);
    this.#right = new Float64Array(room);
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
    const { columns, data } = this.#weights;
    if (k === 1) {
      const at = (rows[0] as number) * columns;
      let sum = 0;
      for (let o = 0; o < columns; o++) sum += (data[at + o] as number) ** 2;
      return sum / positive(this.#own[unit]?.[0] as number);
    }
    // |L^-1 W_S|^2 with H_SS = L L^T, a column of W at a time.
    const factor = factorOf(this.#own[unit] as Float64Array, k);
    const y = new Float64Array(k);
    let sum = 0;
    for (let o = 0; o < columns; o++) {
      for (let i = 0; i < k; i++) {
        let rest = data[(rows[i] as number) * columns + o] as number;
        for (let j = 0; j < i; j++) rest -= (factor[i * k + j] as number) * (y[j] as number);
        const value = rest / (factor[i * k + i] as number);
        y[i] = value;
        sum += value * value;
      }
    }
    return sum;
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
    solveInto(factorOf(this.#own[unit] as Float64Array, k), right, left, k, n);
    this.#refit(rows, left);
    this.#rows[unit] = [];
    for (const row of rows) this.#alive[row] = 0;
    this.#rows.forEach((own, other) => {
      if (own.length > 0) subtractProduct(this.#own[other] as Float64Array, own, left, right, k, n);
    });
    this.#putOff += k;
    if (this.#putOff >= PUT_OFF) await this.#apply();
  }

  /** A row of the inverse, up to date. */
  #currentRow(row: number, out: Float64Array): void {
    const n = this.#inverse.rows;
    out.set(this.#inverse.data.subarray(row * n, (row + 1) * n));
    for (let p = 0; p < this.#putOff; p++) {
      const factor = this.#left[p * n + row] as number;
      if (factor !== 0) addScaled(out, 0, this.#right, p * n, n, -factor);
    }
  }

  /** `W -= left^T W_S` for the rows that stay. */
  #refit(rows: readonly number[], left: Float64Array): void {
    const n = this.#inverse.rows;
    const { columns, data } = this.#weights;
    const gone = rows.map((row) => data.slice(row * columns, (row + 1) * columns));
    for (let row = 0; row < n; row++) {
      if (!this.#alive[row]) continue;
      gone.forEach((weights, j) => {
        const factor = left[j * n + row] as number;
        if (factor !== 0) addScaled(data, row * columns, weights, 0, columns, -factor);
      });
    }
  }

  /** Applies the pending changes, and leaves out the rows of removed units. */
  async #apply(): Promise<void> {
    const n = this.#inverse.rows;
    const stay: number[] = [];
    for (let row = 0; row < n; row++) if (this.#alive[row]) stay.push(row);
    const m = stay.length;
    const gather = (from: Float64Array, height: number): Matrix => {
      const data = new Float64Array(height * m);
      for (let p = 0; p < height; p++) {
        for (let i = 0; i < m; i++) data[p * m + i] = from[p * n + (stay[i] as number)] as number;
      }
      return { rows: height, columns: m, data };
    };
    const inverse = new Float64Array(m * m);
    for (let i = 0; i < m; i++) {
      const row = (stay[i] as number) * n;
      for (let j = 0; j < m; j++)
        inverse[i * m + j] = this.#inverse.data[row + (stay[j] as number)] as number;
    }
    const [left, right] = [gather(this.#left, this.#putOff), gather(this.#right, this.#putOff)];
    this.#inverse = await this.#products.minusAtb({ rows: m, columns: m, data: inverse }, left, right);
    const { columns, data } = this.#weights;
    const weights = new Float64Array(m * columns);
    stay.forEach((row, i) => {
      weights.set(data.subarray(row * columns, (row + 1) * columns), i * columns);
    });
    this.#weights = { rows: m, columns, data: weights };
    const place = new Map(stay.map((row, i) => [row, i]));
    this.#rows.forEach((rows, unit) => {
      this.#rows[unit] = rows.map((row) => place.get(row) as number);
    });
    this.#alive = new Uint8Array(m).fill(1);
    this.#putOff = 0;
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
