// What may still come: from every node of a reduced graph, the least and the most that the rest of a path uses.
import type { ReducedArcs, ReducedGraph } from '../graph/reduced-graph.ts';

/** What the rest of a path uses of every row at least and at most, by node layer: `[node * rows + row]`. */
export interface CompletionBounds {
  readonly least: readonly Float64Array[];
  readonly most: readonly Float64Array[];
  /** The largest activations still to come, at least and at most: `[node * peaks + peak]`. */
  readonly leastHeld: readonly Float64Array[];
  readonly mostHeld: readonly Float64Array[];
  /** Steps of loss still to come, at least and at most. */
  readonly leastSteps: readonly Int32Array[];
  readonly mostSteps: readonly Int32Array[];
}

/** One pass from the end to the root. */
export function completionBounds({ nodes, arcs, rows, peaks }: ReducedGraph): CompletionBounds {
  const [m, q] = [rows.length, peaks.length];
  const table = (width: number, value: number) => nodes.map((n) => new Float64Array(n * width).fill(value));
  const [least, most] = [table(m, Number.POSITIVE_INFINITY), table(m, 0)];
  const [leastHeld, mostHeld] = [table(q, Number.POSITIVE_INFINITY), table(q, 0)];
  const leastSteps = nodes.map((n) => new Int32Array(n).fill(2 ** 30));
  const mostSteps = nodes.map((n) => new Int32Array(n));
  const last = nodes.length - 1;
  (least[last] as Float64Array).fill(0);
  (leastHeld[last] as Float64Array).fill(0);
  (leastSteps[last] as Int32Array).fill(0);
  for (let l = arcs.length - 1; l >= 0; l--) {
    const { start, to, steps, use, held } = arcs[l] as ReducedArcs;
    for (let i = 0; i + 1 < start.length; i++) {
      for (let k = start[i] as number; k < (start[i + 1] as number); k++) {
        const j = to[k] as number;
        propagate(least[l], most[l], least[l + 1], most[l + 1], i * m, j * m, m, use, k * m, (a, b) => a + b);
        propagate(
          leastHeld[l],
          mostHeld[l],
          leastHeld[l + 1],
          mostHeld[l + 1],
          i * q,
          j * q,
          q,
          held,
          k * q,
          Math.max,
        );
        const lost = steps[k] as number;
        const [few, many] = [leastSteps[l] as Int32Array, mostSteps[l] as Int32Array];
        few[i] = Math.min(few[i] as number, lost + ((leastSteps[l + 1] as Int32Array)[j] as number));
        many[i] = Math.max(many[i] as number, lost + ((mostSteps[l + 1] as Int32Array)[j] as number));
      }
    }
  }
  return { least, most, leastHeld, mostHeld, leastSteps, mostSteps };
}

function propagate(
  least: Float64Array | undefined,
  most: Float64Array | undefined,
  leastNext: Float64Array | undefined,
  mostNext: Float64Array | undefined,
  at: number,
  next: number,
  width: number,
  values: Float64Array,
  value: number,
  combine: (a: number, b: number) => number,
): void {
  if (!least || !most || !leastNext || !mostNext) return;
  for (let r = 0; r < width; r++) {
    const own = values[value + r] as number;
    const low = combine(own, leastNext[next + r] as number);
    const high = combine(own, mostNext[next + r] as number);
    if (low < (least[at + r] as number)) least[at + r] = low;
    if (high > (most[at + r] as number)) most[at + r] = high;
  }
}
