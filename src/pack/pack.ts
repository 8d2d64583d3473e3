// Packs a network: orders its channels by importance, repairs the weights of every level, and measures costs and
// variants.

import type { BundleManifest } from '../bundle/index.ts';
import type { BundleContents, ManifestParts, PrecisionChoice, Variant } from '../bundle/internal.ts';
import { assertPrunable, findGroups, type Grouping } from '../channels/index.ts';
import { reorderChannels } from '../channels/internal.ts';
import type { Dataset } from '../data/index.ts';
import type { EngineOptions } from '../engine/index.ts';
import { describeClassifier } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { assertFiniteWeights, fixedBatchOf } from '../onnx/internal.ts';
import { rankModel } from '../prune/index.ts';
import {
  type AutoChoice,
  alignedCount,
  type CriterionChoice,
  isAuto,
  rankAuto,
  ranked,
  type ScoreRemark,
} from '../prune/internal.ts';
import { type EqualisedModel, equaliseModel } from '../quantize/internal.ts';
import { repairTables, type TableRepair, tableTensors, withBiases } from '../repair/internal.ts';
import { BedsideError } from '../util/index.ts';
import { assertFiniteSamples } from '../util/internal.ts';
import { describeModel } from './describe.ts';
import { addEightBit, type EightBitParts, type NoEightBit } from './eight-bit/add.ts';
import type { EightBitOptions } from './eight-bit/measure.ts';
import { worth } from './eight-bit/worth.ts';
import { frontierOf, measureFrontier } from './frontier.ts';
import { type Runnable, runnable } from './runnable.ts';
import { bundleTask, taskedModel } from './task.ts';
import { timeLayers } from './timing/layer-timing.ts';
import { correctionTensorsOf, type MeasurableBundle } from './variant-evaluator.ts';

/** The default fractions of channels that the levels remove. */
export const PACK_RATIOS: readonly number[] = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];

