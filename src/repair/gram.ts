// Gram matrices on the engine. Both triangles are equal, so only the blocks of one are computed.
import { rowsOf } from './factor.ts';
import type { Matrix, Products } from './products.ts';

/** Blocks along each side; four save three eighths of the work. */
const BLOCKS = 4;
/** Below this width one product is faster. */
const LEAST = 384;
/** Multiply-adds from which float32 is worth it, and rows of one product of it. */
const LEAST_ROUGH = 5e8;
const ROUGH_ROWS = 1024;

/** `x^T x`, `[columns, columns]`. */
export async function gramOfColumns(x: Matrix, products: Products): Promise<Matrix> {
  if (x.columns < LEAST) return products.atb(x, x);
  const bounds = boundsOf(x.columns);
  const room = products.scratch.take(x.rows * x.columns);
  const parts = bounds.map(([from, to]) => columnsOf(x, from, to, room.subarray(x.rows * from, x.rows * to)));
  return mirrored(x.columns, bounds, (i, j) => products.atb(parts[i] as Matrix, parts[j] as Matrix));
}

/**
 * `x^T x` in float32 where it is large: in blocks of rows, whose products are added up in float64. An entry is wrong by some
 * millionths of the diagonal, so it is for systems with a ridge far above that.
 */
export async function roughGramOfColumns(x: Matrix, products: Products): Promise<Matrix> {
  const { rows, columns } = x;
  if (columns < LEAST || rows * columns * columns < LEAST_ROUGH) return gramOfColumns(x, products);
  const bounds = boundsOf(columns);
  const chunks = Array.from({ length: Math.ceil(rows / ROUGH_ROWS) }, (_, i) => {
    const chunk = rowsOf(x, i * ROUGH_ROWS, Math.min(rows, (i + 1) * ROUGH_ROWS));
    const parts = bounds.map(([from, to]) =>
      copyColumns(chunk, from, to, new Float32Array(chunk.rows * (to - from))),
    );
    return { parts, rows: chunk.rows };
  });
  const width = (i: number): number => (bounds[i]?.[1] ?? 0) - (bounds[i]?.[0] ?? 0);
  return mirrored(columns, bounds, async (i, j) => {
    const sum = new Float64Array(width(i) * width(j));
    for (const { parts, rows: count } of chunks) {
      const added = await products.roughAtb(parts[i] as Float32Array, parts[j] as Float32Array, count);
      for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (added[at] as number);
    }
    return { rows: width(i), columns: width(j), data: sum };
  });
}

/** `x x^T`, `[rows, rows]`. */
export async function gramOfRows(x: Matrix, products: Products): Promise<Matrix> {
  if (x.rows < LEAST) return products.abt(x, x);
  const bounds = boundsOf(x.rows);
  const parts = bounds.map(([from, to]) => rowsOf(x, from, to));
  return mirrored(x.rows, bounds, (i, j) => products.abt(parts[i] as Matrix, parts[j] as Matrix));
}

/** Side of the squares in which a triangle is copied to the other. */
const SQUARE = 32;

type Bounds = readonly (readonly [number, number])[];

function boundsOf(n: number): Bounds {
  const at = (i: number): number => Math.round((i * n) / BLOCKS);
  return Array.from({ length: BLOCKS }, (_, i) => [at(i), at(i + 1)] as const);
}

function columnsOf(
  x: Matrix,
  from: number,
  to: number,
  part: Float64Array = new Float64Array(x.rows * (to - from)),
): Matrix {
  return { rows: x.rows, columns: to - from, data: copyColumns(x, from, to, part) };
}

/** Columns `[from, to)`, copied to `part`. */
function copyColumns<T extends Float32Array | Float64Array>(
  { rows, columns, data }: Matrix,
  from: number,
  to: number,
  part: T,
): T {
  for (let r = 0; r < rows; r++) {
    part.set(data.subarray(r * columns + from, r * columns + to), r * (to - from));
  }
  return part;
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
      // In squares that fit the cache: whole columns would miss it at each number.
      for (let r0 = top; r0 < bottom; r0 += SQUARE) {
        for (let c0 = left; c0 < right; c0 += SQUARE) {
          for (let c = c0; c < Math.min(c0 + SQUARE, right); c++) {
            for (let r = r0; r < Math.min(r0 + SQUARE, bottom); r++) {
              data[c * n + r] = block[(r - top) * width + c - left] as number;
            }
          }
        }
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
