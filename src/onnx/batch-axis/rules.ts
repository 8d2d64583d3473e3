// Where the outputs of every operator hold their samples, given the places of its inputs. Specification:
// https://onnx.ai/onnx/operators/
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  entries,
  FUNCTION_OPS,
  LOGIC_OPS,
  NARY_OPS,
  REDUCTION_OPS,
  STEP_OPS,
  TEST_OPS,
} from '../op-families.ts';
import { intAttribute, intsAttribute, type OpTable } from '../ops.ts';
import { sliceRanges } from '../shapes/rules.ts';
import { einsum, fromAxis } from './attention-rules.ts';
import type { PlaceContext } from './context.ts';
import { type BatchAxis, moved } from './place.ts';
import { recurrent } from './recurrent.ts';
import { reshaped } from './reshaped.ts';

/** One place for each output, or one for all; undefined where an output has no samples. */
export type PlaceRule = (context: PlaceContext) => BatchAxis | undefined | readonly (BatchAxis | undefined)[];

/** Each element by itself. */
const same: PlaceRule = (context) => context.place(0);
const none: PlaceRule = () => undefined;

/** Elementwise over inputs that broadcast against each other. */
const broadcasting: PlaceRule = (context) => {
  const { inputs } = context.node;
  const indices = inputs.flatMap((name, index) => (name ? [index] : []));
  if (indices.every((index) => !context.place(index))) return undefined;
  const rank = Math.max(...indices.map((index) => context.rank(index)));
  return context.agreed(
    indices.map((index) => {
      const place = context.place(index);
      return place && moved(place, place.axis + rank - context.rank(index));
    }),
  );
};

/** Convolutions: the first axis stays; all other axes of a sample are summed over. */
const convolution: PlaceRule = (context) => {
  const place = context.place(0);
  if (context.place(1) || context.place(2)) context.lose('has weights that depend on the sample');
  if (place && place.axis !== 0) context.mix();
  return place;
};

/** Pools: batch and channels stay. */
const pooled: PlaceRule = (context) => {
  const place = context.place(0);
  if (place && place.axis > 1) context.mix();
  return place;
};

/** For operators that compute each position of the first axis alone. */
const perRow: PlaceRule = (context) => {
  const place = context.place(0);
  if (place && place.axis !== 0) context.mix();
  return place;
};

/** Everything but one axis stays apart, such as a normalisation along it. */
const alongAxis =
  (attribute: string, fallback: number): PlaceRule =>
  (context) => {
    const place = context.place(0);
    if (!place) return undefined;
    context.apart(place, context.axis(intAttribute(context.node, attribute, fallback), context.rank(0)));
    return place;
  };

/** Softmax and its kin; before operator set 13 they work on all axes from the given one on. */
const softmax: PlaceRule = (context) => {
  if (context.opset >= 13) return alongAxis('axis', -1)(context);
  const place = context.place(0);
  if (place && place.axis >= context.axis(intAttribute(context.node, 'axis', 1), context.rank(0)))
    context.mix();
  return place;
};

/** Reductions: the axes that stay close up unless they are kept as 1. */
const reduced: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const rank = context.rank(0);
  const list = context.ints(1, 'axes');
  const every = list === undefined || list.length === 0;
  if (every && intAttribute(context.node, 'noop_with_empty_axes', 0) !== 0) return place;
  const axes = every ? [...Array(rank).keys()] : list.map((axis) => context.axis(axis, rank));
  if (axes.includes(place.axis)) context.mix();
  if (intAttribute(context.node, 'keepdims', 1) !== 0) return place;
  return moved(place, place.axis - axes.filter((axis) => axis < place.axis).length);
};

const argument: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const axis = context.axis(intAttribute(context.node, 'axis', 0), context.rank(0));
  context.apart(place, axis);
  const gone = intAttribute(context.node, 'keepdims', 1) === 0 && axis < place.axis;
  return gone ? moved(place, place.axis - 1) : place;
};

