// Packs a network: channels in order of importance, repaired weights for every level, costs, and measured mixes.

import {
  type Bundle,
  type BundleContents,
  type BundleManifest,
  checkLevels,
  correctionTensors,
  findVariant,
  isOfVariant,
  levelsKey,
  type ManifestParts,
  type StoredTensor,
  totalCosts,
  type Variant,
} from '../bundle/index.ts';
import { assertPrunable, findGroups, reorderChannels } from '../channels/index.ts';
import type { Dataset } from '../data/index.ts';
import type { EngineOptions, EngineSettings } from '../engine/index.ts';
import { assertFiniteWeights, type Model } from '../onnx/index.ts';
import type { ScoreRemark } from '../prune/index.ts';
import { type AutoChoice, type CriterionChoice, isAuto, rankAuto, rankModel } from '../prune/index.ts';
import { alignedCount, ranked } from '../prune/internal.ts';
import { repairTables, type TableRepair, tableTensors, withBiases } from '../repair/internal.ts';
import { assertFiniteSamples, BedsideError, must, Random } from '../util/index.ts';
import { fitAccuracyModel } from './accuracy-model.ts';
import { fitAdditiveModel } from './additive-loss-model.ts';
import { describeModel } from './describe.ts';
import {
  type CostName,
  evenlySpaced,
  greedyPath,
  type LevelVectorSpace,
  randomLevelVectors,
  singleGroupLevels,
  uniformLevels,
} from './level-search.ts';
import { type Runnable, runnable } from './runnable.ts';
import { timeLayers } from './timing/layer-timing.ts';
import { type MeasurableBundle, type MeasuredVariant, VariantEvaluator } from './variant-evaluator.ts';

/** Fractions of channels removed at each level, unless said otherwise. */
export const PACK_RATIOS: readonly number[] = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];

