// Labels in typed arrays that grow.

/** Labels of one layer, field by field. */
export class Labels {
  count = 0;
  #room = 64;
  readonly #m: number;
  readonly #q: number;
  node = new Int32Array(64);
  steps = new Int32Array(64);
  parent = new Int32Array(64);
  arc = new Int32Array(64);
  cost = new Float64Array(64);
  priced = new Float64Array(64);
  bound = new Float64Array(64);
  use: Float64Array<ArrayBuffer>;
  peak: Float64Array<ArrayBuffer>;

  constructor(m: number, q: number) {
    this.#m = m;
    this.#q = q;
    this.use = new Float64Array(64 * m);
    this.peak = new Float64Array(64 * q);
  }

  /** Room for one more, whose position is returned; it counts when `count` is raised. */
  grow(): number {
    if (this.count === this.#room) {
      this.#room *= 2;
      this.node = widerInts(this.node);
      this.steps = widerInts(this.steps);
      this.parent = widerInts(this.parent);
      this.arc = widerInts(this.arc);
      this.cost = wider(this.cost);
      this.priced = wider(this.priced);
      this.bound = wider(this.bound);
      this.use = wider(this.use);
      this.peak = wider(this.peak);
    }
    return this.count;
  }

  copy(from: Labels, x: number): void {
    const at = this.grow();
    const [m, q] = [this.#m, this.#q];
    this.node[at] = from.node[x] as number;
    this.steps[at] = from.steps[x] as number;
    this.parent[at] = from.parent[x] as number;
    this.arc[at] = from.arc[x] as number;
    this.cost[at] = from.cost[x] as number;
    this.priced[at] = from.priced[x] as number;
    this.bound[at] = from.bound[x] as number;
    for (let r = 0; r < m; r++) this.use[at * m + r] = from.use[x * m + r] as number;
    for (let i = 0; i < q; i++) this.peak[at * q + i] = from.peak[x * q + i] as number;
    this.count++;
  }

  /** The labels of least bound, in the order of their nodes, and the least bound of those left out. */
  best(count: number): { readonly labels: Labels; readonly dropped: number } {
    const order = orderBy(this.bound, this.count);
    const labels = new Labels(this.#m, this.#q);
    for (const x of order.slice(0, count).sort()) labels.copy(this, x);
    return { labels, dropped: this.bound[order[count] as number] as number };
  }
}

/** The label at the root: nothing spent yet. */
export function rootLabel(m: number, q: number): Labels {
  const labels = new Labels(m, q);
  labels.count = 1;
  return labels;
}

function wider(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}

function widerInts(values: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(values.length * 2);
  larger.set(values);
  return larger;
}

/** Positions by ascending key, ties by position. */
export function orderBy(keys: Float64Array, count: number): Int32Array {
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return order.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}
