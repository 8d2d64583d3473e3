// Prunes a network, repairs it, writes it, and measures the unpruned and the pruned one.
import { findGroups } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import { withEngineShapes } from '../../engine/index.ts';
import { type Evaluation, type Measures, measureSpeedup, type Speed } from '../../evaluate/index.ts';
import { agreement, evaluateModel, mainMeasure } from '../../evaluate/internal.ts';
import { loadModel, type Model, modelCosts } from '../../onnx/index.ts';
import { formOf, type ModelCosts, restoredModel, type Uncounted } from '../../onnx/internal.ts';
import { type PrunedModel, pruneModel } from '../../prune/index.ts';
import {
  type AutoChoice,
  isAuto,
  protectedGroups,
  rankAuto,
  reachingBlock,
  type ScoreRemark,
  usualBlock,
} from '../../prune/internal.ts';
import { repair } from '../../repair/index.ts';
import { type LayerRepair, REPAIR_DEFAULTS } from '../../repair/internal.ts';
import { describeUncounted } from '../../report/index.ts';
import { assertWritable, hasClasses, type MeasureName, type TaskKind } from '../../util/index.ts';
import { fileForm, inOneForm, saveNetwork } from '../network/form.ts';
import type { Network, NetworkSource } from '../network/network.ts';
import { networkForData } from '../network/task.ts';
import { assertOther } from '../output-file.ts';
import { type PrunedInt8, prunedInInt8, prunedInt8Fields } from '../quantize/pruned-int8.ts';
import { AUTO, criterionOf, rankingOf, unrepairedNote } from '../ranking.ts';
import { type Journal, journalOf, type Progress, type Reporter, type Said } from '../reporter.ts';
import { assertPriorApplies, priorWeighting } from '../samples/class-prior.ts';
import { loadTwoSets, type TwoSets } from '../samples/samples.ts';
import { amountOf, type CutOptions, type PruneOptions } from './options.ts';

/** The criterion that `auto` chose, and why. */
export interface AutoResult extends Omit<AutoChoice, 'criterion'> {
  readonly picked: string;
}

/** The smaller network, measured beside the one it was cut from. */
export interface PruneResult extends Said {
  /** The file that was written; absent if none was asked for. */
  readonly out?: string;
  readonly criterion: string;
  /** Present when the criterion was `auto`. */
  readonly auto?: AutoResult;
  readonly block: number;
  readonly reconstruct: boolean;
  /** How well each layer that reads pruned channels was repaired; absent without a repair. */
  readonly repairs?: readonly LayerRepair[];
  readonly macs: number;
  readonly macsFraction: number;
  /** Nodes whose multiply-accumulates are not known and count as 0, before and after. */
  readonly uncounted: readonly Uncounted[];
  readonly parameters: number;
  readonly parametersFraction: number;
  readonly task: TaskKind;
  /** The name of the main measure; `agreement` where there are no labels. */
  readonly measure: MeasureName;
  /** The measures of the task by name, the main one first (docs/tasks.md), of the unpruned network and of the pruned. */
  readonly measureBefore: Measures;
  readonly measureAfter: Measures;
  /** Of tasks without classes the main measure, as the three that follow. */
  readonly accuracyBefore: number;
  readonly accuracyAfter: number;
  readonly balancedAccuracyBefore: number;
  readonly balancedAccuracyAfter: number;
  /** Agreement with the unpruned network: of classes, the share of samples whose class did not change (docs/tasks.md). */
  readonly agreement: number;
  readonly n: number;
  /** Measured time of the unpruned network over that of the pruned one. NaN, as the times, where they were not measured. */
  readonly speedup: number;
  readonly msPerSampleBefore: number;
  readonly msPerSampleAfter: number;
  /** Why times were not measured; absent where they were. */
  readonly speedNotMeasured?: string;
  /** Layers that another criterion ranked, and ties; absent where there are none. */
  readonly scoreRemarks?: readonly ScoreRemark[];
  readonly groups: readonly {
    readonly id: number;
    readonly channels: number;
    readonly kept: number;
    readonly layers: readonly string[];
  }[];
  /** With `int8`: what of the smaller network has eight bits, its bytes, and times one sample at a time too. */
  readonly int8?: PrunedInt8;
  /** Whether accuracies are of labels; otherwise they are agreement with the unpruned network. */
  readonly labelled: boolean;
  /** The smaller network; if it was written, as read back from the file. */
  readonly model: Model;
}

/**
 * Scores the channels on samples of the local split, removes the lowest, repairs what reads them, and measures both networks
 * on the test split. With `out`, the smaller network is written, and the file is measured.
 * @throws BedsideError E_NO_CHANNELS; E_USAGE for an amount that cannot be met, or an `out` that is the network itself;
 *   E_OUTPUT; as `networkOf` and `loadTwoSets`
 */
