// Which units stay: by one ratio for all groups, or by one ranking over all of them.
import { BedsideError } from '../util/index.ts';
import type { Group, Grouping } from './groups.ts';
import type { UnitScores } from './score.ts';

/** How much goes, and how what stays is aligned. */
export interface SelectOptions {
  /** Fraction of the units removed, in [0, 1). */
  readonly ratio: number;
  /** Channels that the engine computes together; 1 for no alignment. See `detectBlock`. */
  readonly block: number;
}

/**
 * Removes the same fraction of every group's lowest-scored units. Kept counts are rounded to the nearest count whose
 * layers have a multiple of `block` channels (or to the whole group), and are never below one block.
 * Equal scores keep the lower index; a larger ratio keeps a subset of what a smaller one keeps.
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
      const target = group.channels * (1 - options.ratio);
      return [group.id, best(scoresOf(group, scores), alignedCount(group, target, options.block))];
    }),
  );
}

/**
 * Removes a fraction of all units by one ranking over the groups, for which the scores should be comparable
 * (`unitScores` with `normalise`). The best block of every group is out of reach; counts are then aligned as in
 * `selectUniform`, so the fraction that goes is met to within the alignment.
 * @throws BedsideError E_USAGE for a ratio outside [0, 1) or a block that is not a positive integer
 */
export function selectGlobal(
  grouping: Grouping,
  scores: UnitScores,
  options: SelectOptions,
): Map<number, number[]> {
  checkOptions(options);
  const kept = grouping.groups.map((group) => group.channels);
  const candidates: { group: number; score: number; unit: number }[] = [];
  for (const group of grouping.groups) {
    const own = scoresOf(group, scores);
    const free = ranked(own).slice(alignedCount(group, 0, options.block));
    for (const unit of free) candidates.push({ group: group.id, score: own[unit] as number, unit });
  }
  candidates.sort((a, b) => compare(a.score, b.score) || b.group - a.group || b.unit - a.unit);
  const total = kept.reduce((sum, count) => sum + count, 0);
  for (const { group } of candidates.slice(0, roundHalfDown(total * options.ratio))) {
    kept[group] = (kept[group] as number) - 1;
  }
  return new Map(
    grouping.groups.map((group) => {
      const count = alignedCount(group, kept[group.id] as number, options.block);
      return [group.id, best(scoresOf(group, scores), count)];
    }),
  );
}

/**
 * The allowed number of units nearest to `target`, the larger of two equally near. Allowed are the whole group, and
 * numbers of units that give each of its layers a multiple of `block` channels.
 */
export function alignedCount(group: Group, target: number, block: number): number {
  const step = unitStep(group, block);
  const below = Math.max(Math.floor(target / step + ROUNDING), 1) * step;
  if (below >= group.channels) return group.channels;
  const above = Math.min(below + step, group.channels);
  return target - below < above - target - ROUNDING ? below : above;
}

/** Units whose channels fill whole blocks in every layer of the group (a unit may be several channels of a layer). */
function unitStep(group: Group, block: number): number {
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

function best(scores: Float64Array, count: number): number[] {
  return ranked(scores)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/** Unit indices from the most to the least important. */
function ranked(scores: Float64Array): number[] {
  return Array.from(scores.keys()).sort((a, b) => compare(scores[b] as number, scores[a] as number) || a - b);
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
