// Eight-bit integers and the numbers that they mean: `(integer - zero) * scale`.
import type { Matrix } from '../repair/internal.ts';
import { LEAST_SCALE, MOST_UINT8, roundEven, type ValueScale } from '../util/internal.ts';

/**
 * Largest magnitude of a weight's integer: 127, or 63 where the engine adds two products of a uint8 and an int8 in 16
 * bits, which then cannot overflow (2 * 255 * 63 < 2^15).
 */
export const WEIGHT_LIMITS = { full: 127, reduced: 63 } as const;

/** The numbers that are left of values. */
export function throughUint8(values: Float64Array, { scale, zero }: ValueScale): Float64Array {
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const whole = roundEven((values[i] as number) / scale) + zero;
    result[i] = (Math.min(Math.max(whole, 0), MOST_UINT8) - zero) * scale;
  }
  return result;
}

/** Weights of one layer as integers: `weight = integer * scale` of its output channel. */
export interface QuantizedWeights {
  /** Integers in the order of `WeightedLayer.weight`. */
  readonly integers: Int8Array;
  /** One for each output channel; float32 numbers. */
  readonly scales: Float32Array;
}

/** A layer whose weights and bias are integers. */
export interface QuantizedLayer extends QuantizedWeights {
  /** In float32; written with the scale of its input times that of its channel. Undefined where there is none. */
  readonly bias: Float32Array | undefined;
}

/**
 * The scale of each column of `[unknowns, outputs]`, so that its largest weight is the largest integer.
 * @param rows the number of rows that are weights; a bias behind them is left out
 */
export function columnScales({ data, columns }: Matrix, rows: number, limit: number): Float64Array {
  const most = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const size = Math.abs(data[r * columns + c] as number);
      if (size > (most[c] as number)) most[c] = size;
    }
  }
  return most.map((size) => (size === 0 ? 1 : Math.max(Math.fround(size / limit), LEAST_SCALE)));
}

/** Weights `[unknowns, outputs]` as integers of their column's scale; rows behind `rows` stay. */
export function integerColumns(matrix: Matrix, rows: number, scales: Float64Array, limit: number): Matrix {
  const { data, columns } = matrix;
  const result = data.slice();
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const whole = roundEven((data[r * columns + c] as number) / (scales[c] as number));
      result[r * columns + c] = Math.min(limit, Math.max(-limit, whole));
    }
  }
  return { ...matrix, data: result };
}

/** Weights `[unknowns, outputs]` rounded to multiples of their column's scale; rows behind `rows` stay. */
export function roundedColumns(matrix: Matrix, rows: number, scales: Float64Array, limit: number): Matrix {
  const result = integerColumns(matrix, rows, scales, limit);
  const { data, columns } = result;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      data[r * columns + c] = (data[r * columns + c] as number) * (scales[c] as number);
    }
  }
  return result;
}
