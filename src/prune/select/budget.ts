// Finds the smallest removal that meets a budget of multiply-accumulates.

import type { Grouping } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError, formatPercent } from '../../util/index.ts';
import type { UnitScores } from '../score/unit-scores.ts';
import { checkBlock, ranked, type SelectOptions, selectGlobal, selectUniform } from './select.ts';

export interface BudgetOptions extends Omit<SelectOptions, 'ratio'> {
  /** Largest share of the model's multiply-accumulates that the written model may have, in (0, 1]. */
  readonly macsFraction: number;
  /** One ranking over all groups instead of the same ratio in each; default false. */
  readonly global?: boolean | undefined;
}

/**
 * The selection whose model comes closest to the budget from below, found by bisection on the ratio (the count of
 * multiply-accumulates never grows with it).
 * @throws BedsideError E_USAGE for a fraction outside (0, 1], or one that no ratio reaches; the message names the
 * smallest possible one
 */
export function selectForMacs(
  model: Model,
  grouping: Grouping,
  scores: UnitScores,
  options: BudgetOptions,
): Map<number, number[]> {
  const { macsFraction, block, global = false } = options;
  if (!(macsFraction > 0 && macsFraction <= 1)) {
    throw new BedsideError('E_USAGE', `MACs fraction ${macsFraction} is outside (0, 1]`, {
      hint: "give the share of the model's multiply-accumulates to be left, such as 0.5",
    });
  }
  checkBlock(block);
  const count = macsCounter(model, grouping);
  const full = count(new Map());
  const select = (ratio: number): Map<number, number[]> =>
    (global ? selectGlobal : selectUniform)(grouping, scores, { ...options, ratio });
  const fits = (keep: Map<number, number[]>): boolean => count(keep) <= full * macsFraction;

  const least = select(0);
  if (fits(least)) return least;
  let [low, high] = [0, LARGEST_RATIO];
  let chosen = select(high);
  if (!fits(chosen)) {
    const reachable = count(chosen) / full;
    throw new BedsideError(
      'E_USAGE',
      `MACs fraction ${macsFraction} cannot be reached: the smallest is ${reachable.toPrecision(4)} ` +
        `(${formatPercent(reachable)}) with blocks of ${block} channels${options.protect?.size ? ' and layers protected' : ''}`,
      { hint: 'ask for a larger fraction, for smaller blocks, or protect less' },
    );
  }
  while (high - low > RATIO_PRECISION) {
    const middle = (low + high) / 2;
    const keep = select(middle);
    if (fits(keep)) [high, chosen] = [middle, keep];
    else low = middle;
  }
  return global ? chosen : withMoreUnits(chosen, grouping, scores, options, fits);
}

/** Gives recurrent layers, whose units come one by one, what blocks of other layers leave of the budget. */
function withMoreUnits(
  chosen: Map<number, number[]>,
  { groups }: Grouping,
  scores: UnitScores,
  { protect, within }: BudgetOptions,
  fits: (keep: Map<number, number[]>) => boolean,
): Map<number, number[]> {
  let keep = chosen;
  let open = groups.filter(({ id, isRecurrent }) => isRecurrent && !protect?.has(id));
  while (open.length > 0) {
    open = open.filter((group) => {
      const ranks = ranked(group, scores, within);
      const count = keep.get(group.id)?.length ?? ranks.length;
      if (count >= ranks.length) return false;
      const more = ranks.slice(0, count + 1).sort((a, b) => a - b);
      const wider = new Map(keep).set(group.id, more);
      if (!fits(wider)) return false;
      keep = wider;
      return true;
    });
  }
  return keep;
}

const LARGEST_RATIO = 1 - 2 ** -40;
const RATIO_PRECISION = 1e-7;
