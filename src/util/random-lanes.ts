// Many independent streams of seeded random numbers over one typed array: draws allocate nothing.
import { nextWord, STATE_WORDS, seedState } from './random.ts';

/** Streams that each repeat `Random` of their seed: uniform numbers exactly, normal ones in pairs of two uniform ones. */
export class RandomLanes {
  readonly count: number;
  readonly #state: Uint32Array;

  /** @param seeds one for each stream */
  constructor(seeds: ArrayLike<number>) {
    this.count = seeds.length;
    this.#state = new Uint32Array(STATE_WORDS * this.count);
    for (let lane = 0; lane < this.count; lane++) {
      seedState(this.#state, STATE_WORDS * lane, seeds[lane] as number);
    }
  }

  /** Fills `out[from … from + count)` with numbers uniform in [0, 1). */
  uniforms(lane: number, out: Float64Array, from: number, count: number): void {
    const at = STATE_WORDS * lane;
    for (let i = from; i < from + count; i++) out[i] = nextWord(this.#state, at) / 4294967296;
  }

  /** Fills `out[from … from + count)` with standard normal numbers (Box-Muller); of an odd count the last pair's second is dropped. */
  normals(lane: number, out: Float64Array, from: number, count: number): void {
    const at = STATE_WORDS * lane;
    for (let i = from; i < from + count; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - nextWord(this.#state, at) / 4294967296));
      const angle = (2 * Math.PI * nextWord(this.#state, at)) / 4294967296;
      out[i] = radius * Math.cos(angle);
      if (i + 1 < from + count) out[i + 1] = radius * Math.sin(angle);
    }
  }
}
