// Bounds what works at the same time by the memory it takes.

/** Lets work begin while what runs stays within a number of bytes; what is larger than all of them runs alone. */
export class MemoryBudget {
  readonly #bytes: number;
  #used = 0;
  #waiting: (() => void)[] = [];

  /** @param bytes that may be in use at a time */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Runs `work` when there is room for the bytes wanted; where they are more than the budget, alone. */
  async with<T>(wanted: number, work: () => Promise<T>): Promise<T> {
    const bytes = Math.min(wanted, this.#bytes);
    while (this.#used > 0 && this.#used + bytes > this.#bytes) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#used += bytes;
    try {
      return await work();
    } finally {
      this.#used -= bytes;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    }
  }
}
