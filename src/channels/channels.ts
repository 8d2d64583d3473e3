// Channel variables: a union-find over every channel of every value, with the first reason why one must stay.

/** The channels of one value while groups are being found: their axis, and one variable for each position. */
export interface Label {
  readonly axis: number;
  readonly ids: Int32Array;
}

/** Disjoint sets of channel variables (union by size, path halving). */
export class ChannelVariables {
  readonly #parent: number[] = [];
  readonly #size: number[] = [];
  /** For each root, the index into `#reasons` of why it is frozen, or -1. */
  readonly #frozen: number[] = [];
  readonly #reasons: string[] = [];

  get count(): number {
    return this.#parent.length;
  }

  /** New variables, each on its own. */
  create(count: number): Int32Array {
    const first = this.#parent.length;
    for (let i = 0; i < count; i++) {
      this.#parent.push(first + i);
      this.#size.push(1);
      this.#frozen.push(-1);
    }
    return Int32Array.from({ length: count }, (_, i) => first + i);
  }

  /** The representative of a variable's class. */
  find(id: number): number {
    let at = id;
    for (;;) {
      const up = this.#parent[at] as number;
      if (up === at) return at;
      const upper = this.#parent[up] as number;
      this.#parent[at] = upper;
      at = upper;
    }
  }

  /** Ties two variables: their channels are kept or removed together. */
  unite(a: number, b: number): void {
    let big = this.find(a);
    let small = this.find(b);
    if (big === small) return;
    if ((this.#size[big] as number) < (this.#size[small] as number)) [big, small] = [small, big];
    this.#parent[small] = big;
    this.#size[big] = (this.#size[big] as number) + (this.#size[small] as number);
    const [mine, other] = [this.#frozen[big] as number, this.#frozen[small] as number];
    if (other >= 0 && (mine < 0 || other < mine)) this.#frozen[big] = other;
  }

  /** Unites two arrays of equal length position by position. */
  uniteAll(a: Int32Array, b: Int32Array): void {
    for (let i = 0; i < a.length; i++) this.unite(a[i] as number, b[i] as number);
  }

  /** Keeps `parts` equal runs equally wide: channel i of each run goes with channel i of the first. */
  tieParts(ids: Int32Array, parts: number): void {
    const width = ids.length / parts;
    for (let i = width; i < ids.length; i++) this.unite(ids[i] as number, ids[i % width] as number);
  }

  /** Keeps runs of `width` neighbours whole: all of a run stay, or none. */
  tieRuns(ids: Int32Array, width: number): void {
    for (let i = 0; i < ids.length; i++) this.unite(ids[i] as number, ids[i - (i % width)] as number);
  }

  /** Freezes channels; the first reason is kept. */
  freeze(ids: Int32Array, reason: string): void {
    const index = this.#reasons.push(reason) - 1;
    for (const id of ids) {
      const root = this.find(id);
      if ((this.#frozen[root] as number) < 0) this.#frozen[root] = index;
    }
  }

  /** Why a channel must stay, or undefined when it may go. */
  reason(id: number): string | undefined {
    const index = this.#frozen[this.find(id)] as number;
    return index < 0 ? undefined : this.#reasons[index];
  }
}
