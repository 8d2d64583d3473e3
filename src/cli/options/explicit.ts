// Options that mean nothing beside something else, declared instead of asked for one by one.
import type { Command } from 'commander';
import { BedsideError } from '../../util/index.ts';

/** Options that are refused together with something else. */
export interface Meaningless {
  /** The options as the help shows them, such as `--out`. */
  readonly options: readonly string[];
  /** Why the option of this name is refused, as one sentence. */
  readonly because: (option: string) => string;
  readonly hint: string;
}

/**
 * Refuses the first of the options that was typed.
 * @throws BedsideError E_USAGE
 */
export function assertNoneTyped(command: Command, { options, because, hint }: Meaningless): void {
  for (const option of options) {
    if (isExplicit(command, option)) throw new BedsideError('E_USAGE', because(option), { hint });
  }
}

/** Whether an option was typed, and does not merely have its default. */
export function isExplicit(command: Command, option: string): boolean {
  const found = command.options.find(({ long }) => long === option);
  return found !== undefined && command.getOptionValueSource(found.attributeName()) === 'cli';
}
