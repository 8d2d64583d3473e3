// How channels are ranked, unless options say otherwise.
import type { Aggregation, Criterion } from '../explain/index.ts';
import { findCriterion } from '../prune/index.ts';
import { autoCriterion, type CriterionChoice, isAuto, type Normalisation } from '../prune/internal.ts';
import { BedsideError } from '../util/index.ts';

/** The criterion that explains when none is named. */
export const DEFAULT_CRITERION = 'lrp-gamma';
/** Chooses a criterion by measurement; the default of pruning and packing. */
export const AUTO = autoCriterion();

/** The class that is explained; `mix` starts from the shares of the classes. */
export type TargetOption = 'label' | 'predicted' | 'mix';

/** How the channels are ranked by their scores. */
export interface RankingOptions {
  /** Default: the label, or the predicted class of samples without labels. */
  readonly target?: TargetOption | undefined;
  /** How the samples' scores are put together; default as the criterion. */
  readonly aggregate?: Aggregation | undefined;
  /** With `global`, what makes the scores of groups comparable; default l2. */
  readonly normalise?: Normalisation | undefined;
  /** Rank the channels of all groups together, instead of taking the same share of each. */
  readonly global?: boolean | undefined;
  /** Cut in this many parts, and score again before each; default 1. */
  readonly steps?: number | undefined;
  /** Weighted layers whose channels all stay. */
  readonly protect?: readonly string[] | undefined;
}

/** The options of `rankModel`. */
export function rankingOf({ aggregate, normalise, global, steps, protect }: RankingOptions) {
  return { aggregation: aggregate, normalise, global, steps, protect };
}

/**
 * A criterion, or `auto`, by name.
 * @throws BedsideError E_USAGE for a name that no criterion has
 */
export function criterionOf(choice: CriterionChoice | string): CriterionChoice {
  if (typeof choice !== 'string') return choice;
  return choice === AUTO.name ? AUTO : findCriterion(choice);
}

/**
 * A criterion that explains, by name.
 * @throws BedsideError E_USAGE for `auto`, which chooses by pruning; E_CRITERION for a name that no criterion has
 */
export function explainingCriterion(choice: Criterion | string): Criterion {
  if (choice !== AUTO.name) return typeof choice === 'string' ? findCriterion(choice) : choice;
  throw new BedsideError('E_USAGE', "criterion 'auto' chooses by pruning, and cannot explain", {
    hint: 'use it with prune and compare; here name a criterion, such as lrp-gamma',
  });
}

/** A warning that criteria which count on a repair rank here for networks without one. */
export function unrepairedNote(chosen: readonly CriterionChoice[], repaired: boolean): string | undefined {
  const counting = repaired ? [] : chosen.filter((choice) => !isAuto(choice) && choice.forRepair === true);
  if (counting.length === 0) return undefined;
  const names = counting.map(({ name }) => name).join(', ');
  return `${names} ranks for networks that are repaired after the cut; without the repair it keeps little`;
}
