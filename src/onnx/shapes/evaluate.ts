// Evaluates simple operators on known values: enough to follow the arithmetic that exporters do on shapes, and to
// fold constants. Exact: only operators whose result is the same on every machine.

import { isExact, roundTo } from '../codec/tensor-values.ts';
import { ELEM, sizeOf } from '../graph.ts';
import { intAttribute, type OpName } from '../ops.ts';
import { NotKnown, type ShapeContext } from './context.ts';
import { type Evaluator, furtherEvaluators } from './further-evaluators.ts';
import { constantOfNode, type Known, knownOf } from './known.ts';
import { permutation, shapeRange, sliceRanges } from './rules.ts';

/**
 * The value of a node's first output, whose shape is `dims`; undefined when it is not known or not evaluated.
 */
export function evaluateNode(
  op: OpName,
  context: ShapeContext,
  dims: readonly number[],
  elemType: number,
): Known | undefined {
  const evaluator = EVALUATORS[op];
  if (!evaluator || sizeOf(dims) > context.limit) return undefined;
  try {
    const data = evaluator(context, dims);
    return data.length === sizeOf(dims) ? { elemType, dims, data } : undefined;
  } catch (error) {
    if (error instanceof NotKnown) return undefined;
    throw error;
  }
}

const copy: Evaluator = (context) => context.known(0).data;

const EVALUATORS: { readonly [K in OpName]?: Evaluator } = {
  ...furtherEvaluators((context, index, dims) => {
    const { data, dims: own } = context.known(index);
    return strided(data, dims, broadcastStrides(own, dims));
  }),
  Add: (context, dims) => arithmetic(context, dims, (a, b) => a + b),
  Cast: cast,
  Concat: concat,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Div: divide,
  Equal: (context, dims) => {
    const [a, b] = [spread(context, 0, dims), spread(context, 1, dims)];
    return a.map((value, i) => (value === b[i] ? 1 : 0));
  },
  Expand: (context, dims) => strided(context.known(0).data, dims, broadcastStrides(context.shape(0), dims)),
  Flatten: copy,
  Gather: gather,
  Identity: copy,
  Mul: (context, dims) => arithmetic(context, dims, (a, b) => a * b),
  Reshape: copy,
  Shape: (context) => Float64Array.from(context.shape(0).slice(...shapeRange(context))),
  Slice: slice,
  Squeeze: copy,
  Sub: (context, dims) => arithmetic(context, dims, (a, b) => a - b),
  Transpose: (context, dims) => {
    const strides = stridesOf(context.shape(0));
    return strided(
      context.known(0).data,
      dims,
      permutation(context).map((axis) => strides[axis] ?? 0),
    );
  },
  Unsqueeze: copy,
  Where: (context, dims) => {
    const [condition, a, b] = [spread(context, 0, dims), spread(context, 1, dims), spread(context, 2, dims)];
    return condition.map((value, i) => (value !== 0 ? a[i] : b[i]) as number);
  },
};

/** An input's values, broadcast to the shape of the result. Clamped integers are left to the engine. */
function spread(context: ShapeContext, index: number, dims: readonly number[]): Float64Array {
  const known = context.known(index);
  if (hasClamped(known.elemType, known.data)) throw new NotKnown();
  return strided(known.data, dims, broadcastStrides(known.dims, dims));
}

function cast(context: ShapeContext): Float64Array {
  const { data, elemType } = context.known(0);
  const to = intAttribute(context.node, 'to', 0);
  if (hasClamped(elemType, data)) throw new NotKnown();
  // Halves are rounded from float32, as the engine does; what does not fit an integer type is left to the engine.
  const half = to === ELEM.float16 || to === ELEM.bfloat16;
  const result = data.map((value) => roundTo(to, half ? Math.fround(value) : value));
  if (result.some((value, i) => Number.isNaN(value) && !(isFloat(to) && Number.isNaN(data[i]))))
    throw new NotKnown();
  return result;
}

/** Whether a 64-bit integer may have been clamped to the safe range, so that it cannot be computed with. */
function hasClamped(elemType: number, data: Float64Array): boolean {
  return !isFloat(elemType) && data.some((value) => Math.abs(value) >= Number.MAX_SAFE_INTEGER);
}

function isFloat(elemType: number): boolean {
  return FLOATS.has(elemType);
}

const FLOATS: ReadonlySet<number> = new Set([ELEM.float32, ELEM.float64, ELEM.float16, ELEM.bfloat16]);

function constant(context: ShapeContext): Float64Array {
  const made = constantOfNode(context.node);
  const known = made && sizeOf(made.dims) <= context.limit ? knownOf(made) : undefined;
  if (!known) throw new NotKnown();
  return known.data;
}

