// The least-squares problems of elimination: the inputs of each layer, and how much an error of its outputs counts.
import type { Grouping } from '../../channels/index.ts';
import type { WeightedLayer } from '../../onnx/internal.ts';
import {
  cholesky,
  InputRows,
  invertPositive,
  type Matrix,
  type Products,
  type RepairSamples,
  type RowMemory,
  roughGramOfColumns,
  samplePositionsOf,
  takesBias,
  type Visitor,
  variancesOf,
  weightMatrices,
} from '../../repair/internal.ts';
import type { ReaderProblem } from './surgeon.ts';

/** Ridge as a multiple of the mean diagonal of the Gram matrix. */
const STRENGTH = 1e-3;

/**
 * Most unknowns of a reader, and fewest rows for each unknown. Beyond these limits a channel is one unknown whatever
 * its kernel: the kernel positions then become rows.
 */
const MOST_UNKNOWNS = 2400;
const FEWEST_ROWS = 2;

/** Settings for opening readers. */
export interface ReaderOptions {
  readonly maxPositions: number;
  readonly seed: number;
  /** For the rows of the layer, which are not read afterwards. */
  readonly memory: RowMemory;
  /** Shows what the layer reads, of every sample. */
  readonly run: (visit: Visitor) => Promise<void>;
  /** How much each sample counts, by its index in `samples`; default all alike. */
  readonly weights?: Float64Array | undefined;
}

/** One convolution group of a layer, ready to lose units of any group that it reads. */
export interface OpenReader {
  readonly inverse: Matrix;
  readonly weights: Matrix;
  /** For each group of channels, the unknowns of each of its units. */
  readonly units: ReadonlyMap<number, readonly (readonly number[])[]>;
}

/**
 * The problem of a reader for one of the groups that it reads. Removing units changes the rows of other groups too, but no
 * error depends on those, so they are left out: a layer behind a concatenation reads many groups.
 */
export function problemOf({ inverse, weights, units }: OpenReader, group: number): ReaderProblem | undefined {
  const own = units.get(group);
  if (!own) return undefined;
  const rows = own.flat();
  // All but the bias.
  if (rows.length + 1 >= inverse.rows) return { inverse, weights, units: own };
  let next = 0;
  return {
    inverse: submatrix(inverse, rows, rows),
    weights: submatrix(
      weights,
      rows,
      Array.from({ length: weights.columns }, (_, o) => o),
    ),
    units: own.map((unit) => unit.map(() => next++)),
  };
}

function submatrix(of: Matrix, rows: readonly number[], columns: readonly number[]): Matrix {
  const data = new Float64Array(rows.length * columns.length);
  let at = 0;
  for (const row of rows)
    for (const column of columns) data[at++] = of.data[row * of.columns + column] as number;
  return { rows: rows.length, columns: columns.length, data };
}

/**
 * Opens a layer: collects what it reads, and inverts the Gram matrix of its inputs.
 * @param importance weight of the squared error of each output channel; by default one over the variance of the layer
 */
export async function openReaders(
  grouping: Grouping,
  layer: WeightedLayer,
  importance: Float64Array | undefined,
  samples: RepairSamples,
  options: ReaderOptions,
  products: Products,
): Promise<OpenReader[]> {
  const places = samplePositionsOf(layer, samples, options.maxPositions, options.seed);
  const { x } = await InputRows.collect(layer, places, undefined, options.run, options.memory);
  if (options.weights) for (const rows of x) weighRows(rows, places.perSample, options.weights);
  const weights = weightMatrices(layer);
  const perGroup = layer.channels / x.length;
  const counts =
    importance ?? new Float64Array(layer.channels).fill(1 / ((await varianceOf(x, weights, products)) || 1));
  const readers: OpenReader[] = [];
  for (const [g, read] of x.entries()) {
    const own = counts.subarray(g * perGroup, (g + 1) * perGroup);
    const part = { index: g, read, weights: weights[g] as Matrix, importance: own };
    readers.push(await openOne(grouping, layer, part, products));
  }
  return readers;
}

