// Prunes a model, writes it, and measures what was written: shared by `prune` and `demo`.

import {
  type Network,
  priorWeighting,
  type rankingOf,
  type TargetOption,
  type TwoSets,
} from '../app/index.ts';
import { withEngineShapes } from '../engine/index.ts';
import { agreementOf, evaluate, measureSpeedup } from '../evaluate/index.ts';
import { loadModel, modelCosts, saveModel, type Uncounted } from '../onnx/index.ts';
import {
  type AutoChoice,
  type CriterionChoice,
  isAuto,
  type PruneAmount,
  type PrunedModel,
  pruneModel,
  rankAuto,
  type ScoreRemark,
} from '../prune/index.ts';
import { type LayerRepair, repair } from '../repair/index.ts';
import type { Progress } from './terminal/output.ts';

/** What is pruned, by what, and how it runs. */
export interface PruneSettings {
  readonly criterion: CriterionChoice;
  readonly amount: PruneAmount;
  readonly block: number;
  /** Repair the kept weights from the calibration samples. */
  readonly reconstruct: boolean;
  readonly maxPositions?: number | undefined;
  readonly target?: TargetOption | undefined;
  readonly ranking?: ReturnType<typeof rankingOf> | undefined;
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  readonly out: string;
}

/** What `auto` took, and why. */
export interface AutoResult extends Omit<AutoChoice, 'criterion'> {
  readonly picked: string;
}

/** What was written, measured. */
export interface PruneResult {
  readonly out: string;
  readonly criterion: string;
  /** Present when the criterion was `auto`. */
  readonly auto?: AutoResult;
  readonly block: number;
  readonly reconstruct: boolean;
  /** What the repair did to each layer that reads what was pruned; absent without it. */
  readonly repairs?: readonly LayerRepair[];
  readonly macs: number;
  readonly macsFraction: number;
  /** Nodes whose multiply-accumulates are not known and count as 0, before and after. */
  readonly uncounted: readonly Uncounted[];
  readonly parameters: number;
  readonly parametersFraction: number;
  readonly accuracyBefore: number;
  readonly accuracyAfter: number;
  readonly balancedAccuracyBefore: number;
  readonly balancedAccuracyAfter: number;
  /** Share of samples whose predicted class did not change. */
  readonly agreement: number;
  readonly n: number;
  /** Measured: time of the model as it was over time of the model written. */
  readonly speedup: number;
  readonly msPerSampleBefore: number;
  readonly msPerSampleAfter: number;
  /** Layers that another criterion ranked, and ties; absent where there are none. */
  readonly scoreRemarks?: readonly ScoreRemark[];
  readonly groups: readonly {
    readonly id: number;
    readonly channels: number;
    readonly kept: number;
    readonly layers: readonly string[];
  }[];
}

/**
 * Scores, cuts, writes, reads back, and measures before and after on the test samples.
 * @throws BedsideError E_NO_CHANNELS, E_USAGE for an amount that cannot be met, E_OUTPUT
 */
export async function pruneAndMeasure(
  loaded: Network,
  sets: TwoSets,
  settings: PruneSettings,
  progress: Progress,
): Promise<PruneResult> {
  const { name, original } = loaded;
  const { criterion, block, batch, threads, out } = settings;
  const { model: pruned, keep, grouping, choice, remarks } = await prune(loaded, sets, settings, progress);
  const repaired = settings.reconstruct
    ? await repair(loaded.canonical, pruned, grouping, keep, {
        name,
        calibration: sets.calibration,
        batch,
        threads,
        seed: settings.seed,
        maxPositions: settings.maxPositions,
        onProgress: (done, total) => progress.update(done, total, 'repairing layers'),
      })
    : undefined;
  const cut = repaired?.model ?? pruned;
  // Protobuf ends at 2 GiB.
  await saveModel(cut, out, { externalData: modelCosts(cut).parameters * 4 > 1.9e9 });

  const written = await withEngineShapes(await loadModel(out), out);
  const costs = modelCosts(written);
  const measure = (name: string, of: typeof original, reference?: Int32Array) =>
    evaluate(of, sets.test, {
      name,
      batch,
      threads,
      reference,
      classPrior: sets.shares,
      onProgress: (done, total) => progress.update(done, total, `measuring ${name}`),
    });
  const reference = sets.test.labels ? undefined : new Int32Array(sets.test.size);
  const before = await measure(name, original, reference);
  const after = await measure(out, written, before.predictions);
  const speed = await measureSpeedup({ model: original, name }, { model: written, name: out }, sets.test, {
    batch,
    threads,
  });
  return {
    out,
    criterion: criterion.name,
    ...(choice ? { auto: autoResult(choice) } : {}),
    block,
    reconstruct: settings.reconstruct,
    ...(repaired ? { repairs: repaired.layers } : {}),
    macs: costs.macs,
    macsFraction: costs.macs / loaded.costs.macs,
    uncounted: costs.uncounted,
    parameters: costs.parameters,
    parametersFraction: costs.parameters / loaded.costs.parameters,
    // Without labels the unpruned network is its own reference.
    accuracyBefore: reference ? 1 : before.accuracy,
    accuracyAfter: after.accuracy,
    balancedAccuracyBefore: reference ? 1 : before.balancedAccuracy,
    balancedAccuracyAfter: after.balancedAccuracy,
    agreement: agreementOf(before.predictions, after.predictions),
    n: sets.test.size,
    speedup: speed.speedup,
    msPerSampleBefore: speed.before,
    msPerSampleAfter: speed.after,
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
async function prune(
  { canonical, unmerged, name }: Network,
  { calibration, shares }: TwoSets,
  settings: PruneSettings,
  progress: Progress,
): Promise<PrunedModel & { readonly choice?: AutoChoice }> {
  const { criterion, amount, ranking, block, batch, threads, seed } = settings;
  const common = {
    ...ranking,
    ...priorWeighting(calibration, shares, settings.target),
    name,
    calibration,
    unmerged,
    block,
    batch,
    threads,
    seed,
  };
  if (isAuto(criterion)) {
    return rankAuto(canonical, {
      ...common,
      criterion,
      classPrior: shares,
      repaired: settings.reconstruct,
      onStep: (step, done, total) => progress.update(done, total, step),
    }).prune(amount);
  }
  return pruneModel(canonical, {
    ...common,
    ...amount,
    criterion,
    onProgress: (done, total) => progress.update(done, total, `scoring by ${criterion.name}`),
  });
}

function autoResult({ criterion, ...rest }: AutoChoice): AutoResult {
  return { picked: criterion.name, ...rest };
}
