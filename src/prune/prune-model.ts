// Score, select, slice: pruning a canonical model by a criterion, in one shot or by re-ranking in steps.

import { assertPrunable, findGroups, type Grouping, type KeptUnits, sliceModel } from '../channels/index.ts';
import { keptPositions } from '../channels/internal.ts';
import type { Dataset } from '../data/index.ts';
import type { Criterion, LayerScores } from '../explain/index.ts';
import type { Model } from '../onnx/index.ts';
import { layerLayout, recurrentLayer } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { nearestNames } from '../util/internal.ts';
import {
  comparableScores,
  type ScoreModelOptions,
  scoreLayers,
  type UnitOptions,
} from './score/score-model.ts';
import { remarksOn, type ScoreRemark } from './score/unexplained.ts';
import type { UnitScores } from './score/unit-scores.ts';
import { selectForMacs } from './select/budget.ts';
import { type Shares, selectGlobal, selectUniform } from './select/select.ts';

/** How much to prune: a fraction of the channels to remove, or a fraction of the multiply-accumulates to keep. */
export type PruneAmount = { readonly ratio: number } | { readonly macsFraction: number };

/** The criterion, the samples that it reads, and how channels are scored and removed. */
export interface RankOptions extends ScoreModelOptions, UnitOptions {
  readonly criterion: Criterion;
  /** Samples that the criterion reads. */
  readonly calibration: Dataset;
  /** Kept counts are multiples of this number of channels; see `SelectOptions`. */
  readonly block: number;
  /** Removes the channels in this many equal steps, and scores the rest again before each step; default 1. */
  readonly steps?: number | undefined;
  /** Weighted layers whose groups keep all channels. */
  readonly protect?: readonly string[] | undefined;
}

/** A pruned model, in terms of the original. */
export interface PrunedModel {
  readonly model: Model;
  /** The groups of the original model. */
  readonly grouping: Grouping;
  /** The units of those groups that stayed. */
  readonly keep: KeptUnits;
  /** Scores of the original's units, before anything was removed. */
  readonly scores: UnitScores;
  /** Layers that another criterion ranked, and layers whose channels tie. */
  readonly remarks: readonly ScoreRemark[];
}

/** A model whose units have been scored, ready to be cut to any size. */
export interface Ranking {
  readonly grouping: Grouping;
  /** Scores in the unpruned model. */
  readonly scores: UnitScores;
  readonly remarks: readonly ScoreRemark[];
  /**
   * Prunes to an amount. One step needs no further scoring; k steps score k - 1 smaller networks.
   * @param shares of groups that the amount does not cut; those that remain meet it. Not with one ranking over all groups
   * @throws BedsideError E_USAGE for an amount out of range or out of reach
   */
  prune(amount: PruneAmount, shares?: Shares): Promise<PrunedModel>;
}

/**
 * Prunes a canonical model: scores its channels, chooses those that stay, and removes the others.
 * @throws BedsideError as `rankModel` and its `prune`
 */
export async function pruneModel(model: Model, options: RankOptions & PruneAmount): Promise<PrunedModel> {
  const ranking = await rankModel(model, options);
  return ranking.prune('ratio' in options ? { ratio: options.ratio } : options);
}

/**
 * Scores a canonical model once, for any number of prunings.
 * @throws BedsideError E_NO_CHANNELS when nothing can be pruned; E_USAGE for an invalid number of steps, or a protected
 * layer that the model does not have; as the criterion
 */
export async function rankModel(model: Model, options: RankOptions): Promise<Ranking> {
  const { criterion, calibration, name, block, steps = 1, global = false } = options;
  checkSteps(steps);
  const grouping = findGroups(model);
  assertPrunable(grouping, name);
  const protect = protectedGroups(model, grouping, options.protect ?? []);
  const layers = await scoreLayers(model, criterion, calibration, options);
  const scores = comparableScores(model, grouping, layers, options);
  const remarks = remarksOn(criterion.name, layers, grouping, scores);

  const select = (
    amount: PruneAmount,
    by: UnitScores,
    within: KeptUnits | undefined,
    shares: Shares | undefined,
  ): Map<number, number[]> =>
    'ratio' in amount
      ? (global ? selectGlobal : selectUniform)(grouping, by, {
          ratio: amount.ratio,
          block,
          protect,
          within,
          shares,
        })
      : selectForMacs(model, grouping, by, {
          macsFraction: amount.macsFraction,
          block,
          global,
          protect,
          within,
          shares,
        });
  return {
    grouping,
    scores,
    remarks,
    async prune(amount, shares) {
      // An amount out of reach is reported before any work is done for it.
      let keep = select(steps === 1 ? amount : partOf(amount, 1 / steps), scores, undefined, shares);
      if (steps > 1) select(amount, scores, undefined, shares);
      for (let step = 2; step <= steps; step++) {
        const left = await rescore(model, grouping, keep, options);
        keep = select(partOf(amount, step / steps), left, keep, shares);
      }
      return { model: sliceModel(model, grouping, keep), grouping, keep, scores, remarks };
    },
  };
}

