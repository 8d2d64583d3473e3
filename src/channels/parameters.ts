// Integer parameters of operators, from inputs or attributes, as the operator set has them.
import { type Graph, integersOf, intsParameter, type Node } from '../onnx/internal.ts';

/** A half-open range of positions on an axis. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A negative axis is counted from the end; NaN when the rank is NaN. */
export function normalAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : Number.isFinite(rank) ? axis : Number.NaN;
}

/** Whether one of these inputs exists but is not a constant of integers. */
export function anyComputed(graph: Graph, node: Node, inputs: readonly number[]): boolean {
  return inputs.some((index) => {
    const name = node.inputs[index];
    return name ? integersOf(graph.constants.get(name)) === undefined : false;
  });
}

/** The axes a Slice works on, in the order of its starts and ends; undefined when anything is computed. */
export function sliceAxes(graph: Graph, node: Node, rank: number): number[] | undefined {
  if (anyComputed(graph, node, [1, 2, 3, 4])) return undefined;
  const starts = intsParameter(graph, node, 1, 'starts') ?? [];
  const axes = intsParameter(graph, node, 3, 'axes') ?? starts.map((_, i) => i);
  return axes.map((axis) => normalAxis(axis, rank));
}

/** The range of `axis` that a Slice keeps; undefined when it is computed or its step is not 1. */
export function sliceRange(
  graph: Graph,
  node: Node,
  axis: number,
  size: number,
  rank: number,
): Range | undefined {
  const at = sliceAxes(graph, node, rank)?.indexOf(axis);
  if (at === undefined) return undefined;
  if (at < 0) return { from: 0, to: size };
  if ((intsParameter(graph, node, 4, 'steps')?.[at] ?? 1) !== 1) return undefined;
  const from = clampIndex(intsParameter(graph, node, 1, 'starts')?.[at] ?? 0, size);
  const to = clampIndex(intsParameter(graph, node, 2, 'ends')?.[at] ?? size, size);
  return to > from ? { from, to } : undefined;
}

/** Where a Pad's list of amounts holds the beginning and the end of `axis`; undefined when it is computed. */
export function padEntries(
  graph: Graph,
  node: Node,
  axis: number,
  rank: number,
): { readonly pads: number[]; readonly begin: number; readonly end: number } | undefined {
  if (anyComputed(graph, node, [1, 3])) return undefined;
  const pads = intsParameter(graph, node, 1, 'pads');
  const axes = intsParameter(graph, node, 3, 'axes')?.map((a) => normalAxis(a, rank));
  if (!pads) return undefined;
  const begin = axes ? axes.indexOf(axis) : axis;
  return { pads, begin, end: begin < 0 ? -1 : begin + pads.length / 2 };
}

function clampIndex(index: number, size: number): number {
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size);
}