/** The network to pack, the samples, and how much to measure. */
export interface PackModelOptions extends EngineOptions {
  /** Name of the bundle, also used in error messages. */
  readonly name: string;
  /** Samples that score and repair; only the criterion reads their labels. */
  readonly calibration: Dataset;
  /** Samples that measure; must share none with `calibration`. */
  readonly validation: Dataset;
  readonly criterion: CriterionChoice;
  /** Fraction of channels removed at each level, ascending from 0; default `PACK_RATIOS`. */
  readonly ratios?: readonly number[] | undefined;
  /** Channels that kept counts are aligned to; see `detectBlock`. */
  readonly block: number;
  /** About how many level vectors to measure and store; default 128, fewer (at least 30) for large networks. */
  readonly variants?: number | undefined;
  /** Whether to time layers on this machine; default true. */
  readonly measureSeconds?: boolean | undefined;
  readonly seed?: number | undefined;
  /** As for `repair`; default 4096. */
  readonly maxPositions?: number | undefined;
  /** Loss of accuracy above which a variant gets refitted recurrent layers and a low-rank correction; 1 or more for never. Default 0.005. */
  readonly lowRankFrom?: number | undefined;
  /** Whether stages get eight-bit forms too; `ifWorth`: where that gains enough here (`EightBitWorth`). Default false. */
  readonly eightBit?: boolean | 'ifWorth' | undefined;
  /** The model before batch normalisation was merged, for criteria that read it. */
  readonly unmerged?: Model | undefined;
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A packed network, ready to be written, and how it was made. */
export interface PackedModel {
  readonly contents: BundleContents;
  readonly criterion: string;
  /** Present when the criterion was `auto`. */
  readonly choice?: AutoChoice | undefined;
  readonly repairs: readonly TableRepair[];
  /** How many variants have a low-rank correction. */
  readonly lowRank: number;
  /** How many variants have refitted weights for recurrent layers. */
  readonly recurrent: number;
  /** How many variants were measured in eight bits, or why the bundle has none. */
  readonly eightBit: number | string;
  /** Layers whose inputs have equalised channels, for eight bits; the network answers as before. */
  readonly equalised: readonly string[];
  /** What the given model has and the bundle leaves out. */
  readonly given: Omit<Runnable, 'model'>;
  /** Layers that another criterion ranked, and layers whose channels tie. */
  readonly remarks: readonly ScoreRemark[];
  /** Groups whose channels could not be reordered, with the reason. */
  readonly fixed: ReadonlyMap<number, string>;
  /** The variants that no other variant beats in both accuracy and multiply-accumulates, largest first. */
  readonly frontier: readonly Variant[];
}

/** Where the bundle comes from, as the caller knows it. */
export type PackProvenance = Pick<ManifestParts, 'preprocessing' | 'contract'> & {
  readonly source: BundleManifest['model']['source'];
  /** Bits of the integers that the samples are made of, if they are. */
  readonly integers?: 8 | 16 | undefined;
  readonly dataset: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Date and time in ISO 8601. */
  readonly created: string;
};

/**
 * Packs a canonical model in the form that workers run: with its first output alone, and an open batch.
 * @throws BedsideError E_NO_CHANNELS when nothing can be pruned; E_USAGE for ratios that cannot be levels; E_DATA with
 * fewer than two calibration samples or no validation samples; E_UNSUPPORTED as `runnable`; as the criterion
 */
export async function packModel(
  model: Model,
  provenance: PackProvenance,
  options: PackModelOptions,
): Promise<PackedModel> {
  const { name, calibration, validation, batch = 32, threads = 1, seed = 1 } = options;
  const ratios = checkedRatios(options.ratios ?? PACK_RATIOS);
  if (validation.size === 0) {
    throw new BedsideError('E_DATA', `${validation.name}: no samples are left to measure on`, {
      hint: 'give more local samples, or fewer of them to --per-class',
    });
  }
  assertFiniteWeights(model, name);
  assertFiniteSamples(calibration);
  const { model: network, ...given } = await runnable(model, name, calibration);
  const sorted = await orderChannels(withBiases(network), options);
  const { grouping, fixed, ordered: _, ...ranking } = sorted;
  const { model: ordered, layers: equalised } = await equalisedFor(sorted.ordered, options);
  const described = await describeAndRepair(ordered, grouping, ratios, options);
  const { layers, stages, groups, signature, uncounted, measured: timedOn } = described;
  const task = bundleTask(describeClassifier(ordered, name), validation.classNames);
  const draft: MeasurableBundle = {
    manifest: { name, model: signature, groups, ratios, layers, stages, variants: [] },
    model: ordered,
    grouping,
    tensors: described.tensors,
  };
  const measured = await measureFrontier(draft, { ...options, batch, threads, seed });
  const stored = measured.variants;
  const { eight, precisionChoice } = await inEightBits(draft, stored, {
    ...{ ...options, batch, threads, seed },
    measure: measured.accuracy.measure,
    whole: measured.whole,
  });
  const variants = 'forms' in eight ? eight.variants : stored.map(({ variant }) => variant);
  return {
    contents: {
      model: task ? taskedModel(ordered, task.kind) : ordered,
      tensors: new Map([
        ...draft.tensors,
        ...correctionTensorsOf(stored, 0),
        ...('forms' in eight ? eight.tensors : []),
      ]),
      manifest: {
        name,
        model: { source: provenance.source, ...withIntegers(signature, provenance) },
        ...(task ? { task } : {}),
        preprocessing: provenance.preprocessing,
        ...(provenance.contract && { contract: provenance.contract }),
        ratios,
        groups,
        layers,
        stages,
        ...(uncounted ? { uncounted } : {}),
        ...(timedOn ? { measured: timedOn } : {}),
        ...('forms' in eight ? { eightBit: eight.forms } : {}),
        precisionChoice,
        accuracy: measured.accuracy,
        variants,
        provenance: {
          criterion: ranking.criterion,
          dataset: provenance.dataset,
          calibration: calibration.size,
          validation: validation.size,
          labelled: (validation.labels ?? validation.targets) !== undefined,
          seed,
          created: provenance.created,
          versions: provenance.versions,
        },
      },
    },
    ...ranking,
    given,
    equalised,
    repairs: described.repairs,
    lowRank: stored.filter(({ correction }) => correction?.lowRank).length,
    recurrent: stored.filter(({ correction }) => correction?.recurrent).length,
    eightBit: 'forms' in eight ? variants.filter(({ eightBit }) => eightBit).length : eight.left,
    fixed,
    frontier: frontierOf(variants),
  };
}

/** What the network takes and gives, with what its inputs are made of. */
function withIntegers<S extends Pick<BundleManifest['model'], 'input'>>(
  signature: S,
  { integers }: Pick<PackProvenance, 'integers'>,
): S {
  return integers === undefined ? signature : { ...signature, input: { ...signature.input, integers } };
}

/** Ranks the channels and puts those of each group in order of importance. */
async function orderChannels(biased: Model, options: PackModelOptions) {
  const found = findGroups(biased);
  assertPrunable(found, options.name);
  const { scores, ...ranking } = await rank(biased, options);
  const order = new Map(found.groups.map((group) => [group.id, ranked(group, scores)]));
  const { model: ordered, fixed } = reorderChannels(biased, found, order);
  return { ordered, grouping: findGroups(ordered), fixed, ...ranking };
}

/** Repairs the ordered network at every level, describes it, and times its layers unless the options say not to. */
async function describeAndRepair(
  ordered: Model,
  grouping: Grouping,
  ratios: readonly number[],
  { name, calibration, block, batch = 32, threads = 1, seed = 1, onStep, ...options }: PackModelOptions,
) {
  const counts = grouping.groups.map((group) =>
    ratios.map((ratio) =>
      ratio === 0 ? group.channels : alignedCount(group, group.channels * (1 - ratio), block),
    ),
  );
  const { groups } = describeModel(ordered, grouping, counts, new Set());
  const { tables, repairs } = await repairTables(ordered, grouping, groups, {
    name,
    calibration,
    batch,
    threads,
    seed,
    maxPositions: options.maxPositions ?? 4096,
    onProgress: (done, total) => onStep?.('repairing at every level', done, total),
  });
  const described = describeModel(ordered, grouping, counts, new Set(tables.map(({ layer }) => layer)));
  const timed =
    options.measureSeconds === false
      ? undefined
      : await timeLayers(ordered, grouping, described, {
          name,
          onProgress: (done, total) => onStep?.('timing layers', done, total),
        });
  return { ...described, measured: undefined, ...timed, tensors: tableTensors(tables), repairs };
}

/** The network that is packed: with equalised channels where eight bits may be used and gain by it. */
async function equalisedFor(model: Model, options: PackModelOptions): Promise<EqualisedModel> {
  const { eightBit = false, measureSeconds, calibration, name, batch = 32, threads = 1, seed = 1 } = options;
  const wanted = eightBit === 'ifWorth' ? measureSeconds !== false : eightBit;
  // A network that fixes its batch keeps its numbers: held-out samples need not fill it.
  if (!wanted || fixedBatchOf(model) !== undefined) return { model, layers: [] };
  return await equaliseModel(model, calibration, { name, batch, threads, seed });
}

/** Eight-bit forms, as the options say, and why there are some or none. */
async function inEightBits(
  draft: Parameters<typeof addEightBit>[0],
  stored: Parameters<typeof addEightBit>[1],
  {
    eightBit = false,
    measureSeconds,
    ...options
  }: EightBitOptions & Pick<PackModelOptions, 'eightBit' | 'measureSeconds'>,
): Promise<{ eight: EightBitParts | NoEightBit; precisionChoice: PrecisionChoice }> {
  const ifWorth = eightBit === 'ifWorth';
  const by = ifWorth ? 'measurement' : 'request';
  const untried = ifWorth ? 'nothing was to be timed, so no gain is known' : 'float32 alone was asked for';
  const tried = ifWorth ? measureSeconds !== false : eightBit;
  const eight = tried ? await addEightBit(draft, stored, { ...options, ifWorth }) : { left: untried };
  const added = eight.worth ? worth(eight.worth) : 'float32 and int8 were asked for';
  return {
    eight,
    precisionChoice: { by, reason: 'forms' in eight ? added : eight.left, ...eight.worth },
  };
}

/** Fraction of channels removed when `auto` compares criteria. */
export const CHOSEN_AT = 0.75;

async function rank(model: Model, options: PackModelOptions) {
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
  // One order serves all levels. It is chosen at a high ratio, where orders differ most.
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
