// Completion bounds: the least and the most that the rest of a path uses, from every node of a reduced graph.
import type { ReducedArcs, ReducedGraph } from '../graph/reduced-graph.ts';

/** Bounds by node layer. */
export interface CompletionBounds {
  /** Use of every limit by the rest of a path, at least and at most: `[node * rows + row]`. */
  readonly least: readonly Float64Array[];
  readonly most: readonly Float64Array[];
  /** The largest activations still to come, at least and at most: `[node * peaks + peak]`. */
  readonly leastHeld: readonly Float64Array[];
  readonly mostHeld: readonly Float64Array[];
  /** Steps of loss still to come, at least and at most. */
  readonly leastSteps: readonly Int32Array[];
  readonly mostSteps: readonly Int32Array[];
}

/** Computes the bounds by one pass from the end to the root. */
export function completionBounds({ nodes, arcs, rows, peaks }: ReducedGraph): CompletionBounds {
  const use = new Ranges(nodes, rows.length);
  const held = new Ranges(nodes, peaks.length);
  const leastSteps = nodes.map((n) => new Int32Array(n).fill(2 ** 30));
  const mostSteps = nodes.map((n) => new Int32Array(n));
  (leastSteps[nodes.length - 1] as Int32Array).fill(0);
  for (let l = arcs.length - 1; l >= 0; l--) {
    const layer = arcs[l] as ReducedArcs;
    const [few, many] = [leastSteps[l] as Int32Array, mostSteps[l] as Int32Array];
    const [fewNext, manyNext] = [leastSteps[l + 1] as Int32Array, mostSteps[l + 1] as Int32Array];
    for (let i = 0; i + 1 < layer.start.length; i++) {
      for (let k = layer.start[i] as number; k < (layer.start[i + 1] as number); k++) {
        const j = layer.to[k] as number;
        use.propagate(l, i, j, layer.use, k, sum);
        held.propagate(l, i, j, layer.held, k, Math.max);
        const lost = layer.steps[k] as number;
        few[i] = Math.min(few[i] as number, lost + (fewNext[j] as number));
        many[i] = Math.max(many[i] as number, lost + (manyNext[j] as number));
      }
    }
  }
  const [least, most] = [use.least, use.most];
  return { least, most, leastHeld: held.least, mostHeld: held.most, leastSteps, mostSteps };
}

const sum = (a: number, b: number): number => a + b;

/** Least and largest values by node layer: `[node * width + column]`. */
class Ranges {
  readonly least: readonly Float64Array[];
  readonly most: readonly Float64Array[];
  readonly #width: number;

  constructor(nodes: readonly number[], width: number) {
    this.#width = width;
    this.least = nodes.map((n) => new Float64Array(n * width).fill(Number.POSITIVE_INFINITY));
    this.most = nodes.map((n) => new Float64Array(n * width));
    (this.least[nodes.length - 1] as Float64Array).fill(0);
  }

  /** Takes in the arc `k` from node `i` of a layer to node `j` of the next: its values combined with those at `j`. */
  propagate(
    l: number,
    i: number,
    j: number,
    values: Float64Array,
    k: number,
    combine: (a: number, b: number) => number,
  ): void {
    const width = this.#width;
    const [least, most] = [this.least[l] as Float64Array, this.most[l] as Float64Array];
    const [leastNext, mostNext] = [this.least[l + 1] as Float64Array, this.most[l + 1] as Float64Array];
    for (let r = 0; r < width; r++) {
      const own = values[k * width + r] as number;
      const low = combine(own, leastNext[j * width + r] as number);
      const high = combine(own, mostNext[j * width + r] as number);
      if (low < (least[i * width + r] as number)) least[i * width + r] = low;
      if (high > (most[i * width + r] as number)) most[i * width + r] = high;
    }
  }
}
