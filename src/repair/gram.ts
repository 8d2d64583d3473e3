// Gram matrices on the engine. Both triangles are equal, so only the blocks of one are computed.
import { rowsOf } from './factor.ts';
import type { Matrix, Products } from './products.ts';

/** Blocks along each side; four save three eighths of the work. */
const BLOCKS = 4;
/** Below this width one product is faster. */
const LEAST = 384;

/** `x^T x`, `[columns, columns]`. */
export async function gramOfColumns(x: Matrix, products: Products): Promise<Matrix> {
  if (x.columns < LEAST) return products.atb(x, x);
  const bounds = boundsOf(x.columns);
  const room = products.scratch.take(x.rows * x.columns);
  const parts = bounds.map(([from, to]) => columnsOf(x, from, to, room.subarray(x.rows * from, x.rows * to)));
  return mirrored(x.columns, bounds, (i, j) => products.atb(parts[i] as Matrix, parts[j] as Matrix));
}

/** `x x^T`, `[rows, rows]`. */
export async function gramOfRows(x: Matrix, products: Products): Promise<Matrix> {
  if (x.rows < LEAST) return products.abt(x, x);
  const bounds = boundsOf(x.rows);
  const parts = bounds.map(([from, to]) => rowsOf(x, from, to));
  return mirrored(x.rows, bounds, (i, j) => products.abt(parts[i] as Matrix, parts[j] as Matrix));
}

type Bounds = readonly (readonly [number, number])[];

function boundsOf(n: number): Bounds {
  const at = (i: number): number => Math.round((i * n) / BLOCKS);
  return Array.from({ length: BLOCKS }, (_, i) => [at(i), at(i + 1)] as const);
}

function columnsOf(
  { rows, columns, data }: Matrix,
  from: number,
  to: number,
  part: Float64Array = new Float64Array(rows * (to - from)),
): Matrix {
  const width = to - from;
  for (let r = 0; r < rows; r++) {
    part.set(data.subarray(r * columns + from, r * columns + to), r * width);
  }
  return { rows, columns: width, data: part };
}

/** A symmetric matrix from the blocks on and below its diagonal. */
async function mirrored(
  n: number,
  bounds: Bounds,
  product: (i: number, j: number) => Promise<Matrix>,
): Promise<Matrix> {
  const data = new Float64Array(n * n);
  for (const [i, [top, bottom]] of bounds.entries()) {
    for (const [j, [left, right]] of bounds.slice(0, i + 1).entries()) {
      const block = (await product(i, j)).data;
      const width = right - left;
      for (let r = top; r < bottom; r++) {
        data.set(block.subarray((r - top) * width, (r - top + 1) * width), r * n + left);
      }
      if (i === j) continue;
      for (let c = left; c < right; c++) {
        for (let r = top; r < bottom; r++) data[c * n + r] = block[(r - top) * width + c - left] as number;
      }
    }
  }
  return { rows: n, columns: n, data };
}

/** A block of a matrix, copied. */
export function blockOf(matrix: Matrix, rows: readonly [number, number], columns: number): Matrix {
  return columnsOf(rowsOf(matrix, ...rows), 0, columns);
}

/** The sum of two matrices of one shape. */
export function sumOf(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (a.data[i] as number) + (b.data[i] as number);
  return { ...a, data };
}