/** A linear map given by matrices: what it reads at some places, a column of ones last, and its weights. */
export interface ReadMatrices {
  readonly x: Matrix;
  /** `[unknowns, outputs]`, the bias last; changed in place. */
  readonly weights: Matrix;
  readonly units: OpenReader['units'];
  /** Places of each sample. */
  readonly perSample: number;
  /** Weight of the squared error of each output, repeated where it is shorter; default one over the variance of all. */
  readonly importance: Float64Array | undefined;
}

/** Opens a linear map. */
export async function openMatrices(
  { x, weights, units, perSample, importance }: ReadMatrices,
  counts: Float64Array | undefined,
  products: Products,
): Promise<OpenReader> {
  if (counts) weighRows(x, perSample, counts);
  const by = importance ?? Float64Array.of(1 / ((await varianceOf([x], [weights], products)) || 1));
  return await opened(x, weights, by, units, products);
}

/**
 * By group, the unknowns of each of its units.
 * @param columns the position of each unknown among the given ones
 */
export function unitsOf(
  { groups }: Grouping,
  columns: readonly number[],
  { group, unit }: { readonly group: Int32Array; readonly unit: Int32Array },
): Map<number, number[][]> {
  const units = new Map<number, number[][]>();
  for (const [unknown, position] of columns.entries()) {
    const id = group[position] ?? -1;
    if (id < 0) continue;
    const list = units.get(id) ?? Array.from({ length: groups[id]?.channels ?? 0 }, (): number[] => []);
    units.set(id, list);
    list[unit[position] as number]?.push(unknown);
  }
  return units;
}

/** One convolution group of a layer. */
interface GroupPart {
  readonly index: number;
  /** Its inputs `[rows, unknowns]` and weights `[unknowns, outputs]`. */
  readonly read: Matrix;
  readonly weights: Matrix;
  /** Of each output channel. */
  readonly importance: Float64Array;
}

async function openOne(
  grouping: Grouping,
  layer: WeightedLayer,
  { index: g, read, weights: given, importance }: GroupPart,
  products: Products,
): Promise<OpenReader> {
  const hasBias = takesBias(layer);
  const unknowns = read.columns - (hasBias ? 1 : 0);
  const channels = grouping.values.get(layer.input);
  const perGroup = unknowns / layer.kernelSize;
  const taps = unknowns / perGroup;
  const member = (position: number) => ({
    group: channels?.group[g * perGroup + position] ?? -1,
    unit: channels?.unit[g * perGroup + position] ?? -1,
  });
  const few = read.columns > MOST_UNKNOWNS || read.rows < FEWEST_ROWS * read.columns;
  const fold = few ? foldOf(taps, perGroup, member) : undefined;
  const x = fold ? foldRows(read, fold, hasBias) : read;
  const w = fold ? foldWeights(given, fold, hasBias) : given;
  const places = fold ? fold.starts : Array.from({ length: unknowns }, (_, unknown) => unknown);
  const positions = places.map((place) => g * perGroup + Math.floor(place / taps));
  const units = channels ? unitsOf(grouping, positions, channels) : new Map<number, number[][]>();
  return await opened(x, w, importance, units, products);
}

/** A reader of these inputs and weights; the weights are scaled in place. */
async function opened(
  x: Matrix,
  weights: Matrix,
  importance: Float64Array,
  units: OpenReader['units'],
  products: Products,
): Promise<OpenReader> {
  scaleOutputs(weights, importance);
  return { inverse: await invert(x, products), weights: await narrowed(weights, products), units };
}

/** Runs of neighbouring unknowns that become one: their starts, their lengths, and the longest length. */
interface Fold {
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
  readonly width: number;
}

/**
 * Folds the unknowns of a channel (its kernel, or the positions of a flattened map) into one. Undefined where each
 * channel has one unknown.
 */
function foldOf(
  taps: number,
  perGroup: number,
  member: (position: number) => { readonly group: number; readonly unit: number },
): Fold | undefined {
  const starts: number[] = [];
  const lengths: number[] = [];
  for (let start = 0; start < perGroup; ) {
    const { group, unit } = member(start);
    // Unknowns outside all groups have no channels to distinguish.
    const alike = (at: number): boolean =>
      group >= 0 && member(at).group === group && member(at).unit === unit;
    let end = start + 1;
    while (taps === 1 && end < perGroup && alike(end)) end++;
    starts.push(start * taps);
    lengths.push((end - start) * taps);
    start = end;
  }
  const width = lengths.reduce((most, length) => Math.max(most, length), 0);
  return width > 1 ? { starts, lengths, width } : undefined;
}

