// The part of a graph that a search still has to look at. Root, layers and end are treated alike: arc layer l leads
// from node layer l to l + 1, node layer 0 is the root, and the last is the end. Limits that no path breaks are left
// out.
import type { GraphPath, LayeredGraph } from './graph.ts';

/** Arcs from one node layer to the next, ordered by where they start. */
export interface ReducedArcs {
  /** Arcs of node i of the layer before: `start[i]` to `start[i + 1]`. */
  readonly start: Int32Array;
  readonly to: Int32Array;
  /** Set and choice in the graph's layer; 0 for the result's way home. */
  readonly set: Int32Array;
  readonly choice: Int32Array;
  readonly steps: Int32Array;
  /** Share of the objective without accuracy. */
  readonly cost: Float64Array;
  /** Shares of limits: `[arc * rows + row]`. */
  readonly use: Float64Array;
  /** Activations held, in shares of memory: `[arc * peaks + peak]`. */
  readonly held: Float64Array;
}

export interface ReducedGraph {
  readonly graph: LayeredGraph;
  /** Rows in use, as numbered by the graph, and the share of each that may add up. */
  readonly rows: Int32Array;
  readonly capacity: Float64Array;
  /** Memory rows, by position in `rows`, where activations differ from arc to arc. */
  readonly peaks: Int32Array;
  /** Nodes of every node layer, root and end included. */
  readonly nodes: readonly number[];
  readonly arcs: readonly ReducedArcs[];
  readonly arcCount: number;
  /** No plan outside of it is better than this. */
  readonly threshold: number;
}

/** Arc numbers, one for each arc layer, as a path of the graph. */
export function pathOf({ arcs, graph }: ReducedGraph, numbers: Int32Array): GraphPath {
  const L = graph.layers.length;
  const at = (l: number) => arcs[l] as ReducedArcs;
  return {
    set: Int32Array.from({ length: L }, (_, l) => at(l).set[numbers[l] as number] as number),
    choice: Int32Array.from({ length: L }, (_, l) => at(l).choice[numbers[l] as number] as number),
  };
}
