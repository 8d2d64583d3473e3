// Options that contradict each other, as tables.
import { BedsideError } from '../../util/index.ts';

/** A combination of options that has no meaning. */
export interface Conflict<Options> {
  readonly when: (options: Options) => boolean;
  /** Names the options and says why they contradict each other. */
  readonly message: string;
  readonly hint: string;
}

/** @throws BedsideError E_USAGE for the first of these options that is given: without `target` none has a meaning */
export function refuseUnused(options: Readonly<Record<string, unknown>>, target: string, hint: string): void {
  const given = Object.entries(options).find(([, value]) => value !== undefined);
  if (given) throw new BedsideError('E_USAGE', `${given[0]} has no meaning without ${target}`, { hint });
}

/** @throws BedsideError E_USAGE for the first conflict that these options have */
export function assertNoConflict<Options>(options: Options, conflicts: readonly Conflict<Options>[]): void {
  const found = conflicts.find(({ when }) => when(options));
  if (found) throw new BedsideError('E_USAGE', found.message, { hint: found.hint });
}