function constantOfShape(context: ShapeContext, dims: readonly number[]): Float64Array {
  const value = context.node.attributes.get('value');
  const known = value?.type === 'tensor' ? knownOf(value.value) : undefined;
  if (value && !known) throw new NotKnown();
  return new Float64Array(sizeOf(dims)).fill(known?.data[0] ?? 0);
}

function arithmetic(
  context: ShapeContext,
  dims: readonly number[],
  combine: (a: number, b: number) => number,
): Float64Array {
  const a = context.known(0);
  const b = context.known(1);
  const left = strided(a.data, dims, broadcastStrides(a.dims, dims));
  const right = strided(b.data, dims, broadcastStrides(b.dims, dims));
  const result = left.map((value, i) => combine(value, right[i] ?? 0));
  // One operation in doubles, then rounded, is the float32 result (double rounding is harmless: 53 >= 2 * 24 + 2).
  if (a.elemType === ELEM.float32) return result.map(Math.fround);
  if (a.elemType === ELEM.float64) return result;
  if (hasClamped(a.elemType, a.data) || hasClamped(b.elemType, b.data)) throw new NotKnown();
  // Integers that would wrap around, and halves that would be rounded, are left to the engine.
  const whole = isFloat(a.elemType) ? result : result.map((value) => value + 0);
  if (!whole.every((value) => isExact(a.elemType, value))) throw new NotKnown();
  return whole;
}

function divide(context: ShapeContext, dims: readonly number[]): Float64Array {
  const { elemType } = context.known(0);
  if (isFloat(elemType)) return arithmetic(context, dims, (a, b) => a / b);
  if (context.known(1).data.some((value) => value === 0)) throw new NotKnown();
  return arithmetic(context, dims, (a, b) => Math.trunc(a / b));
}

function concat(context: ShapeContext, dims: readonly number[]): Float64Array {
  const axis = context.axis(intAttribute(context.node, 'axis', 1), dims.length);
  const outer = sizeOf(dims.slice(0, axis));
  const parts = context.node.inputs.map((_, index) => context.known(index).data);
  const result = new Float64Array(sizeOf(dims));
  let offset = 0;
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const width = part.length / outer;
      result.set(part.subarray(row * width, (row + 1) * width), offset);
      offset += width;
    }
  }
  return result;
}

function gather(context: ShapeContext, dims: readonly number[]): Float64Array {
  const { data, dims: shape } = context.known(0);
  const indices = context.known(1).data;
  const axis = context.axis(intAttribute(context.node, 'axis', 0), shape.length);
  const size = shape[axis] ?? 0;
  const inner = sizeOf(shape.slice(axis + 1));
  const result = new Float64Array(sizeOf(dims));
  let offset = 0;
  for (let row = 0; row < sizeOf(shape.slice(0, axis)); row++) {
    for (const raw of indices) {
      const index = context.axis(raw, size);
      const from = (row * size + index) * inner;
      result.set(data.subarray(from, from + inner), offset);
      offset += inner;
    }
  }
  return result;
}

function slice(context: ShapeContext, dims: readonly number[]): Float64Array {
  const { data, dims: shape } = context.known(0);
  const strides = stridesOf(shape);
  const ranges = sliceRanges(context);
  const offset = ranges.reduce((sum, range, axis) => sum + range.start * (strides[axis] ?? 0), 0);
  return strided(
    data,
    dims,
    ranges.map((range, axis) => range.step * (strides[axis] ?? 0)),
    offset,
  );
}

function stridesOf(dims: readonly number[]): number[] {
  return dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
}

/** Strides that read a tensor of shape `dims` as if it had shape `target`. */
function broadcastStrides(dims: readonly number[], target: readonly number[]): number[] {
  const own = stridesOf(dims);
  const shift = target.length - dims.length;
  return target.map((_, axis) => ((dims[axis - shift] ?? 1) === 1 ? 0 : (own[axis - shift] ?? 0)));
}

/** A row-major copy of shape `dims` that reads `data` by the given strides. */
function strided(
  data: Float64Array,
  dims: readonly number[],
  strides: readonly number[],
  offset = 0,
): Float64Array {
  const result = new Float64Array(sizeOf(dims));
  const index = dims.map(() => 0);
  let from = offset;
  for (let to = 0; to < result.length; to++) {
    result[to] = data[from] ?? 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      if (next < (dims[axis] ?? 0)) {
        index[axis] = next;
        from += stride;
        break;
      }
      index[axis] = 0;
      from -= (next - 1) * stride;
    }
  }
  return result;
}