/** What is packed, from what, and how. */
export interface PackOptions extends EngineOptions {
  /** Of the bundle, and of the model in error messages. */
  readonly name: string;
  /** Samples that rank and repair; labels are read by the criterion alone. */
  readonly calibration: Dataset;
  /** Samples that measure; none of them is among the others. */
  readonly validation: Dataset;
  readonly criterion: CriterionChoice;
  /** Fraction of channels removed at each level, ascending from 0; default `PACK_RATIOS`. */
  readonly ratios?: readonly number[] | undefined;
  /** Channels that kept counts are aligned to; see `detectBlock`. */
  readonly block: number;
  /** About how many mixes of levels to measure and store; default 256. */
  readonly variants?: number | undefined;
  /** Whether to measure seconds on this machine; default true. */
  readonly measureSeconds?: boolean | undefined;
  readonly seed?: number | undefined;
  /** As for `repair`; default 4096. */
  readonly maxPositions?: number | undefined;
  /** Accuracy that a mix may lose before it is corrected by changes of low rank; 1 or more for never. Default .005. */
  readonly lowRankFrom?: number | undefined;
  /** The model before batch normalisation was merged, for criteria that read it. */
  readonly unmerged?: Model | undefined;
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A packed network, ready to be written, and how it came about. */
export interface PackedModel {
  readonly contents: BundleContents;
  readonly criterion: string;
  /** Present when the criterion was `auto`. */
  readonly choice?: AutoChoice | undefined;
  readonly repairs: readonly TableRepair[];
  /** How many measured mixes are corrected by changes of low rank. */
  readonly lowRank: number;
  /** What of the model as it was given is not in the bundle. */
  readonly given: Omit<Runnable, 'model'>;
  /** Layers that another criterion ranked, and ties. */
  readonly remarks: readonly ScoreRemark[];
  /** Groups whose channels could not be put in order, and why. */
  readonly fixed: ReadonlyMap<number, string>;
  /** Measured mixes that no other beats in accuracy and multiply-accumulates, the largest first. */
  readonly frontier: readonly Variant[];
}

/** What a caller knows of where the bundle comes from. */
export type PackProvenance = Pick<ManifestParts, 'preprocessing'> & {
  readonly source: BundleManifest['model']['source'];
  readonly dataset: string;
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
};

/**
 * Packs a canonical model, in the form that workers run: with its first output alone, and an open batch.
 * @throws BedsideError E_NO_CHANNELS when nothing can be pruned; E_USAGE for ratios that are no levels; E_DATA with
 * fewer than two calibration samples or no validation samples; E_UNSUPPORTED as `runnable`; as the criterion
 */
export async function packModel(
  model: Model,
  provenance: PackProvenance,
  options: PackOptions,
): Promise<PackedModel> {
  const { name, calibration, validation, block, batch = 32, threads = 1, seed = 1, onStep } = options;
  const ratios = checkedRatios(options.ratios ?? PACK_RATIOS);
  if (validation.size === 0) {
    throw new BedsideError('E_DATA', `${validation.name}: no samples are left to measure on`, {
      hint: 'give more local samples, or fewer of them to --per-class',
    });
  }
  assertFiniteWeights(model, name);
  assertFiniteSamples(calibration);
  const { model: network, ...given } = await runnable(model, name, calibration);
  const biased = withBiases(network);
  const found = findGroups(biased);
  assertPrunable(found, name);
  const { scores, criterion, choice, remarks } = await rank(biased, options);
  const order = new Map(found.groups.map((group) => [group.id, ranked(group, scores)]));
  const { model: ordered, fixed } = reorderChannels(biased, found, order);
  const grouping = findGroups(ordered);
  const counts = grouping.groups.map((group) =>
    ratios.map((ratio) =>
      ratio === 0 ? group.channels : alignedCount(group, group.channels * (1 - ratio), block),
    ),
  );
  const groups = describeModel(ordered, grouping, counts, new Set()).groups;
  const { tables, repairs } = await repairTables(ordered, grouping, groups, {
    name,
    calibration,
    batch,
    threads,
    seed,
    maxPositions: options.maxPositions ?? 4096,
    onProgress: (done, total) => onStep?.('repairing at every level', done, total),
  });
  const tabled = new Set(tables.map(({ layer }) => layer));
  const described = describeModel(ordered, grouping, counts, tabled);
  const timed =
    options.measureSeconds === false
      ? described
      : await timeLayers(ordered, grouping, described, {
          name,
          onProgress: (done, total) => onStep?.('timing layers', done, total),
        });
  const { layers, stages } = timed;
  const draft: MeasurableBundle = {
    manifest: {
      name,
      model: described.signature,
      groups: described.groups,
      ratios,
      layers,
      stages,
      variants: [],
    },
    model: ordered,
    grouping,
    tensors: tableTensors(tables),
  };
  const measured = await measureFrontier(draft, { ...options, batch, threads, seed });
  const stored = measured.variants;
  return {
    contents: {
      model: ordered,
      tensors: new Map([...draft.tensors, ...tensorsOf(stored, 0)]),
      manifest: {
        name,
        model: { source: provenance.source, ...described.signature },
        preprocessing: provenance.preprocessing,
        ratios,
        groups: described.groups,
        layers,
        stages,
        ...(described.uncounted ? { uncounted: described.uncounted } : {}),
        ...('measured' in timed ? { measured: timed.measured } : {}),
        accuracy: measured.accuracy,
        variants: stored.map(({ variant }) => variant),
        provenance: {
          criterion,
          dataset: provenance.dataset,
          calibration: calibration.size,
          validation: validation.size,
          labelled: validation.labels !== undefined,
          seed,
          created: provenance.created,
          versions: provenance.versions,
        },
      },
    },
    criterion,
    choice,
    given,
    remarks,
    repairs,
    lowRank: stored.filter(({ correction }) => correction?.lowRank).length,
    fixed,
    frontier: frontierOf(stored.map(({ variant }) => variant)),
  };
}

/**
 * Measures one more mix of a bundle that there is, by the measure of its other ones, and adds it; a mix that it has is
 * measured anew.
 * @throws BedsideError E_LEVELS for levels that the bundle does not have; E_DATA with fewer than two calibration samples,
 * no validation samples, or without the labels that its measure needs
 */
export async function certifyLevels(
  bundle: Bundle,
  levels: readonly number[],
  options: Omit<PackOptions, 'name' | 'criterion' | 'block' | 'ratios' | 'variants'>,
): Promise<{ contents: BundleContents; variant: Variant }> {
  const { batch = 32, threads = 1, seed = 1 } = options;
  const { manifest, model, tensors } = bundle;
  checkLevels(manifest, levels);
  const meter = await VariantEvaluator.create(bundle, {
    ...options,
    name: manifest.name,
    batch,
    threads,
    seed,
    measure: manifest.accuracy.measure,
  });
  try {
    const added = await meter.measureLevels(levels);
    const known = findVariant(manifest, levels);
    const index = known ?? manifest.variants.length;
    const kept = [...tensors].filter(([tensor]) => !isOfVariant(tensor, index));
    const { format: _, version: __, model: part, weights: ___, ...rest } = manifest;
    const { source, input, output } = part;
    return {
      variant: added.variant,
      contents: {
        model,
        tensors: new Map([...kept, ...tensorsOf([added], index)]),
        manifest: {
          ...rest,
          model: { source, input, output },
          variants:
            known === undefined
              ? [...manifest.variants, added.variant]
              : manifest.variants.with(index, added.variant),
        },
      },
    };
  } finally {
    await meter.release();
  }
}

/** Measured mixes that no other beats in accuracy and multiply-accumulates, the largest first. */
export function frontierOf(variants: readonly Variant[]): Variant[] {
  const sorted = variants.toSorted((a, b) => a.macs - b.macs || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return sorted
    .filter(({ accuracy }) => {
      if (accuracy <= best) return false;
      best = accuracy;
      return true;
    })
    .reverse();
}

/** Share of the channels that is gone where `auto` compares criteria. */
export const CHOSEN_AT = 0.75;

async function rank(model: Model, options: PackOptions) {
  const { criterion, calibration, name, block, batch, threads, seed, unmerged, onStep } = options;
  const common = { name, calibration, block, batch, threads, seed, unmerged };
  if (!isAuto(criterion)) {
    const { scores, remarks } = await rankModel(model, {
      ...common,
      criterion,
      onProgress: (done, total) => onStep?.(`scoring by ${criterion.name}`, done, total),
    });
    return { scores, remarks, criterion: criterion.name, choice: undefined };
  }
  // One order serves all levels: chosen where much is gone, where orders differ the most.
  const ranking = rankAuto(model, { ...common, criterion, repaired: true, onStep });
  const { scores, choice, remarks } = await ranking.prune({
    ratio: Math.min(CHOSEN_AT, Math.max(...(options.ratios ?? PACK_RATIOS))),
  });
  return { scores, remarks, criterion: choice.criterion.name, choice };
}

function checkedRatios(ratios: readonly number[]): readonly number[] {
  const fine =
    ratios.length >= 2 &&
    ratios[0] === 0 &&
    ratios.every((ratio, i) => ratio < 1 && (i === 0 || ratio > (ratios[i - 1] as number)));
  if (fine) return ratios;
  throw new BedsideError(
    'E_USAGE',
    `ratios ${ratios.join(', ')}: expected at least two, ascending from 0, all below 1`,
    {
      hint: 'a ratio is the fraction of channels removed at a level, such as 0,0.25,0.5,0.75',
    },
  );
}

/** Mixes that only check the accuracy model, and random ones that help to make it. */
const CHECKS = 16;
const RANDOM = 16;
const COSTS: readonly CostName[] = ['macs', 'weightBytes', 'crossingBytes', 'seconds'];

/** Measures the frontier: uniform mixes and single groups first, then paths guided by what those lose. */
async function measureFrontier(
  draft: MeasurableBundle,
  options: PackOptions & EngineSettings & { readonly seed: number },
) {
  const { seed, variants = 256, onStep } = options;
  const space: LevelVectorSpace = {
    groups: draft.manifest.groups.length,
    levels: draft.manifest.ratios.length,
    costs: (levels) => totalCosts(draft.manifest, levels),
  };
  const random = new Random(seed);
  const meter = await VariantEvaluator.create(draft, options);
  const measured = new Map<string, MeasuredVariant>();
  // Levels of equal counts are the same network for what it costs: one vector of them is enough.
  const shapes = new Set<string>();
  const shapeOf = (levels: readonly number[]): string =>
    levels.map((level, group) => draft.manifest.groups[group]?.counts[level]).join();
  const total = Math.max(variants, space.levels) + CHECKS;
  let done = 0;
  const measure = async (mixes: readonly (readonly number[])[]): Promise<MeasuredVariant[]> => {
    const results: MeasuredVariant[] = [];
    for (const levels of mixes) {
      const shape = shapeOf(levels);
      if (shapes.has(shape) && !measured.has(levelsKey(levels))) continue;
      shapes.add(shape);
      const result = await meter.measureLevels(levels);
      measured.set(levelsKey(levels), result);
      results.push(result);
      onStep?.('measuring mixes of levels', Math.min(++done, total), total);
    }
    return results;
  };
  try {
    const checks = await measure(randomLevelVectors(space, CHECKS, random));
    measured.clear();
    shapes.clear();
    await measure(uniformLevels(space));
    const room = (): number => Math.max(0, variants - measured.size);
    await measure(evenlySpaced(singleGroupLevels(space), Math.floor(room() / 3)));
    await measure(randomLevelVectors(space, Math.min(RANDOM, room()), random));
    const costs = COSTS.filter(
      (cost) => cost !== 'seconds' || space.costs(new Array(space.groups).fill(0)).seconds,
    );
    // Two rounds: the second is guided by what the first found on its way.
    for (const round of [1, 2]) {
      const error = fitAdditiveModel(
        [...measured.values()].map(({ variant, error: value }) => ({ levels: variant.levels, value })),
        space.groups,
        space.levels,
      );
      const scale = (error.flat().reduce((a, b) => a + b, 0) || 1) / (space.groups * space.levels);
      const share = Math.floor(room() / (costs.length * (3 - round)));
      for (const cost of costs) {
        await measure(evenlySpaced(greedyPath(space, error, cost, round === 1 ? scale : scale / 10), share));
      }
    }
    const all = [...measured.values()];
    const unpruned = must(all[0], 'the unpruned network').variant;
    return {
      variants: all,
      accuracy: fitAccuracyModel(
        unpruned.accuracy,
        meter.measure,
        all.map(({ variant }) => variant),
        checks.map(({ variant }) => variant).filter(({ levels }) => !measured.has(levelsKey(levels))),
        space.levels,
      ),
    };
  } finally {
    await meter.release();
  }
}

/** Tensors of the corrections of variants, the first of which has the given index. */
function tensorsOf(variants: readonly MeasuredVariant[], from: number): [string, StoredTensor][] {
  return variants.flatMap(({ correction }, i) => (correction ? correctionTensors(correction, from + i) : []));
}
