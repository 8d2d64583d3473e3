// The output shapes of every operator, from the shapes and known values of its inputs.
// Specification: https://onnx.ai/onnx/operators/

import { sizeOf } from '../graph.ts';
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
import { intAttribute, intsAttribute, type OpTable, stringAttribute } from '../ops.ts';
import { recurrent } from '../recurrent/shapes.ts';
import { NotKnown, type ShapeContext } from './context.ts';
import { einsumShape } from './einsum.ts';
import { argument, range, resize, spaceToDepth, tile } from './further-rules.ts';
import { constantOfNode } from './known.ts';
import { convParameters, poolParameters, transposedOutput, windowOutput } from './window.ts';

/** One shape for each output of the node (extra ones are ignored). */
export type ShapeRule = (context: ShapeContext) => (number[] | undefined)[];

const same: ShapeRule = (context) => [context.shape(0)];
const broadcasting: ShapeRule = (context) => [
  context.node.inputs.reduce<number[]>(
    (shape, _, index) => broadcast(context, shape, context.shape(index)),
    [],
  ),
];

export const SHAPE_RULES: OpTable<ShapeRule> = {
  ...entries(FUNCTION_OPS, same),
  ...entries(STEP_OPS, same),
  ...entries(TEST_OPS, same),
  ...entries(COMPARISON_OPS, broadcasting),
  ...entries(LOGIC_OPS, broadcasting),
  ...entries(NARY_OPS, broadcasting),
  ...entries(REDUCTION_OPS, reduce),
  ...entries(ARGUMENT_OPS, argument),
  Add: broadcasting,
  AveragePool: pool,
  BatchNormalization: same,
  Cast: same,
  Clip: same,
  Concat: concat,
  Constant: (context) => [constantOfNode(context.node)?.dims.slice()],
  ConstantOfShape: (context) => [sizes(context, Array.from(context.known(0).data))],
  Conv: conv,
  ConvTranspose: convTranspose,
  CumSum: same,
  DepthToSpace: depthToSpace,
  Div: broadcasting,
  Dropout: (context) => [context.shape(0), context.shape(0)],
  Einsum: (context) => [
    einsumShape(
      stringAttribute(context.node, 'equation', ''),
      context.node.inputs.map((_, index) => context.shape(index)),
    ),
  ],
  Elu: same,
  Erf: same,
  Exp: same,
  Expand: (context) => [
    broadcast(context, context.shape(0), sizes(context, Array.from(context.known(1).data))),
  ],
  Flatten: flatten,
  GRU: recurrent,
  Gather: gather,
  Gelu: same,
  Gemm: gemm,
  GlobalAveragePool: globalPool,
  GlobalLpPool: globalPool,
  GlobalMaxPool: globalPool,
  GroupNormalization: same,
  HardSigmoid: same,
  HardSwish: same,
  Identity: same,
  InstanceNormalization: same,
  LRN: same,
  LSTM: recurrent,
  LayerNormalization: layerNormalization,
  LeakyRelu: same,
  LogSoftmax: same,
  LpNormalization: same,
  LpPool: pool,
  MatMul: matMul,
  MaxPool: (context) => {
    const [shape] = pool(context);
    return [shape, shape];
  },
  MeanVarianceNormalization: same,
  Mod: broadcasting,
  Mul: broadcasting,
  PRelu: same,
  Pad: pad,
  RNN: recurrent,
  Pow: broadcasting,
  ReduceMean: reduce,
  Relu: same,
  Range: range,
  Reshape: reshape,
  Resize: resize,
  Shape: (context) => {
    const [begin, end] = shapeRange(context);
    return [[end - begin]];
  },
  Sigmoid: same,
  Size: () => [[]],
  Slice: (context) => [sliceRanges(context).map(({ count }) => count)],
  Softmax: same,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Sqrt: same,
  Squeeze: squeeze,
  Sub: broadcasting,
  Tanh: same,
  Tile: tile,
  Transpose: (context) => [permutation(context).map((axis) => context.shape(0)[axis] ?? 0)],
  Unsqueeze: unsqueeze,
  Upsample: resize,
  Where: broadcasting,
};

/** The half-open range of axes that a Shape node returns. */
export function shapeRange(context: ShapeContext): [number, number] {
  const rank = context.shape(0).length;
  const clamp = (axis: number): number => Math.min(rank, Math.max(0, axis < 0 ? axis + rank : axis));
  const begin = clamp(intAttribute(context.node, 'start', 0));
  return [begin, Math.max(begin, clamp(intAttribute(context.node, 'end', rank)))];
}

