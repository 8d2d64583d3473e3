// Reductions over channels of which some may be cut: what stays is then reduced alone.
import { type Node, type OpName, opOf } from '../onnx/internal.ts';

/** Nothing in sums and means, no winner in extremes. */
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

/** What a removed channel counts as in a reduction over channels; undefined where none may be removed. */
export function removedCountsAs(node: Node): number | undefined {
  const op = opOf(node);
  return op && REMOVED[op];
}