/** The amount after a share of the steps; after all steps it is the amount itself. */
function partOf(amount: PruneAmount, share: number): PruneAmount {
  if (share === 1) return amount;
  return 'ratio' in amount
    ? { ratio: amount.ratio * share }
    : { macsFraction: 1 - (1 - amount.macsFraction) * share };
}

/** Scores of the original's units in the pruned network; removed units score zero. */
async function rescore(
  model: Model,
  grouping: Grouping,
  keep: KeptUnits,
  options: RankOptions,
): Promise<UnitScores> {
  const cut = sliceModel(model, grouping, keep);
  const { unmerged } = options;
  const layers = await scoreLayers(cut, options.criterion, options.calibration, {
    ...options,
    ...(unmerged ? { unmerged: sliceAlike(unmerged, grouping, keep) } : {}),
  });
  const positions = keptPositions(grouping, keep);
  const outputs = new Map(model.graph.nodes.map((node) => [node.name, node.outputs[0] ?? '']));
  const full = layers.map(({ layer, scores }): LayerScores => {
    const value = must(outputs.get(layer), `layer '${layer}' is not in the uncut model`);
    const kept = positions(value);
    if (!kept) return { layer, scores };
    const channels = must(grouping.values.get(value), `no channels of '${value}'`).group.length;
    const spread = new Float64Array(channels);
    kept.forEach((channel, i) => {
      spread[channel] = scores[i] as number;
    });
    return { layer, scores: spread };
  });
  return comparableScores(model, grouping, full, options, keep);
}

/** Cuts another form of the same model, with the same layer names, to the same channels. */
function sliceAlike(other: Model, grouping: Grouping, keep: KeptUnits): Model {
  const gone = new Map<string, Set<number>>();
  for (const group of grouping.groups) {
    const kept = new Set(keep.get(group.id) ?? group.members[0]?.units.keys());
    for (const { layer, units } of group.members) {
      const channels = gone.get(layer) ?? new Set();
      gone.set(layer, channels);
      units.forEach((unit, i) => {
        if (!kept.has(i)) for (const channel of unit) channels.add(channel);
      });
    }
  }
  const own = findGroups(other);
  const alike = own.groups.map(({ id, members }): [number, number[]] => {
    const stays = (unit: number): boolean =>
      members.every(({ layer, units }) => !units[unit]?.some((channel) => gone.get(layer)?.has(channel)));
    return [id, [...(members[0]?.units.keys() ?? [])].filter(stays)];
  });
  return sliceModel(other, own, new Map(alike));
}

function checkSteps(steps: number): void {
  if (Number.isInteger(steps) && steps >= 1) return;
  throw new BedsideError('E_USAGE', `${steps} steps: expected a whole number from 1`, {
    hint: '1 cuts at once; 4 cuts a quarter at a time and scores the smaller network anew',
  });
}

/**
 * Ids of the groups that any of the layers belongs to.
 * @throws BedsideError E_USAGE for a name that is not a weighted layer; the hint gives similar names
 */
export function protectedGroups(
  model: Model,
  grouping: Grouping,
  names: readonly string[],
): ReadonlySet<number> {
  if (names.length === 0) return new Set();
  const layers = model.graph.nodes.flatMap((node) =>
    layerLayout(model.graph, node, (value) => grouping.shapes.get(value)) || recurrentLayer(model.graph, node)
      ? [node.name]
      : [],
  );
  for (const name of names) {
    if (layers.includes(name)) continue;
    throw new BedsideError(
      'E_USAGE',
      `cannot protect '${name}': the model has no weighted layer of that name`,
      {
        hint: `did you mean ${nearestNames(name, layers, 3).join(', ')}? (inspect lists all)`,
      },
    );
  }
  const wanted = new Set(names);
  return new Set(
    grouping.groups.filter(({ layers: own }) => own.some((layer) => wanted.has(layer))).map(({ id }) => id),
  );
}
