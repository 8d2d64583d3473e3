// Gather by constants on the way back: what a position gave to each of its copies adds up.
import { floatConstant, int, intAttribute, integersOf, ints, type Node } from '../../onnx/internal.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { apart, moving, positiveAxis, refuse } from './shape-adjoints.ts';

/** Gather with indices that are constant: a class token, single steps, channels in another order. */
export const gatherAdjoint: BackwardRule = (context, node, messages) => {
  if (isConstant(context, node, 1)) move(context, node, messages);
  // A table by computed indices: it does not change with its samples little by little.
  else if (!isConstant(context, node, 0)) refuse(context, node, messages);
};

/** The same, where relevance of a table's entries goes to the index that chose them. */
export const gatherRelevance: BackwardRule = (context, node, messages) => {
  const [message] = messages;
  if (isConstant(context, node, 1) || !isConstant(context, node, 0)) gatherAdjoint(context, node, messages);
  else if (message) toIndices(context, node, context.materialise(message));
};

function isConstant({ graph }: BackwardContext, node: Node, at: number): boolean {
  const constant = graph.constants.get(node.inputs[at] ?? '');
  return at === 0 ? constant !== undefined : integersOf(constant) !== undefined;
}

/** Sums a message over the axes that the table has beside those of the indices. */
function toIndices(context: BackwardContext, node: Node, value: string): void {
  const { builder } = context;
  const [table = '', indices = ''] = node.inputs;
  const rank = context.shape(table).length;
  const axis = positiveAxis(intAttribute(node, 'axis', 0), rank);
  const chosen = context.shape(indices).length;
  const axes = Array.from({ length: rank - 1 }, (_, at) => (at < axis ? at : at + chosen));
  const sum =
    axes.length === 0 ? value : builder.node('ReduceSum', [value, builder.ints(axes)], { keepdims: int(0) });
  context.send(indices, { value: sum, base: undefined, zeroWhere: undefined });
}

const move = moving((context, node, value) => {
  const { builder } = context;
  const shape = context.shape(node.inputs[0] as string);
  const axis = positiveAxis(intAttribute(node, 'axis', 0), shape.length);
  apart(context, node, node.inputs[0] as string, axis);
  const size = shape[axis] as number;
  const indices = integersOf(context.graph.constants.get(node.inputs[1] as string)) ?? [];
  const taken = indices.map((index) => (index < 0 ? index + size : index));
  const lead = shape.slice(0, axis);
  const flat = [...lead, taken.length, ...shape.slice(axis + 1)];
  const chosen = context.shape(node.inputs[1] as string).length;
  const aligned = ((): string => {
    if (chosen === 1) return value;
    if (chosen === 0) return builder.node('Unsqueeze', [value, builder.ints([axis])], {}, 'picked');
    return builder.node('Reshape', [value, builder.ints(openLike(context, node, flat))], {}, 'picked');
  })();
  if (new Set(taken).size < taken.length)
    return summed(context, aligned, { axis, size, rank: flat.length }, taken);
  // One row of zeros for positions that nothing took.
  const from = new Array<number>(size).fill(taken.length);
  taken.forEach((place, k) => {
    from[place] = k;
  });
  const pads = new Array<number>(2 * flat.length).fill(0);
  pads[flat.length + axis] = 1;
  const padded = builder.node('Pad', [aligned, builder.ints(pads)], {}, 'padded');
  return builder.node('Gather', [padded, builder.ints(from)], { axis: int(axis) }, 'ungather');
});

/** The shape with -1 where the samples of the node's input lie. */
function openLike(context: BackwardContext, node: Node, shape: readonly number[]): number[] {
  const { axis } = context.batchAxis(node.inputs[0] as string);
  return shape.map((size, at) => (at === axis ? -1 : size));
}

/** Sums copies of the same position, as a product with zeros and ones. */
function summed(
  { builder }: BackwardContext,
  value: string,
  { axis, size, rank }: { readonly axis: number; readonly size: number; readonly rank: number },
  taken: readonly number[],
): string {
  const matrix = new Float32Array(taken.length * size);
  taken.forEach((place, k) => {
    matrix[k * size + place] = 1;
  });
  const order = Array.from({ length: rank }, (_, at) => at);
  [order[axis], order[rank - 1]] = [rank - 1, axis];
  const swap = (x: string): string => builder.node('Transpose', [x], { perm: ints(order) }, 'swapped');
  const weights = builder.constant(floatConstant(matrix, [taken.length, size]), 'places');
  return swap(builder.node('MatMul', [swap(value), weights], {}, 'ungather'));
}
