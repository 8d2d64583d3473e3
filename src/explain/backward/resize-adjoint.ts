// Resize on the way back: the transpose of what it does on each axis.
import { floatConstant, int, ints, type Node, resizeMaps, stringAttribute } from '../../onnx/internal.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { apart, moving, refuse } from './shape-adjoints.ts';

type Maps = NonNullable<ReturnType<typeof resizeMaps>>;
type AxisMap = NonNullable<Maps[number]>;

/** The adjoint of a Resize, applied to `value` (shaped like its output). */
export function resizeAdjoint(context: BackwardContext, node: Node, value: string): string {
  const input = node.inputs[0] as string;
  const maps = mapsOf(context, node);
  if (!maps) return refuse(context, node, []) as never;
  const shape = [...context.shape(node.outputs[0] as string)];
  const { axis: batch } = context.batchAxis(input);
  let result = value;
  maps.forEach((map, axis) => {
    if (!map) return;
    apart(context, node, input, axis);
    const size = context.shape(input)[axis] as number;
    const open = shape.map((extent, at) => (at === batch ? -1 : extent));
    result = repeats(map, size)
      ? summedRuns(context, result, { axis, size, open })
      : multiplied(context, result, { axis, size, rank: shape.length }, map);
    shape[axis] = size;
  });
  return result;
}

/** Resize, derivative. */
export const resizeGradient: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const value = resizeAdjoint(context, node, context.materialise(message));
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

/** Whether each output position takes a single input position whole. */
export function isCopying(node: Node): boolean {
  return stringAttribute(node, 'mode', 'nearest') === 'nearest';
}

/** Resize to the nearest position: copies add up. */
export const copiesAddUp: BackwardRule = moving(resizeAdjoint);

function mapsOf(context: BackwardContext, node: Node): Maps | undefined {
  return resizeMaps(context.graph, node, context.shape(node.inputs[0] as string));
}

/** Whether every input position is repeated equally often, in order. */
function repeats(map: AxisMap, size: number): boolean {
  const times = map.length / size;
  return (
    Number.isInteger(times) &&
    map.every(
      (terms, x) => terms.length === 1 && terms[0]?.weight === 1 && terms[0].from === Math.floor(x / times),
    )
  );
}

function summedRuns(
  { builder }: BackwardContext,
  value: string,
  { axis, size, open }: { readonly axis: number; readonly size: number; readonly open: readonly number[] },
): string {
  const runs = [...open.slice(0, axis), size, (open[axis] as number) / size, ...open.slice(axis + 1)];
  const parts = builder.node('Reshape', [value, builder.ints(runs)], {}, 'runs');
  return builder.node('ReduceSum', [parts, builder.ints([axis + 1])], { keepdims: int(0) }, 'unresize');
}

function multiplied(
  { builder }: BackwardContext,
  value: string,
  { axis, size, rank }: { readonly axis: number; readonly size: number; readonly rank: number },
  map: AxisMap,
): string {
  const matrix = new Float32Array(map.length * size);
  map.forEach((terms, x) => {
    for (const { from, weight } of terms) {
      matrix[x * size + from] = (matrix[x * size + from] as number) + weight;
    }
  });
  const weights = builder.constant(floatConstant(matrix, [map.length, size]), 'interpolation');
  const order = Array.from({ length: rank }, (_, at) => at);
  [order[axis], order[rank - 1]] = [rank - 1, axis];
  const swap = (x: string): string =>
    axis === rank - 1 ? x : builder.node('Transpose', [x], { perm: ints(order) }, 'swapped');
  return swap(builder.node('MatMul', [swap(value), weights], {}, 'unresize'));
}
