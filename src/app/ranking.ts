// How channels are ranked, unless options say otherwise.
import type { Aggregation } from '../explain/index.ts';
import { autoCriterion, type CriterionChoice, isAuto, type Normalisation } from '../prune/index.ts';

/** The criterion that explains when none is named. */
export const DEFAULT_CRITERION = 'lrp-gamma';
/** Chooses a criterion by measurement; prunes when none is named. */
export const AUTO = autoCriterion();

/** What is explained; `mix` starts from the mix of classes. */
export type TargetOption = 'label' | 'predicted' | 'mix';

/** What `addRanking` adds. */
export interface RankingOptions {
  readonly target?: TargetOption;
  readonly aggregate?: Aggregation;
  readonly normalise?: Normalisation;
  readonly global?: boolean;
  readonly steps: number;
  readonly protect?: readonly string[];
}

/** The same as the library takes it. */
export function rankingOf({ aggregate, normalise, global, steps, protect }: RankingOptions) {
  return { aggregation: aggregate, normalise, global, steps, protect };
}

/** What to know where criteria that count on a repair rank for networks without one. */
export function unrepairedNote(chosen: readonly CriterionChoice[], reconstruct: boolean): string | undefined {
  const counting = reconstruct ? [] : chosen.filter((choice) => !isAuto(choice) && choice.forRepair === true);
  if (counting.length === 0) return undefined;
  const names = counting.map(({ name }) => name).join(', ');
  return `${names} ranks for networks that are repaired after the cut; without the repair it keeps little`;
}
