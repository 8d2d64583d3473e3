// Counts what is not read, by reason, and keeps a few names of each.
import type { PassedOver } from './dataset.ts';

const EXAMPLES = 5;

/** A count for each reason. */
export class PassedOverCount {
  readonly #entries = new Map<string, { count: number; examples: string[] }>();

  /** Counts `count` more for a reason, of which `example` is one. The same example is named once. */
  add(reason: string, example: string, count = 1): void {
    const entry = this.#entries.get(reason) ?? { count: 0, examples: [] };
    this.#entries.set(reason, entry);
    entry.count += count;
    if (entry.examples.length < EXAMPLES && entry.examples.at(-1) !== example) entry.examples.push(example);
  }

  /** All reasons, in the order in which they came up. */
  list(): PassedOver[] {
    return [...this.#entries].map(([reason, entry]) => ({ reason, ...entry }));
  }
}
