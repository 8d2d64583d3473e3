// Evaluates what exporters compute with beside the simplest arithmetic: comparisons, choices, ranges, extremes,
// remainders, reductions and rounding. Norms of constants too, so that a weight that is written as a direction and a
// length becomes one constant. Exact, but for reductions of floats, which are summed in double precision.
import { ELEM, sizeOf } from '../graph.ts';
import { intAttribute, type OpName } from '../ops.ts';
import { NotKnown, type ShapeContext } from './context.ts';
import type { Known } from './known.ts';

/** Gives the values of a node's first output, whose shape is `dims`. */
export type Evaluator = (context: ShapeContext, dims: readonly number[]) => Float64Array;

/** The inputs, each read as if it had shape `dims`. */
type Spread = (context: ShapeContext, index: number, dims: readonly number[]) => Float64Array;

/** Number types whose integers beyond 2^53 are clamped, and so cannot be computed with. */
const isFloat = (type: number): boolean => type === ELEM.float32 || type === ELEM.float64;

function exactOf(context: ShapeContext, index: number): Known {
  const known = context.known(index);
  const clamped =
    !isFloat(known.elemType) && known.data.some((value) => Math.abs(value) >= Number.MAX_SAFE_INTEGER);
  if (clamped) throw new NotKnown();
  return known;
}

const compare =
  (spread: Spread, holds: (a: number, b: number) => boolean): Evaluator =>
  (context, dims) => {
    exactOf(context, 0);
    exactOf(context, 1);
    const [a, b] = [spread(context, 0, dims), spread(context, 1, dims)];
    return a.map((value, i) => (holds(value, b[i] as number) ? 1 : 0));
  };

const extreme =
  (spread: Spread, pick: (...values: number[]) => number): Evaluator =>
  (context, dims) => {
    const all = context.node.inputs.map((_, index) => {
      exactOf(context, index);
      return spread(context, index, dims);
    });
    return (all[0] as Float64Array).map((_, i) => pick(...all.map((values) => values[i] as number)));
  };

/** Of one known value; halves and other float types are left to the engine. */
const each =
  (f: (value: number) => number, floatsToo = true): Evaluator =>
  (context) => {
    const { elemType, data } = exactOf(context, 0);
    if (
      elemType !== ELEM.float32 &&
      elemType !== ELEM.int64 &&
      elemType !== ELEM.int32 &&
      elemType !== ELEM.bool
    )
      throw new NotKnown();
    if (!floatsToo && isFloat(elemType)) throw new NotKnown();
    const result = data.map(f);
    return elemType === ELEM.float32 ? result.map(Math.fround) : result;
  };

/** To the nearest whole number; halves to the even one. */
function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

const chosen =
  (spread: Spread): Evaluator =>
  (context, dims) => {
    const [condition, yes, no] = [0, 1, 2].map((index) => spread(context, index, dims)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    return condition.map((holds, i) => (holds !== 0 ? (yes[i] as number) : (no[i] as number)));
  };

/** With the sign of the divisor; of floats (`fmod`) with that of the dividend. */
const remainder =
  (spread: Spread): Evaluator =>
  (context, dims) => {
    const { elemType } = exactOf(context, 0);
    if (exactOf(context, 1).data.includes(0)) throw new NotKnown();
    const truncated = intAttribute(context.node, 'fmod', 0) !== 0;
    if (isFloat(elemType) && !truncated) throw new NotKnown();
    const [a, b] = [spread(context, 0, dims), spread(context, 1, dims)];
    return a.map((value, i) => {
      const by = b[i] as number;
      const rest = value % by;
      return (truncated || rest === 0 || rest < 0 === by < 0 ? rest : rest + by) + 0;
    });
  };

const range: Evaluator = (context, dims) => {
  const { elemType } = exactOf(context, 0);
  const [start = 0, , delta = 1] = [0, 1, 2].map((index) => exactOf(context, index).data[0]);
  if (isFloat(elemType) && !(Number.isInteger(start) && Number.isInteger(delta))) throw new NotKnown();
  return Float64Array.from({ length: sizeOf(dims) }, (_, i) => start + i * delta);
};

const tiled: Evaluator = (context, dims) => {
  const { data, dims: own } = context.known(0);
  return Float64Array.from({ length: sizeOf(dims) }, (_, flat) => {
    let [rest, from, stride] = [flat, 0, 1];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const size = own[axis] as number;
      from += ((rest % (dims[axis] as number)) % size) * stride;
      rest = Math.floor(rest / (dims[axis] as number));
      stride *= size;
    }
    return data[from] as number;
  });
};