export async function prune(
  network: NetworkSource,
  options: PruneOptions,
  reporter?: Reporter | Journal,
): Promise<PruneResult> {
  const journal = journalOf(reporter);
  const { out, macs, seed = 1 } = options;
  amountOf(options);
  if (out !== undefined) {
    await assertOther(typeof network === 'string' ? network : network.name, out);
    await assertWritable(out);
  }
  const loaded = await networkForData(network, options.data, options, journal);
  if (options.classPrior) assertPriorApplies(loaded.classifier, loaded.name);
  if (macs !== undefined) {
    for (const line of describeUncounted(loaded.costs.uncounted)) journal.note(`--macs ${macs}: ${line}`);
  }
  const sets = await loadTwoSets(loaded.classifier, options, seed, journal);
  journal.note(`scoring on ${sets.calibration.size} samples, measuring on ${sets.test.size}`);
  return await pruneDrawn(loaded, sets, options, journal);
}

/**
 * As `prune`, on samples that there are.
 * @throws BedsideError E_NO_CHANNELS; E_USAGE for an amount that cannot be met; E_OUTPUT
 */
export async function pruneDrawn(
  network: Network,
  sets: TwoSets,
  options: CutOptions,
  journal: Journal,
): Promise<PruneResult> {
  const block = options.block ?? blockFor(network, options, journal);
  const unrepaired = unrepairedNote([criterionOf(options.criterion ?? AUTO)], options.repair !== false);
  if (unrepaired !== undefined) journal.note(unrepaired);
  const result = await journal.during('pruning', async (progress) => {
    const cut = await cutAndRepair(network, sets, { ...options, block }, progress);
    for (const line of [...closedFormAlone(cut.repairs ?? []), ...fewerCopies(cut)]) journal.remark(line);
    const int8 = options.int8
      ? await prunedInInt8(network, cut, sets, options, { journal, progress })
      : undefined;
    const { model, remarks } = await written(int8?.model ?? cut.model, network, options.out);
    for (const remark of remarks) journal.remark(remark);
    const measured = await measureBoth(network, model, sets, options, progress);
    // Of integers and half numbers costs are not known.
    const costs = modelCosts(int8 || formOf(cut.model)?.numbers ? cut.model : model);
    const found = resultOf(network, { ...cut, costs }, measured, { ...options, block });
    const more = int8 && (await prunedInt8Fields(network, model, int8.facts, sets, options, journal));
    return { ...found, ...(more ? { int8: more } : {}), model: restoredModel(model) };
  });
  if (result.groups.every(({ channels, kept }) => channels === kept)) {
    journal.note(
      `nothing was removed: with blocks of ${block} the nearest counts are the whole groups (see --block)`,
    );
  }
  return { ...result, labelled: isLabelled(network, sets.test), ...journal.said() };
}

/** The usual block of the network, or the largest part of it with which the budget can be met, which is remarked. */
function blockFor({ canonical }: Network, { macs, protect = [] }: CutOptions, journal: Journal): number {
  const grouping = findGroups(canonical);
  const usual = usualBlock(canonical, grouping);
  if (macs === undefined) return usual;
  const block = reachingBlock(
    canonical,
    grouping,
    macs,
    usual,
    protectedGroups(canonical, grouping, protect),
  );
  if (block !== usual) {
    journal.remark(
      `blocks of ${usual} channels, the default here, cannot reach ${macs} of the MACs: ` +
        `channels are cut in blocks of ${block}`,
    );
  }
  return block;
}

/** Whether samples have what the task is measured by. */
function isLabelled({ classifier }: Network, { labels, targets }: Dataset): boolean {
  return (hasClasses(classifier.task) ? labels : targets) !== undefined;
}

type Cut = PrunedModel & {
  readonly choice?: AutoChoice;
  readonly repairs?: readonly LayerRepair[];
  readonly copies?: number;
};

async function cutAndRepair(
  network: Network,
  sets: TwoSets,
  options: CutOptions & { readonly block: number },
  progress: Progress,
): Promise<Cut> {
  const cut = await cutNetwork(network, sets, options, progress);
  if (options.repair === false) return cut;
  const { batch, threads, seed, maxPositions } = options;
  const repaired = await repair(network.canonical, cut.model, cut.grouping, cut.keep, {
    batch,
    threads,
    seed,
    maxPositions,
    name: network.name,
    calibration: sets.calibration,
    onProgress: (done, total) => progress.update(done, total, 'repairing layers'),
  });
  return { ...cut, model: repaired.model, repairs: repaired.layers, copies: repaired.copies };
}

/** Of a network so large that fewer samples than usual were made of the given ones. */
function fewerCopies({ copies = REPAIR_DEFAULTS.copies }: Cut): string[] {
  const usual = REPAIR_DEFAULTS.copies;
  if (copies >= usual) return [];
  const made = copies === 1 ? 'no samples are' : `${copies} times as many samples are`;
  return [
    `a pass over this network takes long, so ${made} made to repair it, instead of ${usual} times as many`,
  ];
}

