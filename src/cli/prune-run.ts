// Prunes a model, writes it, and measures what was written: shared by `prune` and `demo`.
import type { Dataset } from '../data/index.ts';
import type { Criterion } from '../explain/index.ts';
import { loadModel, modelCosts, saveModel } from '../onnx/index.ts';
import {
  agreementOf,
  assertPrunable,
  evaluate,
  findGroups,
  measureSpeedup,
  scoreModel,
  selectForMacs,
  selectGlobal,
  selectUniform,
  sliceModel,
} from '../prune/index.ts';
import type { LoadedModel } from './load.ts';
import type { Progress } from './output.ts';

/** How much goes: a fraction of the channels, or what is left of the multiply-accumulates. */
export type PruneAmount = { readonly ratio: number } | { readonly macs: number };

/** What is pruned, by what, and how it runs. */
export interface PruneSettings {
  readonly criterion: Criterion;
  readonly amount: PruneAmount;
  readonly block: number;
  readonly global: boolean;
  readonly target?: 'label' | 'predicted' | undefined;
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  readonly out: string;
}

/** What was written, measured. */
export interface PruneResult {
  readonly out: string;
  readonly criterion: string;
  readonly block: number;
  readonly macs: number;
  readonly macsFraction: number;
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
  loaded: LoadedModel,
  sets: { readonly calibration: Dataset; readonly test: Dataset },
  settings: PruneSettings,
  progress: Progress,
): Promise<PruneResult> {
  const { canonical, path, model } = loaded;
  const { criterion, amount, block, global, batch, threads, out } = settings;
  const grouping = findGroups(canonical);
  assertPrunable(grouping, path);
  const scores = await scoreModel(canonical, grouping, criterion, sets.calibration, {
    ...settings,
    name: path,
    onProgress: (done, total) => progress.update(done, total, `scoring by ${criterion.name}`),
  });
  const keep =
    'ratio' in amount
      ? (global ? selectGlobal : selectUniform)(grouping, scores, { ratio: amount.ratio, block })
      : selectForMacs(canonical, grouping, scores, { macsFraction: amount.macs, block, global });
  const cut = sliceModel(canonical, grouping, keep);
  // Protobuf ends at 2 GiB.
  await saveModel(cut, out, { externalData: modelCosts(cut).parameters * 4 > 1.9e9 });

  const written = await loadModel(out);
  const costs = modelCosts(written);
  const measure = (name: string, of: typeof model, reference?: Int32Array) =>
    evaluate(of, sets.test, {
      name,
      batch,
      threads,
      reference,
      onProgress: (done, total) => progress.update(done, total, `measuring ${name}`),
    });
  const reference = sets.test.labels ? undefined : new Int32Array(sets.test.size);
  const before = await measure(path, model, reference);
  const after = await measure(out, written, before.predictions);
  const speed = await measureSpeedup({ model, name: path }, { model: written, name: out }, sets.test, {
    batch,
    threads,
  });
  return {
    out,
    criterion: criterion.name,
    block,
    macs: costs.macs,
    macsFraction: costs.macs / loaded.costs.macs,
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
    groups: grouping.groups.map(({ id, channels, layers }) => ({
      id,
      channels,
      kept: keep.get(id)?.length ?? channels,
      layers,
    })),
  };
}
