// Tile and CumSum on the way back.
import { int, intAttribute, integersOf, type Node } from '../../onnx/internal.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { apart, moving, positiveAxis, refuse } from './shape-adjoints.ts';

/** Tile by constant numbers: copies add up. */
export const tileAdjoint: BackwardRule = moving((context, node, value) => {
  const { builder } = context;
  const input = node.inputs[0] as string;
  const repeats = integersOf(context.graph.constants.get(node.inputs[1] ?? ''));
  if (!repeats) return refuse(context, node, []) as never;
  const shape = context.openShape(input);
  const apartShape: number[] = [];
  const added: number[] = [];
  shape.forEach((size, axis) => {
    const times = repeats[axis] as number;
    if (times > 1) {
      apart(context, node, input, axis);
      added.push(apartShape.push(times) - 1);
    }
    apartShape.push(size);
  });
  if (added.length === 0) return value;
  const copies = builder.node('Reshape', [value, builder.ints(apartShape)], {}, 'copies');
  return builder.node('ReduceSum', [copies, builder.ints(added)], { keepdims: int(0) }, 'untile');
});

/** The adjoint of a CumSum: the same the other way round. */
export function cumulativeAdjoint(context: BackwardContext, node: Node, value: string): string {
  const input = node.inputs[0] as string;
  const [axis] = integersOf(context.graph.constants.get(node.inputs[1] ?? '')) ?? [];
  if (axis === undefined) return refuse(context, node, []) as never;
  apart(context, node, input, positiveAxis(axis, context.shape(input).length));
  return context.builder.node(
    'CumSum',
    [value, node.inputs[1] as string],
    {
      exclusive: int(intAttribute(node, 'exclusive', 0)),
      reverse: int(1 - intAttribute(node, 'reverse', 0)),
    },
    'uncumulate',
  );
}

/** CumSum, derivative. */
export const cumulativeGradient: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const value = cumulativeAdjoint(context, node, context.materialise(message));
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};