/** `[rows, unknowns]` as `[rows * width, channels]`, with zeros where a channel has fewer; the column of ones stays. */
function foldRows(
  { rows, columns, data }: Matrix,
  { starts, lengths, width }: Fold,
  hasBias: boolean,
): Matrix {
  const across = starts.length + (hasBias ? 1 : 0);
  const folded = new Float64Array(rows * width * across);
  for (let r = 0; r < rows; r++) {
    for (const [c, start] of starts.entries()) {
      for (let k = 0; k < (lengths[c] as number); k++) {
        folded[(r * width + k) * across + c] = data[r * columns + start + k] as number;
      }
    }
    for (let k = 0; k < width && hasBias; k++) {
      folded[(r * width + k) * across + across - 1] = data[r * columns + columns - 1] as number;
    }
  }
  return { rows: rows * width, columns: across, data: folded };
}

/** `[unknowns, outputs]` as `[channels, width * outputs]`; the bias, from zero, makes up for means. */
function foldWeights({ columns, data }: Matrix, { starts, lengths, width }: Fold, hasBias: boolean): Matrix {
  const rows = starts.length + (hasBias ? 1 : 0);
  const folded = new Float64Array(rows * width * columns);
  for (const [c, start] of starts.entries()) {
    const own = data.subarray(start * columns, (start + (lengths[c] as number)) * columns);
    folded.set(own, c * width * columns);
  }
  return { rows, columns: width * columns, data: folded };
}

/** Multiplies outputs in place by the root of their importance, which is repeated where outputs are folded. */
function scaleOutputs({ columns, data }: Matrix, importance: Float64Array): void {
  const roots = importance.map(Math.sqrt);
  for (let i = 0; i < data.length; i++) {
    data[i] = (data[i] as number) * (roots[(i % columns) % roots.length] as number);
  }
}

/** At most as many columns as rows: only `W W^T` counts, and its Cholesky factor gives the same product. */
async function narrowed(weights: Matrix, products: Products): Promise<Matrix> {
  const n = weights.rows;
  if (weights.columns <= n) return weights;
  const { data } = await products.abt(weights, weights);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += data[i * n + i] as number;
  for (let lift = 1e-12; lift < 1; lift *= 100) {
    const factor = data.slice();
    for (let i = 0; i < n; i++) factor[i * n + i] = (factor[i * n + i] as number) + (lift * trace) / n;
    if (!cholesky(factor, n)) continue;
    for (let i = 0; i < n; i++) factor.fill(0, i * n + i + 1, (i + 1) * n);
    return { rows: n, columns: n, data: factor };
  }
  // All weights are zero.
  return { rows: n, columns: 1, data: new Float64Array(n) };
}

/** `(X^T X / rows + ridge)^-1` */
async function invert(x: Matrix, products: Products): Promise<Matrix> {
  const gram = await roughGramOfColumns(x, products);
  const n = gram.rows;
  let trace = 0;
  for (let i = 0; i < gram.data.length; i++) gram.data[i] = (gram.data[i] as number) / x.rows;
  for (let i = 0; i < n; i++) trace += gram.data[i * n + i] as number;
  for (let ridge = Math.max((STRENGTH * trace) / n, 1e-30); ; ridge *= 10) {
    const inverse = await invertPositive(gram, products, ridge);
    if (inverse) return inverse;
  }
}

/** Variance of a layer's output, over all of its channels. */
async function varianceOf(
  x: readonly Matrix[],
  weights: readonly Matrix[],
  products: Products,
): Promise<number> {
  let total = 0;
  for (const [g, read] of x.entries()) {
    for (const variance of variancesOf(await products.ab(read, weights[g] as Matrix))) total += variance;
  }
  return total;
}

function weighRows({ rows, columns, data }: Matrix, perSample: number, weights: Float64Array): void {
  for (let r = 0; r < rows; r++) {
    const root = Math.sqrt(weights[Math.floor(r / perSample)] as number);
    for (let c = 0; c < columns; c++) data[r * columns + c] = (data[r * columns + c] as number) * root;
  }
}
