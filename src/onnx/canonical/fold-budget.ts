// How much folding may compute: bounded by the size of the file, so that a small file cannot ask for gigabytes.
import { type Graph, type Node, sizeOf } from '../graph.ts';

/** Elements of one folded constant that are always allowed: 64 MiB as doubles. */
const ELEMENTS = 2 ** 23;
/** Elements of one folded constant that are never exceeded: 512 MiB as doubles. */
const MOST_ELEMENTS = 2 ** 26;
/** Elements of all folded constants together, beside twice what the file itself stores: 128 MiB as doubles. */
const TOTAL = 2 ** 24;
/** Elements read by all folded nodes together, beside sixteen times what the file stores: about a second of work. */
const TOTAL_READ = 2 ** 28;

/**
 * The bounds of one canonicalisation. A constant may be folded up to 2^23 elements, or the size of the largest tensor
 * in the file (a transposed weight) up to 2^26; all together 2^24 and twice what the file stores. What is beyond a
 * bound is left to the engine.
 */
export class FoldBudget {
  readonly #each: number;
  #left: number;
  #reads: number;

  private constructor(each: number, total: number, reads: number) {
    this.#each = each;
    this.#left = total;
    this.#reads = reads;
  }

  /** The budget for a graph as it is in the file. */
  static of(graph: Graph): FoldBudget {
    let largest = 0;
    let stored = 0;
    for (const { dims } of graph.constants.values()) {
      const size = sizeOf(dims);
      largest = Math.max(largest, size);
      stored += size;
    }
    const each = Math.min(MOST_ELEMENTS, Math.max(ELEMENTS, largest));
    return new FoldBudget(each, TOTAL + 2 * stored, TOTAL_READ + 16 * stored);
  }

  /** The most elements that a node may make now; 0 when it may not be evaluated at all. */
  limitFor(graph: Graph, node: Node): number {
    let read = 0;
    for (const name of node.inputs) read += sizeOf(graph.constants.get(name)?.dims ?? [0]);
    this.#reads -= read;
    return this.#reads < 0 ? 0 : Math.min(this.#each, this.#left);
  }

  spend(elements: number): void {
    this.#left -= elements;
  }
}