const transposed: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const rank = context.rank(0);
  const axes = intsAttribute(context.node, 'perm') ?? [...Array(rank).keys()].reverse();
  return moved(place, axes.indexOf(place.axis));
};

/** Joined along the batch, equal numbers of samples lie one after the other. */
const concatenated: PlaceRule = (context) => {
  const indices = [...context.node.inputs.keys()];
  const places = indices.map((index) => context.place(index));
  const place = context.agreed(places);
  if (!place) return undefined;
  const axis = context.axis(intAttribute(context.node, 'axis', 1), context.rank(0));
  if (axis !== place.axis) return place;
  if (places.includes(undefined)) context.lose('joins samples with what belongs to none');
  return { ...place, before: place.before * indices.length };
};

const split: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const axis = context.axis(intAttribute(context.node, 'axis', 0), context.rank(0));
  if (axis !== place.axis) return context.node.outputs.map(() => place);
  return context.node.outputs.map((_, index) => portion(context, place, index));
};

/** Whole runs of all samples, taken from an axis of several. */
function portion(context: PlaceContext, place: BatchAxis, output: number): BatchAxis {
  const sizes = context.outputShapes(output).map((shape) => shape[place.axis] as number);
  const parts = sizes.map((size, run) => size / ((context.samples[run] as number) * place.after));
  const [before = 0] = parts;
  if (!Number.isInteger(before) || before < 1 || parts.some((part) => part !== before)) context.mix();
  return { ...place, before };
}

const sliced: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  context.outputShapes(0); // known only if the ranges are
  const ranges = context.shapeContexts().map((shapes) => sliceRanges(shapes)[place.axis]);
  const whole = ranges.every(
    (range, run) =>
      range?.start === 0 && range.step === 1 && range.count === context.shapes(0)[run]?.[place.axis],
  );
  if (whole) return place;
  const runsWhole = ranges.every((range, run) => {
    const unit = (context.samples[run] as number) * place.after;
    return range?.step === 1 && range.start % unit === 0;
  });
  if (!runsWhole) context.mix();
  return portion(context, place, 0);
};

const gathered: PlaceRule = (context) => {
  const [data, indices] = [context.place(0), context.place(1)];
  if (!data && !indices) return undefined;
  const axis = context.axis(intAttribute(context.node, 'axis', 0), context.rank(0));
  const added = context.rank(1) - 1;
  context.apart(data, axis);
  return context.agreed([
    data && moved(data, data.axis < axis ? data.axis : data.axis + added),
    indices && moved(indices, axis + indices.axis),
  ]);
};

const gemm: PlaceRule = (context) => {
  const [a, b] = [context.place(0), context.place(1)];
  const rows = intAttribute(context.node, 'transA', 0) !== 0 ? 1 : 0;
  const columns = intAttribute(context.node, 'transB', 0) !== 0 ? 0 : 1;
  if ((a && a.axis !== rows) || (b && b.axis !== columns)) context.mix();
  const c = context.place(2);
  const aligned = c && moved(c, c.axis + 2 - context.rank(2));
  return context.agreed([a && moved(a, 0), b && moved(b, 1), aligned]);
};

const product: PlaceRule = (context) => {
  const [a, b] = [context.place(0), context.place(1)];
  if (!a && !b) return undefined;
  const [left, right] = [context.rank(0), context.rank(1)];
  const rank = Math.max(left, right, 2);
  const [row, column] = [a && moved(a, a.axis + rank - left), b && moved(b, b.axis + rank - right)];
  const vectors = (a && left === 1) || (b && right === 1);
  if (vectors || row?.axis === rank - 1 || column?.axis === rank - 2) context.mix();
  const place = context.agreed([row, column]);
  // A vector on the left leaves no axis of rows.
  return place && moved(place, left === 1 && place.axis === rank - 1 ? rank - 2 : place.axis);
};

const expanded: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const [shape] = context.outputShapes(0);
  return sized(context, moved(place, place.axis + (shape?.length ?? 0) - context.rank(0)));
};

