// The range of what a layer reads, and whether its channels are equalised first: what brings the layer nearest to the float
// network on held-out samples.
import type { WeightedLayer } from '../onnx/internal.ts';
import { type Matrix, type Products, takesBias, variancesOf } from '../repair/internal.ts';
import { scaleOfRange, type ValueScale } from '../util/internal.ts';
import { dividedStatistics, EQUALISING_POWERS, equalisingFactors, scaledUnknowns } from './equalise.ts';
import { columnScales, roundedColumns, throughUint8 } from './integers.ts';
import { heldOutError, heldRows, type LayerRows, residual } from './layer-weights.ts';
import type { Bounds } from './places.ts';
import { RANGE_METHODS, type RangeMethod, rangeBy } from './ranges.ts';
import type { SplitStatistics } from './statistics.ts';

/** Channels are equalised where that leaves less than this share of the error. */
const WORTH = 0.9;

/** What was chosen for a value, on the samples that fit; the range is then taken on all. */
export interface RangeChoice {
  readonly method: RangeMethod;
  /** What the value's channels are divided by; undefined where they stay. */
  readonly factors: Float64Array | undefined;
}

/** What the choice is made with. */
export interface RangeSetting {
  readonly statistics: SplitStatistics;
  readonly bounds: Bounds | undefined;
  /** The largest magnitude of a weight's integer. */
  readonly limit: number;
  readonly products: Products;
  /** Whether channels may be divided. */
  readonly equalise: boolean;
}

/**
 * Chooses the range with which a layer comes nearest on held-out rows. Where channels may be divided, ranges of
 * equalised channels are tried too, with the weights rounded that have to make up for them.
 */
export async function chooseRange(
  layer: WeightedLayer,
  weights: readonly Matrix[],
  rows: LayerRows,
  setting: RangeSetting,
): Promise<RangeChoice> {
  const held: Held = { x: heldRows(rows.x, rows.fitRows), y: heldRows(rows.y, rows.fitRows) };
  const plain = await bestMethod(layer, weights, held, setting);
  const { fit } = setting.statistics;
  if (!setting.equalise || !fit.channels) return { method: plain.method, factors: undefined };
  let best: RangeChoice = { method: plain.method, factors: undefined };
  let least = await relativeError(layer, weights, held, plain.scale, setting);
  for (const power of EQUALISING_POWERS) {
    const factors = equalisingFactors(fit.channels, power);
    if (!factors) break;
    const statistics = { ...setting.statistics, fit: dividedStatistics(fit, factors) };
    const own = scaledUnknowns(layer, weights, 'rows', (c) => factors[c] as number);
    const x = scaledUnknowns(layer, held.x, 'columns', (c) => 1 / (factors[c] as number));
    const { method, scale } = await bestMethod(layer, own, { ...held, x }, { ...setting, statistics });
    const error = await relativeError(layer, own, { ...held, x }, scale, setting);
    if (error < WORTH * least) [best, least] = [{ method, factors }, error];
  }
  return best;
}

/** What a layer reads as its integers mean it; the column of ones for the bias stays. */
export function roundedRows(x: Matrix, layer: WeightedLayer, scale: ValueScale): Matrix {
  const { data, rows, columns } = x;
  const rounded = throughUint8(data, scale);
  if (takesBias(layer)) for (let r = 0; r < rows; r++) rounded[r * columns + columns - 1] = 1;
  return { ...x, data: rounded };
}

/** Held-out rows of each group. */
interface Held {
  readonly x: readonly Matrix[];
  readonly y: readonly Matrix[];
}

async function bestMethod(
  layer: WeightedLayer,
  weights: readonly Matrix[],
  held: Held,
  { statistics, bounds, products }: RangeSetting,
): Promise<{ readonly method: RangeMethod; readonly scale: ValueScale }> {
  let found = { method: RANGE_METHODS[0] as RangeMethod, scale: scaleBy('min-max', statistics, bounds) };
  let least = Number.POSITIVE_INFINITY;
  const known = new Map<string, number>();
  for (const method of RANGE_METHODS) {
    const scale = scaleBy(method, statistics, bounds);
    const key = `${scale.scale} ${scale.zero}`;
    const x = known.has(key) ? [] : held.x.map((matrix) => roundedRows(matrix, layer, scale));
    const error = known.get(key) ?? (await heldOutError(weights, x, held.y, products));
    known.set(key, error);
    if (error < least) [found, least] = [{ method, scale }, error];
  }
  return found;
}

function scaleBy(method: RangeMethod, { fit }: SplitStatistics, bounds: Bounds | undefined): ValueScale {
  return scaleOfRange(rangeBy(method, fit, bounds));
}

/** The error of rounded inputs and weights, each output over its own variance: a small channel may matter as much. */
async function relativeError(
  layer: WeightedLayer,
  weights: readonly Matrix[],
  held: Held,
  scale: ValueScale,
  { limit, products }: RangeSetting,
): Promise<number> {
  let [sum, count] = [0, 0];
  for (const [g, own] of weights.entries()) {
    const [x, y] = [held.x[g] as Matrix, held.y[g] as Matrix];
    const unknowns = own.rows - (takesBias(layer) ? 1 : 0);
    const rounded = roundedColumns(own, unknowns, columnScales(own, unknowns, limit), limit);
    const { data, columns, rows } = await residual(y, roundedRows(x, layer, scale), rounded, products);
    const variances = variancesOf(y);
    for (let c = 0; c < columns; c++) {
      const variance = variances[c] as number;
      if (!(variance > 0)) continue;
      let own = 0;
      for (let r = 0; r < rows; r++) own += (data[r * columns + c] as number) ** 2;
      sum += own / (rows * variance);
      count++;
    }
  }
  return sum / Math.max(1, count);
}
