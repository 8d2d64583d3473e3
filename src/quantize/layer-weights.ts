// The weights of one layer as integers: the scale of each output channel, and the bias that makes up for the mean error.
import type { WeightedLayer } from '../onnx/internal.ts';
import {
  fromMatrices,
  type Matrix,
  meanSquare,
  type Products,
  rowsOf,
  takesBias,
} from '../repair/internal.ts';
import { columnScales, integerColumns, type QuantizedLayer, roundedColumns } from './integers.ts';

/** A bias is stored in int32; a scale that is too small for it is raised. */
const MOST_INT32 = 2 ** 31 - 1024;

/** Rows of a layer's regression, one matrix for each convolution group: what it reads, rounded, and what it should give. */
export interface LayerRows {
  readonly x: readonly Matrix[];
  readonly y: readonly Matrix[];
  /** The first rows fit; the others are held out. */
  readonly fitRows: number;
}

/** Integer weights, and the float32 weights that they mean, with the mean squared error on held-out rows. */
export interface RoundedLayer {
  readonly table: QuantizedLayer;
  /** `[unknowns, outputs]` of each group, as integers mean them. */
  readonly weights: readonly Matrix[];
  readonly biasCorrected: boolean;
  readonly error: number;
}

/**
 * Rounds a layer's weights, and corrects its bias where that lowers the error on held-out rows.
 * @param weights `[unknowns, outputs]` of each group, with the bias last where the layer takes one
 * @param step the scale of what the layer reads
 * @param limit the largest magnitude of an integer
 */
export async function roundLayer(
  layer: WeightedLayer,
  weights: readonly Matrix[],
  rows: LayerRows,
  { step, limit, products }: { readonly step: number; readonly limit: number; readonly products: Products },
): Promise<RoundedLayer> {
  const hasBias = takesBias(layer);
  const held = { x: heldRows(rows.x, rows.fitRows), y: heldRows(rows.y, rows.fitRows) };
  const scales = weights.map((matrix) => scalesOf(matrix, hasBias, { step, limit }));
  const rounded = weights.map((matrix, g) =>
    roundedColumns(matrix, unknownsOf(matrix, hasBias), scales[g] as Float64Array, limit),
  );
  const error = await heldOutError(rounded, held.x, held.y, products);
  const roundedTo = (own: readonly Matrix[], biasCorrected: boolean, left: number): RoundedLayer => {
    return { table: tableOf(layer, own, scales, limit), weights: own, biasCorrected, error: left };
  };
  if (!hasBias) return roundedTo(rounded, false, error);
  const corrected = await correctBias(rounded, rows, products);
  const less = await heldOutError(corrected, held.x, held.y, products);
  return less >= error ? roundedTo(rounded, false, error) : roundedTo(corrected, true, less);
}

/** A layer's weights as integers, without samples to correct its bias by. */
export function roundedTable(
  layer: WeightedLayer,
  weights: readonly Matrix[],
  { step, limit }: { readonly step: number; readonly limit: number },
): QuantizedLayer {
  const hasBias = takesBias(layer);
  const scales = weights.map((matrix) => scalesOf(matrix, hasBias, { step, limit }));
  return tableOf(layer, weights, scales, limit);
}

/** The mean squared error of what a layer gives with these weights on held-out rows, over groups. */
export async function heldOutError(
  weights: readonly Matrix[],
  x: readonly Matrix[],
  y: readonly Matrix[],
  products: Products,
): Promise<number> {
  let sum = 0;
  for (const [g, own] of weights.entries()) {
    const rest = await residual(y[g] as Matrix, x[g] as Matrix, own, products);
    sum += meanSquare(rest.data) / weights.length;
  }
  return sum;
}

/** Products of fewer multiplications a row than these take less time than a call of the engine. */
const FEW = 64;

/** `y - x w`; a depthwise layer has many small ones. */
export async function residual(y: Matrix, x: Matrix, w: Matrix, products: Products): Promise<Matrix> {
  const { rows, columns } = y;
  if (x.columns * columns > FEW) return await products.minusAb(y, x, w);
  const data = y.data.slice();
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < x.columns; k++) {
      const factor = x.data[r * x.columns + k] as number;
      if (factor === 0) continue;
      for (let c = 0; c < columns; c++) {
        const at = r * columns + c;
        data[at] = (data[at] as number) - factor * (w.data[k * columns + c] as number);
      }
    }
  }
  return { rows, columns, data };
}

/** The held-out rows of each group. */
export function heldRows(matrices: readonly Matrix[], fitRows: number): Matrix[] {
  return matrices.map((matrix) => rowsOf(matrix, fitRows, matrix.rows));
}

/** The biases with which the mean error over the rows that fit is 0 (Nagel et al., ICCV 2019, from samples). */
async function correctBias(
  weights: readonly Matrix[],
  { x, y, fitRows }: LayerRows,
  products: Products,
): Promise<Matrix[]> {
  const result: Matrix[] = [];
  for (const [g, own] of weights.entries()) {
    const [read, given] = [x[g] as Matrix, y[g] as Matrix];
    const fit = [rowsOf(given, 0, fitRows), rowsOf(read, 0, fitRows)] as const;
    const { data, columns } = await residual(...fit, own, products);
    const changed = own.data.slice();
    const last = (own.rows - 1) * columns;
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let r = 0; r < fitRows; r++) sum += data[r * columns + c] as number;
      changed[last + c] = (changed[last + c] as number) + sum / fitRows;
    }
    result.push({ ...own, data: changed });
  }
  return result;
}

function unknownsOf({ rows }: Matrix, hasBias: boolean): number {
  return rows - (hasBias ? 1 : 0);
}

/** The largest weight of a channel is the largest integer; smaller ranges came no nearer (docs/quantize.md). */
function scalesOf(
  matrix: Matrix,
  hasBias: boolean,
  { step, limit }: { readonly step: number; readonly limit: number },
): Float64Array {
  const rows = unknownsOf(matrix, hasBias);
  const scales = columnScales(matrix, rows, limit);
  if (!hasBias) return scales;
  return scales.map((scale, c) => {
    const bias = Math.abs(matrix.data[rows * matrix.columns + c] as number);
    return Math.max(scale, Math.fround(bias / (step * MOST_INT32)));
  });
}

function tableOf(
  layer: WeightedLayer,
  weights: readonly Matrix[],
  scales: readonly Float64Array[],
  limit: number,
): QuantizedLayer {
  const hasBias = takesBias(layer);
  const whole = weights.map((matrix, g) =>
    integerColumns(matrix, unknownsOf(matrix, hasBias), scales[g] as Float64Array, limit),
  );
  const { weight, bias } = fromMatrices(layer, whole);
  const all = Float32Array.from(scales.flatMap((own) => Array.from(own)));
  return { integers: new Int8Array(weight), scales: all, bias: bias && withBias(layer, bias) };
}

/** A layer without a bias gets none where none is needed. */
function withBias(layer: WeightedLayer, bias: Float32Array): Float32Array | undefined {
  return layer.bias === undefined && bias.every((value) => value === 0) ? undefined : bias;
}
