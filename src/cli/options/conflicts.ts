// Options that contradict each other, as tables.
import { BedsideError } from '../../util/index.ts';

/** A combination of options that has no meaning. */
export interface Conflict<Options> {
  readonly when: (options: Options) => boolean;
  /** Names the options and says why they contradict each other. */
  readonly message: string;
  readonly hint: string;
}

/** @throws BedsideError E_USAGE for the first conflict that these options have */
export function assertNoConflict<Options>(options: Options, conflicts: readonly Conflict<Options>[]): void {
  const found = conflicts.find(({ when }) => when(options));
  if (found) throw new BedsideError('E_USAGE', found.message, { hint: found.hint });
}