/** For each axis of a Slice's input: first index, step and number of elements taken. */
export function sliceRanges(context: ShapeContext): { start: number; step: number; count: number }[] {
  const shape = context.shape(0);
  const starts = context.ints(1, 'starts');
  const ends = context.ints(2, 'ends');
  if (!starts || !ends || starts.length !== ends.length) throw context.wrong('starts and ends do not match');
  const axes = context.ints(3, 'axes') ?? starts.map((_, axis) => axis);
  const steps = context.has(4) ? context.ints(4, 'steps') : undefined;
  if (axes.length !== starts.length || (steps && steps.length !== starts.length)) {
    throw context.wrong('axes or steps do not match starts');
  }
  const ranges = shape.map((size) => ({ start: 0, step: 1, count: size }));
  axes.forEach((rawAxis, index) => {
    const axis = context.axis(rawAxis, shape.length);
    ranges[axis] = sliceAxis(
      context,
      shape[axis] ?? 0,
      starts[index] ?? 0,
      ends[index] ?? 0,
      steps?.[index] ?? 1,
    );
  });
  return ranges;
}

function sliceAxis(context: ShapeContext, size: number, start: number, end: number, step: number) {
  if (step === 0) throw context.wrong('a step is 0');
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (index: number, least: number): number =>
    Math.min(high, Math.max(least, index < 0 ? index + size : index));
  const from = clamp(start, Math.max(low, 0));
  const to = clamp(end, low);
  return { start: from, step, count: Math.max(0, Math.ceil((to - from) / step)) };
}