/** The axis must have its size: nothing was added, dropped or resampled along it. */
function sized(context: PlaceContext, place: BatchAxis, output = 0): BatchAxis {
  const { axis, before, after } = place;
  const right = context
    .outputShapes(output)
    .every((shape, run) => shape[axis] === before * after * (context.samples[run] as number));
  return right ? place : context.mix();
}

/** Padded, resized or cropped along other axes. */
const resized: PlaceRule = (context) => {
  const place = context.place(0);
  return place && sized(context, place);
};

const meanVariance: PlaceRule = (context) => {
  const place = context.place(0);
  const axes = intsAttribute(context.node, 'axes') ?? [0, 2, 3];
  if (place && axes.some((axis) => context.axis(axis, context.rank(0)) === place.axis)) context.mix();
  return place;
};

const tiled: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const repeats = context.ints(1, 'repeats')?.[place.axis];
  if (repeats === undefined) return context.lose('is repeated a number of times that is not known');
  return { ...place, before: place.before * repeats };
};

const cumulative: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const [axis] = context.ints(1, 'axis') ?? [];
  if (axis === undefined) return context.lose('works along an axis that is computed as it runs');
  context.apart(place, context.axis(axis, context.rank(0)));
  return place;
};

export const PLACE_RULES: OpTable<PlaceRule> = {
  ...entries(FUNCTION_OPS, same),
  ...entries(STEP_OPS, same),
  ...entries(TEST_OPS, same),
  ...entries(COMPARISON_OPS, broadcasting),
  ...entries(LOGIC_OPS, broadcasting),
  ...entries(NARY_OPS, broadcasting),
  ...entries(REDUCTION_OPS, reduced),
  ...entries(ARGUMENT_OPS, argument),
  Add: broadcasting,
  AveragePool: pooled,
  BatchNormalization: (context) => {
    const place = context.place(0);
    context.apart(place, 1);
    if (context.node.outputs.slice(1).some(Boolean)) context.mix();
    return place;
  },
  Cast: same,
  Clip: same,
  Concat: concatenated,
  Constant: none,
  ConstantOfShape: none,
  Conv: convolution,
  ConvTranspose: convolution,
  CumSum: cumulative,
  DepthToSpace: perRow,
  Div: broadcasting,
  Dropout: same,
  Einsum: einsum,
  Elu: same,
  Erf: same,
  Exp: same,
  Expand: expanded,
  Flatten: reshaped,
  GRU: recurrent,
  Gather: gathered,
  Gelu: same,
  Gemm: gemm,
  GlobalAveragePool: pooled,
  GlobalLpPool: pooled,
  GlobalMaxPool: pooled,
  GroupNormalization: perRow,
  HardSigmoid: same,
  HardSwish: same,
  Identity: same,
  InstanceNormalization: perRow,
  LRN: perRow,
  LSTM: recurrent,
  LayerNormalization: fromAxis,
  LeakyRelu: same,
  LogSoftmax: softmax,
  LpNormalization: alongAxis('axis', -1),
  LpPool: pooled,
  MatMul: product,
  MaxPool: pooled,
  MeanVarianceNormalization: meanVariance,
  Mod: broadcasting,
  Mul: broadcasting,
  PRelu: broadcasting,
  Pad: resized,
  RNN: recurrent,
  Pow: broadcasting,
  ReduceMean: reduced,
  Relu: same,
  Range: none,
  Reshape: reshaped,
  Resize: resized,
  Shape: none,
  Sigmoid: same,
  Size: none,
  Slice: sliced,
  Softmax: softmax,
  SpaceToDepth: perRow,
  Split: split,
  Sqrt: same,
  Squeeze: reshaped,
  Sub: broadcasting,
  Tanh: same,
  Tile: tiled,
  Transpose: transposed,
  Unsqueeze: reshaped,
  Upsample: resized,
  Where: broadcasting,
};

export { alongAxis, broadcasting, same, softmax };
