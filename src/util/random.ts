// Seeded random numbers: every stochastic part takes one of these, so runs repeat exactly.

/** Words of state of one stream. */
export const STATE_WORDS = 4;

/** Puts a stream's first state at `state[at …]`; splitmix32. */
export function seedState(state: Uint32Array, at: number, seed: number): void {
  let counter = seed >>> 0;
  for (let word = 0; word < STATE_WORDS; word++) {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    state[at + word] = (z ^ (z >>> 16)) >>> 0;
  }
}

/** The next 32 random bits of the stream whose state is at `state[at …]`, as an unsigned integer. */
export function nextWord(state: Uint32Array, at: number): number {
  const second = state[at + 1] as number;
  const x = Math.imul(second, 5);
  const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
  const third = (state[at + 2] as number) ^ (state[at] as number);
  const fourth = (state[at + 3] as number) ^ second;
  state[at + 1] = second ^ third;
  state[at] = (state[at] as number) ^ fourth;
  state[at + 2] = third ^ (second << 9);
  state[at + 3] = (fourth << 11) | (fourth >>> 21);
  return result;
}

/**
 * xoshiro128** (Blackman and Vigna, ACM TOMS 47, 2021), seeded by splitmix32.
 * Sequences are the same on every platform.
 */
export class Random {
  readonly #state = new Uint32Array(STATE_WORDS);
  #spare: number | undefined;

  constructor(seed: number) {
    seedState(this.#state, 0, seed);
  }

  /** The next 32 random bits as an unsigned integer. */
  uint32(): number {
    return nextWord(this.#state, 0);
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** A uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Shuffles in place (Fisher-Yates) and returns the same array. */
  shuffle<T extends { [index: number]: unknown; length: number }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = items[i];
      items[i] = items[j];
      items[j] = kept;
    }
    return items;
  }

  /** An independent generator, for a part that must not disturb this one's sequence. */
  fork(): Random {
    return new Random(this.uint32());
  }
}