/** The axes of a Transpose's input, in output order. */
export function permutation(context: ShapeContext): number[] {
  const rank = context.shape(0).length;
  const axes = intsAttribute(context.node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (axes.length !== rank || new Set(axes).size !== rank || axes.some((axis) => axis < 0 || axis >= rank)) {
    throw context.wrong(`perm [${axes}] is not a permutation of ${rank} axes`);
  }
  return axes;
}

/** The numpy broadcast of two shapes. */
export function broadcast(context: ShapeContext, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw context.wrong(`shapes [${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

function sizes(context: ShapeContext, list: number[]): number[] {
  if (list.some((size) => !Number.isSafeInteger(size) || size < 0))
    throw context.wrong(`[${list}] is not a shape`);
  return list;
}

function batchAndChannels(context: ShapeContext): [number, number] {
  const [batch, channels] = context.shape(0);
  if (batch === undefined || channels === undefined) throw context.wrong('its input has no channel axis');
  return [batch, channels];
}

function pool(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const parameters = poolParameters(context.graph, context.node, shape);
  return [
    [...batchAndChannels(context), ...windowOutput(context.node, shape, parameters, parameters.ceilMode)],
  ];
}

function globalPool(context: ShapeContext): number[][] {
  return [
    [
      ...batchAndChannels(context),
      ...context
        .shape(0)
        .slice(2)
        .map(() => 1),
    ],
  ];
}

function conv(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const weight = context.shape(1);
  const parameters = convParameters(context.graph, context.node, shape, weight);
  const [batch, channels] = batchAndChannels(context);
  const [outputs = 0, perGroup = 0] = weight;
  if (perGroup * parameters.groups !== channels || outputs % parameters.groups !== 0) {
    throw context.wrong(
      `weight [${weight}] in ${parameters.groups} groups does not fit ${channels} channels`,
    );
  }
  return [[batch, outputs, ...windowOutput(context.node, shape, parameters)]];
}

function convTranspose(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const weight = context.shape(1);
  const parameters = convParameters(context.graph, context.node, shape, weight);
  const [batch, channels] = batchAndChannels(context);
  const [inputs = 0, perGroup = 0] = weight;
  if (inputs !== channels || inputs % parameters.groups !== 0) {
    throw context.wrong(
      `weight [${weight}] in ${parameters.groups} groups does not fit ${channels} channels`,
    );
  }
  return [[batch, perGroup * parameters.groups, ...transposedOutput(context.node, shape, parameters)]];
}

function concat(context: ShapeContext): number[][] {
  const shape = [...context.shape(0)];
  const axis = context.axis(intAttribute(context.node, 'axis', 1), shape.length);
  for (let index = 1; index < context.node.inputs.length; index++) {
    const other = context.shape(index);
    if (other.length !== shape.length || other.some((size, i) => i !== axis && size !== shape[i])) {
      throw context.wrong(`cannot join [${other}] to [${shape}] on axis ${axis}`);
    }
    shape[axis] = (shape[axis] ?? 0) + (other[axis] ?? 0);
  }
  return [shape];
}

function depthToSpace(context: ShapeContext): number[][] {
  const [batch = 0, channels = 0, height = 0, width = 0] = context.shape(0);
  const block = intAttribute(context.node, 'blocksize', 0);
  if (context.shape(0).length !== 4 || block < 1 || channels % (block * block) !== 0) {
    throw context.wrong(`blocksize ${block} does not fit [${context.shape(0)}]`);
  }
  return [[batch, channels / (block * block), height * block, width * block]];
}

function flatten(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const raw = intAttribute(context.node, 'axis', 1);
  const axis = raw === shape.length ? raw : context.axis(raw, shape.length);
  return [[sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))]];
}

function gather(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const axis = context.axis(intAttribute(context.node, 'axis', 0), shape.length);
  return [[...shape.slice(0, axis), ...context.shape(1), ...shape.slice(axis + 1)]];
}

function gemm(context: ShapeContext): number[][] {
  const turned = (index: number, name: string): [number, number] => {
    const [rows, columns, more] = context.shape(index);
    if (rows === undefined || columns === undefined || more !== undefined) {
      throw context.wrong(`input ${index} has shape [${context.shape(index)}], expected rank 2`);
    }
    return intAttribute(context.node, name, 0) ? [columns, rows] : [rows, columns];
  };
  const [rows, inner] = turned(0, 'transA');
  const [depth, columns] = turned(1, 'transB');
  if (inner !== depth) throw context.wrong(`inner sizes ${inner} and ${depth} differ`);
  return [[rows, columns]];
}

/** The normalised value, and one mean and one inverse deviation for each run of normalised elements. */
function layerNormalization(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const axis = context.axis(intAttribute(context.node, 'axis', -1), shape.length);
  const statistics = shape.map((size, at) => (at < axis ? size : 1));
  return [shape, statistics, statistics];
}

function matMul(context: ShapeContext): number[][] {
  const a = context.shape(0);
  const b = context.shape(1);
  if (a.length === 0 || b.length === 0) throw context.wrong('a factor is a scalar');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  if (left.at(-1) !== right.at(-2)) throw context.wrong(`shapes [${a}] and [${b}] do not multiply`);
  const shape = broadcast(context, left.slice(0, -2), right.slice(0, -2));
  if (a.length > 1) shape.push(left.at(-2) ?? 0);
  if (b.length > 1) shape.push(right.at(-1) ?? 0);
  return [shape];
}

function pad(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const pads = context.ints(1, 'pads');
  const axes = context.has(3) ? context.ints(3, 'axes') : undefined;
  const padded = axes?.map((axis) => context.axis(axis, shape.length)) ?? shape.map((_, axis) => axis);
  if (pads?.length !== 2 * padded.length)
    throw context.wrong(`pads [${pads ?? ''}] do not fit ${padded.length} axes`);
  const result = [...shape];
  padded.forEach((axis, index) => {
    result[axis] = (shape[axis] ?? 0) + (pads[index] ?? 0) + (pads[index + padded.length] ?? 0);
  });
  return [sizes(context, result)];
}

function reduce(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const list = context.ints(1, 'axes');
  const none = list === undefined || list.length === 0;
  if (none && intAttribute(context.node, 'noop_with_empty_axes', 0)) return [shape];
  const axes = new Set(none ? shape.keys() : list.map((axis) => context.axis(axis, shape.length)));
  if (intAttribute(context.node, 'keepdims', 1))
    return [shape.map((size, axis) => (axes.has(axis) ? 1 : size))];
  return [shape.filter((_, axis) => !axes.has(axis))];
}

function reshape(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const wanted = context.ints(1, 'shape');
  if (!wanted) throw new NotKnown();
  const keepZero = intAttribute(context.node, 'allowzero', 0) !== 0;
  const result = wanted.map((size, axis) => (size === 0 && !keepZero ? (shape[axis] ?? -2) : size));
  const total = sizeOf(shape);
  const free = result.indexOf(-1);
  if (free >= 0) {
    const rest = sizeOf(result.filter((_, axis) => axis !== free));
    result[free] = rest === 0 ? 0 : total / rest;
  }
  if (result.some((size) => !Number.isSafeInteger(size) || size < 0) || sizeOf(result) !== total) {
    throw context.wrong(`[${shape}] cannot be reshaped to [${wanted}]`);
  }
  return [result];
}

function split(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const axis = context.axis(intAttribute(context.node, 'axis', 0), shape.length);
  const size = shape[axis] ?? 0;
  const count = context.node.outputs.length;
  const chunk = Math.ceil(size / count);
  const parts =
    context.ints(1, 'split') ??
    Array.from({ length: count }, (_, i) => Math.max(0, Math.min(chunk, size - i * chunk)));
  if (parts.length !== count || parts.some((part) => part < 0) || parts.reduce((a, b) => a + b, 0) !== size) {
    throw context.wrong(`cannot split axis ${axis} of [${shape}] into [${parts}]`);
  }
  return parts.map((part) => shape.map((old, i) => (i === axis ? part : old)));
}

function squeeze(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const axes = context.ints(1, 'axes')?.map((axis) => context.axis(axis, shape.length));
  if (!axes) return [shape.filter((size) => size !== 1)];
  if (axes.some((axis) => shape[axis] !== 1))
    throw context.wrong(`axes [${axes}] of [${shape}] are not all 1`);
  return [shape.filter((_, axis) => !axes.includes(axis))];
}

function unsqueeze(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const list = context.ints(1, 'axes');
  if (!list) throw context.wrong('axes are missing');
  const rank = shape.length + list.length;
  const axes = new Set(list.map((axis) => context.axis(axis, rank)));
  if (axes.size !== list.length) throw context.wrong(`axes [${list}] repeat`);
  const rest = shape.values();
  return [Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.next().value ?? 1)))];
}
