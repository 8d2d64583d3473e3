// Chooses the units that stay: by one ratio for all groups, or by one ranking over all of them.

import type { Grouping, KeptUnits } from '../../channels/index.ts';
import type { Group } from '../../channels/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { UnitScores } from '../score/unit-scores.ts';

/** By the id of a group, the fraction of its units that stays, whatever the ratio. */
export type Shares = ReadonlyMap<number, number>;

/** How much to remove, and how kept counts are aligned. */
export interface SelectOptions {
  /** Fraction of the units removed, in [0, 1). */
  readonly ratio: number;
  /** Channels that the engine computes together; 1 for no alignment. See `detectBlock`. */
  readonly block: number;
  /** Ids of groups that keep all units; default none. */
  readonly protect?: ReadonlySet<number> | undefined;
  /** Only these units may stay: those that an earlier pruning left. Default all. */
  readonly within?: KeptUnits | undefined;
  /** Groups that the ratio does not cut; only `selectUniform` reads it. */
  readonly shares?: Shares | undefined;
}

/**
 * Removes the same fraction of every group (or by `shares`), lowest scores first. Kept counts are rounded to the nearest count whose
 * layers have a multiple of `block` channels (or to the whole group), and are at least one block. Equal scores keep the
 * lower index. A larger ratio keeps a subset of what a smaller ratio keeps.
 * @throws BedsideError E_USAGE for a ratio outside [0, 1) or a block that is not a positive integer
 */
export function selectUniform(
  grouping: Grouping,
  scores: UnitScores,
  options: SelectOptions,
): Map<number, number[]> {
  checkOptions(options);
  return new Map(
    grouping.groups.map((group) => {
      const ranks = ranked(group, scores, options.within);
      if (options.protect?.has(group.id)) return [group.id, best(ranks, ranks.length)];
      const target = group.channels * (options.shares?.get(group.id) ?? 1 - options.ratio);
      return [group.id, best(ranks, alignedCount(group, target, options.block))];
    }),
  );
}

/**
 * Removes a fraction of all unprotected units by one ranking over the groups. The scores should be comparable
 * (`unitScores` with `normalise`). The best block of every group always stays. Counts are then aligned as in
 * `selectUniform`, so the removed fraction is met up to the alignment.
 * @throws BedsideError E_USAGE for a ratio outside [0, 1) or a block that is not a positive integer
 */
export function selectGlobal(
  grouping: Grouping,
  scores: UnitScores,
  options: SelectOptions,
): Map<number, number[]> {
  checkOptions(options);
  const { ratio, block, protect, within } = options;
  const ranks = grouping.groups.map((group) => ranked(group, scores, within));
  const kept = ranks.map((units) => units.length);
  const candidates: { group: number; score: number; unit: number }[] = [];
  let [total, left] = [0, 0];
  for (const group of grouping.groups) {
    if (protect?.has(group.id)) continue;
    const own = scoresOf(group, scores);
    const units = ranks[group.id] as number[];
    total += group.channels;
    left += units.length;
    for (const unit of units.slice(alignedCount(group, 0, block))) {
      candidates.push({ group: group.id, score: own[unit] as number, unit });
    }
  }
  candidates.sort((a, b) => compare(a.score, b.score) || b.group - a.group || b.unit - a.unit);
  const gone = total - left;
  for (const { group } of candidates.slice(0, Math.max(roundHalfDown(total * ratio) - gone, 0))) {
    kept[group] = (kept[group] as number) - 1;
  }
  return new Map(
    grouping.groups.map((group) => {
      const units = ranks[group.id] as number[];
      const count = kept[group.id] as number;
      return [group.id, best(units, protect?.has(group.id) ? count : alignedCount(group, count, block))];
    }),
  );
}

/**
 * The allowed number of units nearest to `target`; of two equally near, the larger. Allowed are the whole group, and
 * numbers of units that give each of its layers a multiple of `block` channels.
 */
export function alignedCount(group: Group, target: number, block: number): number {
  const step = unitStep(group, block);
  const below = Math.max(Math.floor(target / step + ROUNDING), 1) * step;
  if (below >= group.channels) return group.channels;
  const above = Math.min(below + step, group.channels);
  return target - below < above - target - ROUNDING ? below : above;
}

/**
 * Number of units whose channels fill whole blocks in every layer of the group (a unit may be several channels of a
 * layer). The engine computes hidden units of recurrent layers in no blocks.
 */
export function unitStep(group: Group, block: number): number {
  if (group.isRecurrent) return 1;
  return group.members.reduce((step, { units }) => {
    const width = units[0]?.length ?? 1;
    const own = block / gcd(block, width);
    return (step * own) / gcd(step, own);
  }, 1);
}

/** Absorbs the rounding error of `n * (1 - ratio)`. */
const ROUNDING = 1e-9;

function roundHalfDown(value: number): number {
  return Math.ceil(value - 0.5 - ROUNDING);
}

function best(ranks: readonly number[], count: number): number[] {
  return ranks.slice(0, count).sort((a, b) => a - b);
}

/** The units that may stay, from the most to the least important. */
export function ranked(group: Group, scores: UnitScores, within?: KeptUnits | undefined): number[] {
  const own = scoresOf(group, scores);
  const units = within?.get(group.id) ?? own.keys();
  return Array.from(units).sort((a, b) => compare(own[b] as number, own[a] as number) || a - b);
}

/** A total order that puts NaN below everything. */
function compare(a: number, b: number): number {
  const [x, y] = [
    Number.isNaN(a) ? Number.NEGATIVE_INFINITY : a,
    Number.isNaN(b) ? Number.NEGATIVE_INFINITY : b,
  ];
  return x < y ? -1 : x > y ? 1 : 0;
}

function scoresOf(group: Group, scores: UnitScores): Float64Array {
  const own = scores.get(group.id);
  if (own?.length === group.channels) return own;
  const found = own ? `${own.length} scores` : 'no scores';
  throw new BedsideError('E_INTERNAL', `internal: group ${group.id} of ${group.channels} units has ${found}`);
}

/**
 * Checks a ratio and a block.
 * @throws BedsideError E_USAGE
 */
export function checkOptions({ ratio, block }: SelectOptions): void {
  if (!(ratio >= 0 && ratio < 1)) {
    throw new BedsideError('E_USAGE', `ratio ${ratio} is outside [0, 1)`, {
      hint: 'a ratio is the fraction of channels removed: 0 removes none, 0.5 half of them',
    });
  }
  checkBlock(block);
}

/**
 * Checks a block.
 * @throws BedsideError E_USAGE
 */
export function checkBlock(block: number): void {
  if (Number.isInteger(block) && block >= 1) return;
  throw new BedsideError('E_USAGE', `block ${block} is not a positive whole number`, {
    hint: 'give the number of channels the engine computes together, such as 8 or 16; 1 turns alignment off',
  });
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
