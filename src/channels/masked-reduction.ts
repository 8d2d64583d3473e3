// Reductions over channels. When some are cut, what stays is reduced alone, and masking counts the same way.
import { type GraphBuilder, type Node, type OpName, opOf } from '../onnx/internal.ts';

/** What a removed channel counts as: nothing in sums and means, no winner in extremes. */
const REMOVED: { readonly [K in OpName]?: number } = {
  ReduceL1: 0,
  ReduceL2: 0,
  ReduceLogSumExp: -3e38,
  ReduceMax: -3e38,
  ReduceMean: 0,
  ReduceMin: 3e38,
  ReduceSum: 0,
  ReduceSumSquare: 0,
};

/** Whether channels may be cut that a reduction runs over. */
export function isReducedOver(node: Node): boolean {
  const op = opOf(node);
  return op !== undefined && REMOVED[op] !== undefined;
}

/**
 * Writes a reduction over the channels that stay.
 * @param flags name of a constant of 1 where a channel stays, 0 elsewhere
 * @param share of the channels that stay
 */
export function maskedReduction(builder: GraphBuilder, node: Node, flags: string, share: number): void {
  const op = opOf(node);
  const removed = builder.scalar((op && REMOVED[op]) ?? 0);
  const stays = builder.node('Greater', [flags, builder.scalar(0.5)], {}, 'stays');
  const value = builder.node('Where', [stays, node.inputs[0] as string, removed], {}, 'kept');
  const inputs = [value, ...node.inputs.slice(1)];
  if (op !== 'ReduceMean') {
    builder.graph.nodes.push({ ...node, inputs });
    return;
  }
  const whole = builder.fresh('mean');
  builder.graph.nodes.push({ ...node, inputs, outputs: [whole] });
  const scale = builder.scalar(1 / share);
  builder.graph.nodes.push({ ...node, name: '', op: 'Mul', inputs: [whole, scale], attributes: new Map() });
}