/** Recurrent layers that could not be refitted through time. */
function closedFormAlone(repairs: readonly LayerRepair[]): string[] {
  return repairs.flatMap(({ layer, throughTime }) =>
    throughTime && !throughTime.refit
      ? [`recurrent layer '${layer}' is repaired in closed form alone: ${throughTime.reason}`]
      : [],
  );
}

/** The model as it is in its file, in the form that is measured; without one, as it would be. */
async function written(
  model: Model,
  { classifier, name }: Network,
  out: string | undefined,
): Promise<{ readonly model: Model; readonly remarks: readonly string[] }> {
  if (out === undefined) {
    const { model: file, remarks } = await fileForm(model, name);
    return { model: file === model ? model : inOneForm(file, name, classifier.output), remarks };
  }
  const remarks = await saveNetwork(model, out);
  const read = inOneForm(await loadModel(out), out, classifier.output);
  return { model: await withEngineShapes(read, out), remarks };
}

interface Measured {
  readonly before: Evaluation;
  readonly after: Evaluation;
  readonly test: Dataset;
  /** Undefined where it was not asked for. */
  readonly speed: Speed | undefined;
}

async function measureBoth(
  { name, original }: Network,
  model: Model,
  { test, shares }: TwoSets,
  { out = `${name}, pruned`, batch, threads, speed: timed = true }: CutOptions,
  progress: Progress,
): Promise<Measured> {
  const measure = (called: string, of: Model, reference: Float32Array | 'own') =>
    evaluateModel(of, test, {
      name: called,
      batch,
      threads,
      reference,
      classPrior: shares,
      onProgress: (done, total) => progress.update(done, total, `measuring ${called}`),
    });
  // Without labels the unpruned network is its own reference.
  const before = await measure(name, original, 'own');
  const after = await measure(out, model, before.logits);
  const both = [
    { model: original, name },
    { model, name: out },
  ] as const;
  const speed = timed ? await measureSpeedup(...both, test, { batch, threads }) : undefined;
  return { before, after, test, speed };
}

function resultOf(
  { costs: whole, classifier }: Network,
  { costs, keep, grouping, choice, remarks, repairs }: Cut & { readonly costs: ModelCosts },
  { before, after, test, speed }: Measured,
  { out, criterion = AUTO, block, repair: repaired = true }: CutOptions & { readonly block: number },
): Omit<PruneResult, keyof Said | 'labelled' | 'model'> {
  return {
    ...(out === undefined ? {} : { out }),
    criterion: criterionOf(criterion).name,
    ...(choice ? { auto: autoResult(choice) } : {}),
    block,
    reconstruct: repaired,
    ...(repairs ? { repairs } : {}),
    macs: costs.macs,
    macsFraction: costs.macs / whole.macs,
    uncounted: costs.uncounted,
    parameters: costs.parameters,
    parametersFraction: costs.parameters / whole.parameters,
    task: classifier.task,
    measure: mainMeasure(before.measures).name,
    measureBefore: before.measures,
    measureAfter: after.measures,
    // Without labels the unpruned network agrees with itself.
    accuracyBefore: 'agreement' in before.measures ? 1 : before.accuracy,
    accuracyAfter: after.accuracy,
    balancedAccuracyBefore: 'agreement' in before.measures ? 1 : before.balancedAccuracy,
    balancedAccuracyAfter: after.balancedAccuracy,
    agreement: agreement(classifier, before.logits, after.logits),
    n: test.size,
    speedup: speed?.speedup ?? Number.NaN,
    msPerSampleBefore: speed?.before ?? Number.NaN,
    msPerSampleAfter: speed?.after ?? Number.NaN,
    ...(speed ? {} : { speedNotMeasured: 'not asked for' }),
    ...(remarks.length > 0 ? { scoreRemarks: remarks } : {}),
    groups: grouping.groups.map(({ id, channels, layers }) => ({
      id,
      channels,
      kept: keep.get(id)?.length ?? channels,
      layers,
    })),
  };
}

/** The smaller model, and what `auto` chose if it was asked to. */
async function cutNetwork(
  { canonical, unmerged, name }: Network,
  { calibration, shares }: TwoSets,
  options: CutOptions & { readonly block: number },
  progress: Progress,
): Promise<Cut> {
  const { block, batch, threads, seed } = options;
  const amount = amountOf(options);
  const criterion = criterionOf(options.criterion ?? AUTO);
  const common = {
    ...rankingOf(options),
    ...priorWeighting(calibration, shares, options.target),
    name,
    calibration,
    unmerged,
    block,
    batch,
    threads,
    seed,
  };
  if (isAuto(criterion)) {
    return await rankAuto(canonical, {
      ...common,
      criterion,
      classPrior: shares,
      repaired: options.repair !== false,
      onStep: (step, done, total) => progress.update(done, total, step),
    }).prune(amount);
  }
  return await pruneModel(canonical, {
    ...common,
    ...amount,
    criterion,
    onProgress: (done, total) => progress.update(done, total, `scoring by ${criterion.name}`),
  });
}

function autoResult({ criterion, ...rest }: AutoChoice): AutoResult {
  return { picked: criterion.name, ...rest };
}