interface Folding {
  readonly start: number;
  readonly add: (sum: number, value: number) => number;
  readonly end?: (sum: number, count: number) => number;
}

/** Along axes; the result of floats is rounded once, from double precision. */
const reduced =
  ({ start, add, end }: Folding): Evaluator =>
  (context, dims) => {
    const { data, dims: shape, elemType } = exactOf(context, 0);
    if (elemType !== ELEM.float32 && elemType !== ELEM.int64 && elemType !== ELEM.int32) throw new NotKnown();
    const list = context.ints(1, 'axes') ?? [];
    const none = list.length === 0 && intAttribute(context.node, 'noop_with_empty_axes', 0) !== 0;
    if (none) throw new NotKnown();
    const axes = new Set(
      list.length === 0 ? shape.keys() : list.map((axis) => context.axis(axis, shape.length)),
    );
    const result = new Float64Array(sizeOf(dims)).fill(start);
    const index = shape.map(() => 0);
    const strides = keptStrides(shape, axes);
    for (const value of data) {
      const to = index.reduce((sum, at, axis) => sum + at * (strides[axis] as number), 0);
      result[to] = add(result[to] as number, value);
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        index[axis] = (index[axis] as number) + 1;
        if ((index[axis] as number) < (shape[axis] as number)) break;
        index[axis] = 0;
      }
    }
    const count = data.length / Math.max(1, result.length);
    const ended = end ? result.map((sum) => end(sum, count)) : result;
    if (elemType === ELEM.float32) return ended.map(Math.fround);
    if (!ended.every(Number.isSafeInteger)) throw new NotKnown();
    return ended;
  };

/** Strides of the result for each axis of the input; 0 along reduced axes. */
function keptStrides(shape: readonly number[], axes: ReadonlySet<number>): number[] {
  let stride = 1;
  const strides = shape.map(() => 0);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (axes.has(axis)) continue;
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

const sum = (a: number, b: number): number => a + b;

/**
 * By operator.
 * @param spread reads a known input as if it had the shape of the output
 */
export function furtherEvaluators(spread: Spread): { readonly [K in OpName]?: Evaluator } {
  return {
    Abs: each(Math.abs),
    And: compare(spread, (a, b) => a !== 0 && b !== 0),
    Ceil: each(Math.ceil),
    Equal: compare(spread, (a, b) => a === b),
    Floor: each(Math.floor),
    Greater: compare(spread, (a, b) => a > b),
    GreaterOrEqual: compare(spread, (a, b) => a >= b),
    Less: compare(spread, (a, b) => a < b),
    LessOrEqual: compare(spread, (a, b) => a <= b),
    Max: extreme(spread, Math.max),
    Min: extreme(spread, Math.min),
    Mod: remainder(spread),
    Neg: each((value) => (value === 0 ? 0 : -value)),
    Not: each((value) => (value === 0 ? 1 : 0)),
    Or: compare(spread, (a, b) => a !== 0 || b !== 0),
    Range: range,
    ReduceL1: reduced({ start: 0, add: (total, value) => total + Math.abs(value) }),
    ReduceL2: reduced({ start: 0, add: (total, value) => total + value * value, end: Math.sqrt }),
    ReduceMax: reduced({ start: Number.NEGATIVE_INFINITY, add: Math.max }),
    ReduceMean: reduced({ start: 0, add: sum, end: (total, count) => total / count }),
    ReduceMin: reduced({ start: Number.POSITIVE_INFINITY, add: Math.min }),
    ReduceProd: reduced({ start: 1, add: (product, value) => product * value }),
    ReduceSum: reduced({ start: 0, add: sum }),
    ReduceSumSquare: reduced({ start: 0, add: (total, value) => total + value * value }),
    Round: each(roundHalfEven),
    Sign: each(Math.sign),
    Size: (context) => Float64Array.of(sizeOf(context.shape(0))),
    Sqrt: each(Math.sqrt),
    Tile: tiled,
    Where: chosen(spread),
    Xor: compare(spread, (a, b) => (a !== 0) !== (b !== 0)),
  };
}
