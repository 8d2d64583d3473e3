// Shares a budget among the groups of a network with recurrent layers. The same fraction of every group is poor there:
// an error of a hidden unit comes back at every step, so such units are worth more than their operations.
import type { Grouping, KeptUnits } from '../../channels/index.ts';
import type { Group } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { PruneAmount, Ranking, RankOptions } from '../prune-model.ts';
import { alignedCount, type Shares, unitStep } from '../select/select.ts';
import { RepairedTrials } from './repaired-trials.ts';

/** How a budget is shared: the fraction of its units that each group without recurrence keeps. */
export interface Allocation {
  readonly groups: readonly { readonly id: number; readonly share: number }[];
  /** The distance, as of `chooseRepaired`, of this allocation and of the one with the same fraction of every group. */
  readonly distance: number;
  readonly uniform: number;
  /** How many allocations were measured. */
  readonly trials: number;
}

/** Most trials; each is a repair of the network. */
const MOST_TRIALS = 24;
/** A trial must be this much closer to be taken. */
const CLOSER = 0.98;
/** A change of a group is a whole number of blocks, about this fraction of its units. */
const CHANGE = 1 / 8;

/** Whether the budget can be shared by measurement: a network with recurrent layers, cut to a number of operations. */
export function canAllocate(
  { groups }: Grouping,
  amount: PruneAmount,
  { global = false, steps = 1 }: Pick<RankOptions, 'global' | 'steps'>,
): boolean {
  const recurrent = groups.filter(isRecurrent).length;
  return 'macsFraction' in amount && !global && steps === 1 && recurrent > 0 && recurrent < groups.length;
}

/**
 * Searches from the same fraction of every group: one group without recurrence gets smaller or larger, recurrent layers
 * take what is left of the budget, and what brings the repaired network closer to the unpruned one stays. It ends when
 * no single change does, or after a fixed number of trials. Each allocation is measured twice: repaired on one half of
 * the samples and measured on the other, and the other way round.
 * @param ranking the one that will be cut, made on all samples
 * @returns undefined where the same fraction of every group is best
 */
export async function allocate(
  model: Model,
  ranking: Ranking,
  amount: PruneAmount,
  options: Omit<RankOptions, 'criterion' | 'onProgress'> & StepOptions,
): Promise<Allocation | undefined> {
  const { block, protect, onStep } = options;
  const trials = await RepairedTrials.openBoth(model, options);
  const fixed = new Set(protect);
  const open = ranking.grouping.groups.filter(
    (group) => !isRecurrent(group) && !group.layers.some((layer) => fixed.has(layer)),
  );
  const start = await cutTo(ranking, amount, undefined);
  const uniform = await meanDistance(ranking, start, trials);
  let best = { keep: start, distance: uniform };
  const known = new Set([keyOf(start)]);
  const moves = open.flatMap((group) => [-1, 1].map((direction) => ({ group, direction })));
  for (let at = 0, failed = 0; failed < moves.length && known.size <= MOST_TRIALS; at++, failed++) {
    const { group, direction } = moves[at % moves.length] as (typeof moves)[number];
    const keep = await moved(ranking, amount, best.keep, {
      open,
      group,
      change: direction * changeOf(group, block),
      block,
    });
    if (!keep || known.has(keyOf(keep))) continue;
    known.add(keyOf(keep));
    onStep?.('choosing: shares of groups, repaired', known.size - 1, MOST_TRIALS);
    const distance = await meanDistance(ranking, keep, trials);
    if (distance >= CLOSER * best.distance) continue;
    best = { keep, distance };
    // The same change is tried once more first, and all others again.
    [at, failed] = [at - 1, -1];
  }
  if (best.keep === start) return undefined;
  const groups = [...sharesIn(open, best.keep)].map(([id, share]) => ({ id, share }));
  return { groups, distance: best.distance, uniform, trials: known.size };
}

interface StepOptions {
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A change of one group, by a number of units. */
interface Move {
  readonly open: readonly Group[];
  readonly group: Group;
  readonly change: number;
  readonly block: number;
}

/**
 * The units that stay after a change, made again until recurrent layers gain or lose a unit. Undefined where it is out
 * of reach: the group ends, or nothing of the budget is left.
 */
async function moved(
  ranking: Ranking,
  amount: PruneAmount,
  from: KeptUnits,
  { open, group, change, block }: Move,
): Promise<KeptUnits | undefined> {
  const units = (keep: KeptUnits): string =>
    keyOf(new Map([...keep].filter(([id]) => !open.some((other) => other.id === id))));
  const shares = sharesIn(open, from);
  for (let count = countOf(group, from) + change; ; count += change) {
    const aligned = alignedCount(group, Math.max(count, 1), block);
    if (aligned / group.channels === shares.get(group.id)) return undefined;
    shares.set(group.id, aligned / group.channels);
    try {
      const keep = await cutTo(ranking, amount, shares);
      if (units(keep) !== units(from)) return keep;
    } catch (error) {
      if (!BedsideError.is(error, 'E_USAGE')) throw error;
      return undefined;
    }
  }
}

async function cutTo(ranking: Ranking, amount: PruneAmount, shares: Shares | undefined): Promise<KeptUnits> {
  return (await ranking.prune(amount, shares)).keep;
}

async function meanDistance(
  ranking: Ranking,
  keep: KeptUnits,
  trials: readonly RepairedTrials[],
): Promise<number> {
  let sum = 0;
  for (const trial of trials) sum += (await trial.measure(ranking, keep)).distance;
  return sum / trials.length;
}

function changeOf(group: Group, block: number): number {
  const step = unitStep(group, block);
  return Math.max(1, Math.round((group.channels * CHANGE) / step)) * step;
}

function countOf({ id, channels }: Group, keep: KeptUnits): number {
  return keep.get(id)?.length ?? channels;
}

function sharesIn(groups: readonly Group[], keep: KeptUnits): Map<number, number> {
  return new Map(groups.map((group) => [group.id, countOf(group, keep) / group.channels]));
}

function keyOf(keep: KeptUnits): string {
  return [...keep].map(([id, units]) => `${id}:${units.length}`).join(' ');
}

function isRecurrent(group: Group): boolean {
  return group.isRecurrent === true;
}

/** The shares, as selection takes them. */
export function sharesOf(allocation: Allocation | undefined): Shares | undefined {
  return allocation && new Map(allocation.groups.map(({ id, share }) => [id, share]));
}
