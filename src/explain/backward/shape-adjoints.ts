// Backward rules of operators that only move values; relevance and gradients share their adjoint.
import {
  cloneNode,
  constantInput,
  describeNode,
  int,
  intAttribute,
  ints,
  intsAttribute,
  intsParameter,
  type Node,
  opOf,
  poolParameters,
  sizeOf,
  string,
  stringAttribute,
} from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { BackwardContext, BackwardMessage, BackwardRule } from './context.ts';

/** Passes the message on unchanged. */
export const passThrough: BackwardRule = (context, node, [message]) => {
  if (message) context.send(node.inputs[0] as string, message);
};

/** Nothing flows back, since the output does not depend on the input's values. */
export const stop: BackwardRule = () => {};

/** For operators without a rule. */
export const refuse: BackwardRule = (_context, node) => {
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${describeNode(node)}: relevance cannot cross this use of the operator`,
    {
      hint: 'criteria that read weights or activations (l1, l2, activation, apoz, random) still work',
    },
  );
};

/** For operators that `withSimplerOperators` replaces before a pass is built. */
export const lowered: BackwardRule = (context, node, messages) => refuse(context, node, messages);

/**
 * A rule from the adjoint of an operator that moves each input element to one output position (or drops it). For such
 * operators, `base * value` at the output is `input * adjoint(value)` at the input.
 */
export function moving(
  adjoint: (context: BackwardContext, node: Node, value: string) => string,
): BackwardRule {
  return (context, node, [message]) => {
    if (!message) return;
    const [output, input] = [node.outputs[0] as string, node.inputs[0] as string];
    context.send(
      input,
      moveMessage(context, message, output, input, (value) => adjoint(context, node, value)),
    );
  };
}

/** Moves a message from an output to an input along an adjoint. The base stays a factor where it is the output. */
export function moveMessage(
  context: BackwardContext,
  message: BackwardMessage,
  output: string,
  input: string,
  adjoint: (value: string) => string,
): BackwardMessage {
  const zeroWhere = (message.zeroWhere ?? message.base) === output ? input : undefined;
  if (message.base === output) return { value: adjoint(message.value), base: input, zeroWhere };
  return { value: adjoint(context.materialise(message)), base: undefined, zeroWhere };
}

/** Reshape, Flatten, Squeeze, Unsqueeze: back to the input's shape. */
export const reshapeAdjoint = moving((context, node, value) => {
  const axes = node.inputs[1];
  const opposite = { Squeeze: 'Unsqueeze', Unsqueeze: 'Squeeze' }[node.op];
  if (opposite && axes && constantInput(context.graph, node, 1)) {
    return context.builder.node(opposite, [value, axes], {}, 'unreshape');
  }
  const shape = context.openShape(node.inputs[0] as string, undefined, node.outputs[0]);
  return context.builder.node('Reshape', [value, context.builder.ints(shape)], {}, 'unreshape');
});

/** Transpose: the inverse permutation. */
export const transposeAdjoint = moving((context, node, value) => {
  const rank = context.shape(node.inputs[0] as string).length;
  const forward = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = forward.map((_, axis) => forward.indexOf(axis));
  return context.builder.node('Transpose', [value], { perm: ints(inverse) }, 'untranspose');
});

/** Concat: each input gets its part. */
export const concatAdjoint: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const output = node.outputs[0] as string;
  const axis = positiveAxis(intAttribute(node, 'axis', 0), context.shape(output).length);
  apart(context, node, output, axis);
  let offset = 0;
  for (const input of node.inputs) {
    const size = context.shape(input)[axis] as number;
    const from = offset;
    offset += size;
    if (!context.wanted(input)) continue;
    context.send(
      input,
      moveMessage(context, message, output, input, (value) =>
        context.builder.node(
          'Slice',
          [
            value,
            context.builder.ints([from]),
            context.builder.ints([from + size]),
            context.builder.ints([axis]),
          ],
          {},
          'part',
        ),
      ),
    );
  }
};

/** Split: joins the parts, with zeros for parts without a message. */
export const splitAdjoint: BackwardRule = (context, node, messages) => {
  const input = node.inputs[0] as string;
  const axis = positiveAxis(intAttribute(node, 'axis', 0), context.shape(input).length);
  apart(context, node, input, axis);
  const parts = node.outputs.map((output, i) => {
    const message = messages[i];
    return message
      ? context.materialise(message)
      : context.builder.node('Mul', [output, context.builder.scalar(0)], {}, 'none');
  });
  const value = context.builder.node('Concat', parts, { axis: int(axis) }, 'unsplit');
  context.send(input, { value, base: undefined, zeroWhere: undefined });
};

/** Slice with any step: a row of zeros is appended, and every input position takes its output position or that row. */
export const sliceAdjoint = moving((context, node, value) => {
  const input = context.shape(node.inputs[0] as string);
  const starts = must(intsParameter(context.graph, node, 1, 'starts'), 'Slice without starts');
  const ends = must(intsParameter(context.graph, node, 2, 'ends'), 'Slice without ends');
  const axes = intsParameter(context.graph, node, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = intsParameter(context.graph, node, 4, 'steps') ?? starts.map(() => 1);
  let result = value;
  axes.forEach((given, i) => {
    const axis = positiveAxis(given, input.length);
    const size = input[axis] as number;
    const taken = slicedIndices(size, starts[i] as number, ends[i] as number, steps[i] as number);
    if (taken.length === size && taken[0] === 0) return;
    apart(context, node, node.inputs[0] as string, axis);
    const from = new Array<number>(size).fill(taken.length);
    taken.forEach((place, k) => {
      from[place] = k;
    });
    const pads = new Array<number>(2 * input.length).fill(0);
    pads[input.length + axis] = 1;
    const padded = context.builder.node('Pad', [result, context.builder.ints(pads)], {}, 'padded');
    result = context.builder.node(
      'Gather',
      [padded, context.builder.ints(from)],
      { axis: int(axis) },
      'unslice',
    );
  });
  return result;
});

/** Pad with a constant: takes the middle. */
export const padAdjoint: BackwardRule = (context, node, messages) => {
  if (stringAttribute(node, 'mode', 'constant') !== 'constant') return refuse(context, node, messages);
  moving((inner, _node, value) => {
    const shape = inner.shape(node.inputs[0] as string);
    const rank = shape.length;
    const given = must(intsParameter(inner.graph, node, 1, 'pads'), 'Pad without pads');
    const axes = node.inputs[3]
      ? (intsParameter(inner.graph, node, 3, 'axes') ?? [])
      : shape.map((_, i) => i);
    const { axis: batch } = inner.batchAxis(node.inputs[0] as string);
    const all = axes.map((axis) => positiveAxis(axis, rank)).filter((axis) => axis !== batch);
    const begin = new Map(axes.map((axis, i) => [positiveAxis(axis, rank), given[i] as number]));
    const starts = all.map((axis) => begin.get(axis) as number);
    const ends = all.map((axis) => (begin.get(axis) as number) + (shape[axis] as number));
    const { builder } = inner;
    return builder.node(
      'Slice',
      [value, builder.ints(starts), builder.ints(ends), builder.ints(all)],
      {},
      'unpad',
    );
  })(context, node, messages);
};

/** MaxPool: all to the winner, found by the pool's own indices; overlapping windows add up. */
export const maxPoolAdjoint = moving((context, node, value) =>
  toWinners(context, node, value, node.inputs[0] as string, node.outputs[0] as string),
);

/** Puts the values of a max pool's output at the winners of the pool that reads `input`. */
export function toWinners(
  context: BackwardContext,
  node: Node,
  value: string,
  input: string,
  output: string,
): string {
  const { builder } = context;
  const shape = context.shape(node.inputs[0] as string);
  if (opOf(node) === 'GlobalMaxPool') return toGlobalWinners(context, node, value, input);
  const pool = poolParameters(context.graph, node, [...shape]);
  const indices = poolIndices(context, output);
  const extents = pool.kernel.map((kernel, i) => (kernel - 1) * (pool.dilations[i] as number) + 1);
  if (extents.every((extent, i) => extent <= (pool.strides[i] as number))) {
    const size = builder.node('Shape', [input], {}, 'size');
    const window = { kernel_shape: ints(pool.kernel), strides: ints(pool.strides) };
    return builder.node('MaxUnpool', [value, indices, size], window, 'unpool');
  }
  const size = builder.node(
    'Reshape',
    [builder.node('Size', [input], {}, 'size'), builder.ints([1])],
    {},
    'size',
  );
  const zeros = builder.node('ConstantOfShape', [size], {}, 'zeros');
  const flat = (name: string): string => builder.node('Reshape', [name, builder.ints([-1])], {}, 'flat');
  const scattered = builder.node(
    'ScatterElements',
    [zeros, flat(indices), flat(value)],
    { axis: int(0), reduction: string('add') },
    'unpool',
  );
  return builder.node('Reshape', [scattered, openShapeOf(context, node)], {}, 'unpool');
}

/** The shape of a node's input, as a Reshape takes it at any batch size. */
function openShapeOf(context: BackwardContext, node: Node): string {
  return context.builder.ints(context.openShape(node.inputs[0] as string));
}

/** Checks that a node works on an axis other than that of the samples, so that samples stay separate. */
export function apart(context: BackwardContext, node: Node, value: string, axis: number): void {
  if (context.batchAxis(value).axis === axis) refuse(context, node, []);
}

/** GlobalMaxPool: all to the first winner of each channel. */
function toGlobalWinners(context: BackwardContext, node: Node, value: string, input: string): string {
  const { builder } = context;
  const shape = context.shape(node.inputs[0] as string);
  const channels = shape[1] as number;
  apart(context, node, node.inputs[0] as string, 1);
  const flat = builder.node(
    'Reshape',
    [input, builder.ints([-1, channels, sizeOf(shape.slice(2))])],
    {},
    'flat',
  );
  const winner = builder.node('ArgMax', [flat], { axis: int(2), keepdims: int(1) }, 'winner');
  const zeros = builder.node('Mul', [flat, builder.scalar(0)], {}, 'zeros');
  const column = builder.node('Reshape', [value, builder.ints([-1, channels, 1])], {}, 'column');
  const scattered = builder.node('ScatterElements', [zeros, winner, column], { axis: int(2) }, 'unpool');
  return builder.node('Reshape', [scattered, openShapeOf(context, node)], {}, 'unpool');
}

/** Sums over the axes along which `input` was broadcast to `output`'s shape. */
export function broadcastAdjoint(
  context: BackwardContext,
  value: string,
  input: string,
  output: string,
): string {
  const from = context.shape(output);
  const to = context.shape(input);
  const lead = from.length - to.length;
  const axes = from.flatMap((size, axis) =>
    axis < lead || (to[axis - lead] === 1 && size !== 1) ? [axis] : [],
  );
  if (axes.length === 0) return value;
  const { builder } = context;
  const kept = builder.node('ReduceSum', [value, builder.ints(axes)], { keepdims: int(1) }, 'unbroadcast');
  return lead === 0
    ? kept
    : builder.node('Reshape', [kept, builder.ints(context.openShape(input))], {}, 'unbroadcast');
}

/** An axis counted from the front. */
export function positiveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

function slicedIndices(size: number, start: number, end: number, step: number): number[] {
  const low = step < 0 ? -1 : 0;
  const high = step < 0 ? size - 1 : size;
  const clamp = (value: number): number => Math.min(high, Math.max(low, value < 0 ? value + size : value));
  const result: number[] = [];
  const last = step < 0 && end < -size ? -1 : clamp(end);
  for (let i = clamp(start); step > 0 ? i < last : i > last; i += step) result.push(i);
  return result;
}

/** Makes the forward pool also output the positions of its winners. */
function poolIndices(context: BackwardContext, output: string): string {
  const { nodes } = context.builder.graph;
  const at = nodes.findIndex((candidate) => candidate.outputs[0] === output);
  const known = nodes[at]?.outputs[1];
  if (known) return known;
  const copy = cloneNode(must(nodes[at], `no pool makes '${output}'`));
  const name = context.builder.fresh('winners');
  copy.outputs = [output, name];
  nodes[at] = copy;
  return name;
}
