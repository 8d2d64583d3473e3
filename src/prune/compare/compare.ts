// Compares criteria: each prunes the same network to the same sizes, without retraining, and the results are measured.

import { assertPrunable, findGroups, type KeptUnits } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import type { Evaluation } from '../../evaluate/index.ts';
import { agreement, describeClassifier, evaluateModel } from '../../evaluate/internal.ts';
import type { Criterion, Target } from '../../explain/index.ts';
import { type Model, modelCosts } from '../../onnx/index.ts';
import type { Uncounted } from '../../onnx/internal.ts';
import { repair } from '../../repair/index.ts';
import { must } from '../../util/index.ts';
import { rankAuto } from '../auto/auto.ts';
import { type CriterionChoice, isAuto } from '../auto/criterion-choice.ts';
import { type PrunedModel, type RankOptions, rankModel } from '../prune-model.ts';
import type { ScoreRemark } from '../score/unexplained.ts';
import { type CalibrationDrawName, type CompareRow, mergeRows } from './compare-rows.ts';

/** One draw of samples for scoring. */
export interface CalibrationDraw {
  /** Name of the draw; rows with different names stay apart. Default none. */
  readonly mix?: CalibrationDrawName | undefined;
  readonly calibration: Dataset;
  /** How much each sample counts; default all alike. */
  readonly weights?: Float64Array | undefined;
  /** Default as in `CompareCriteriaOptions`. */
  readonly target?: Target | undefined;
  readonly seed?: number | undefined;
}

/** The criteria, sizes and samples of a comparison. Ranking is as in `rankModel`. */
export interface CompareCriteriaOptions
  extends Partial<Omit<RankOptions, 'name' | 'criterion' | 'onProgress'>> {
  /** Name of the model in error messages. */
  readonly name: string;
  /** `auto` chooses one criterion for each ratio; see `chooseCriterion`. */
  readonly criteria: readonly CriterionChoice[];
  /** Fractions of channels removed, each in [0, 1). */
  readonly ratios: readonly number[];
  /** Samples that the criteria read. */
  readonly calibration: Dataset;
  /**
   * Several draws of samples, instead of `calibration`. Draws of one name make one row, with mean and standard
   * deviation.
   */
  readonly draws?: readonly CalibrationDraw[] | undefined;
  /** Samples that measure the pruned networks. Without labels, accuracy is agreement with the unpruned network. */
  readonly test: Dataset;
  /** The shares of the classes that accuracy is wanted for; default as the samples are. */
  readonly classPrior?: ArrayLike<number> | undefined;
  /** Channels that counts are aligned to; default 1, so that criteria are compared at equal counts. */
  readonly block?: number;
  /** Whether to repair every pruned network with the calibration samples before it is measured; default false. */
  readonly repair?: boolean | undefined;
  /** What becomes of every pruned network before it is measured, such as its form in eight bits; default nothing. */
  readonly finish?: ((pruned: FinishedNetwork) => Promise<Model>) | undefined;
  /** Called before each step, and with how far the step is. */
  readonly onProgress?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A pruned network, repaired if that was asked for, with what it was pruned by. */
export interface FinishedNetwork extends Pick<PrunedModel, 'model' | 'grouping' | 'keep'> {
  readonly calibration: Dataset;
  readonly seed: number | undefined;
  readonly step: string;
}

/** A finished comparison. */
export interface CriteriaComparison {
  readonly base: Evaluation & {
    readonly macs: number;
    /** Nodes whose multiply-accumulates are not known and count as 0, in every row too. */
    readonly uncounted: readonly Uncounted[];
    readonly parameters: number;
  };
  /** In the order of the criteria, then of the draws, then by ascending ratio. */
  readonly rows: readonly CompareRow[];
  /** Seconds of scoring for each criterion, as the mean over draws. For `auto`, the choice is included. */
  readonly seconds: Readonly<Record<string, number>>;
  /** For each criterion, layers that another criterion ranked, and layers whose channels tie; of the first draw. */
  readonly remarks: Readonly<Record<string, readonly ScoreRemark[]>>;
}

/**
 * Scores a canonical model once for each criterion and draw, and measures it at every ratio. Only one engine session
 * exists at a time.
 * @throws BedsideError E_NO_CHANNELS when nothing can be pruned; as the criteria, `evaluate` and `rankModel`
 */
export async function compareCriteria(
  model: Model,
  options: CompareCriteriaOptions,
): Promise<CriteriaComparison> {
  assertPrunable(findGroups(model), options.name);
  const { calibration, weights, seed } = options;
  const draws = options.draws ?? [{ calibration, weights, seed }];
  const study = await Study.open(model, options);
  const rows: CompareRow[] = [];
  const seconds: Record<string, number> = {};
  const remarks: Record<string, readonly ScoreRemark[]> = {};
  for (const criterion of options.criteria) {
    const found = await study.measureCriterion(criterion, draws);
    rows.push(...mergeRows(found.rows));
    seconds[criterion.name] = found.milliseconds / 1000 / draws.length;
    if (found.remarks) remarks[criterion.name] = found.remarks;
  }
  return { base: study.base, rows, seconds, remarks };
}

/** The measurements of one pruned network. */
type Measured = Omit<CompareRow, 'criterion' | 'family' | 'ratio' | 'mix' | 'picked'>;

/** Measures pruned networks of one model; equal networks are measured once. */
class Study {
  readonly base: CriteriaComparison['base'];
  readonly #model: Model;
  readonly #options: CompareCriteriaOptions;
  readonly #measured = new Map<string, Measured>();

  private constructor(model: Model, options: CompareCriteriaOptions, base: CriteriaComparison['base']) {
    this.#model = model;
    this.#options = options;
    this.base = base;
  }

  /** Measures the unpruned network. */
  static async open(model: Model, options: CompareCriteriaOptions): Promise<Study> {
    const costs = modelCosts(model);
    // Without labels the unpruned network is its own reference.
    const first = await measure(model, options, 'unpruned', 'own');
    const { macs, parameters, uncounted } = costs;
    return new Study(model, options, { ...first, macs, parameters, uncounted });
  }

  /**
   * One row for each draw and ratio, the milliseconds that scoring took over all draws, and the remarks of the first
   * draw.
   */
  async measureCriterion(
    criterion: CriterionChoice,
    draws: readonly CalibrationDraw[],
  ): Promise<{ rows: CompareRow[]; milliseconds: number; remarks: readonly ScoreRemark[] | undefined }> {
    const ratios = this.#options.ratios.toSorted((a, b) => a - b);
    const { name } = criterion;
    const rows: CompareRow[] = [];
    let milliseconds = 0;
    let remarks: readonly ScoreRemark[] | undefined;
    for (const [index, draw] of draws.entries()) {
      const which = [draw.mix, draws.length > 1 && `draw ${index + 1} of ${draws.length}`].filter(Boolean);
      const label = which.length > 0 ? `${name} (${which.join(', ')})` : name;
      const start = performance.now();
      const prune = await opened(this.#model, this.#options, criterion, draw, label);
      milliseconds += performance.now() - start;
      for (const ratio of ratios) {
        const begun = performance.now();
        const pruned = await prune(ratio);
        if (pruned.remarks.length > 0) remarks ??= pruned.remarks;
        if (isAuto(criterion)) milliseconds += performance.now() - begun;
        const numbers = await this.#measure(pruned, draw, index, `${label} at ${ratio}`);
        const { family } = isAuto(criterion) ? must(pruned.picked, 'a choice of auto') : criterion;
        rows.push({
          criterion: name,
          family,
          ratio,
          ...numbers,
          ...(draw.mix === undefined ? {} : { mix: draw.mix }),
          ...(pruned.picked ? { picked: pruned.picked.name } : {}),
        });
      }
    }
    return { rows, milliseconds, remarks };
  }

  async #measure(pruned: PrunedModel, draw: CalibrationDraw, index: number, step: string): Promise<Measured> {
    const options = this.#options;
    const { model: cut, grouping, keep } = pruned;
    // Criteria that read no samples choose the same network in every draw, but its repair differs.
    const key = options.repair || options.finish ? `${index}:${keepKey(keep)}` : keepKey(keep);
    const known = this.#measured.get(key);
    if (known) return known;
    const repaired = options.repair
      ? await repair(this.#model, cut, grouping, keep, {
          name: options.name,
          calibration: draw.calibration,
          threads: options.threads,
          seed: draw.seed ?? options.seed,
          // A table has many networks; prune alone takes the time for recurrent layers.
          throughTime: false,
          onProgress: (done, total) => options.onProgress?.(`${step}: repairing`, done, total),
        })
      : undefined;
    const seed = draw.seed ?? options.seed;
    const small = {
      model: repaired?.model ?? cut,
      grouping,
      keep,
      calibration: draw.calibration,
      seed,
      step,
    };
    const finished = (await options.finish?.(small)) ?? small.model;
    const result = await measure(finished, options, step, this.base.logits);
    const { macs } = modelCosts(cut);
    const numbers: Measured = {
      reconstruct: options.repair ?? false,
      measures: result.measures,
      accuracy: result.accuracy,
      balancedAccuracy: result.balancedAccuracy,
      recall: result.recall,
      agreement: agreement(describeClassifier(cut, options.name), this.base.logits, result.logits),
      macs,
      macsFraction: macs / this.base.macs,
    };
    this.#measured.set(key, numbers);
    return numbers;
  }
}

function measure(
  network: Model,
  { name, test, batch, threads, classPrior, onProgress }: CompareCriteriaOptions,
  step: string,
  reference: Float32Array | 'own',
): Promise<Evaluation> {
  return evaluateModel(network, test, {
    name,
    batch,
    threads,
    reference,
    classPrior,
    onProgress: (done, total) => onProgress?.(step, done, total),
  });
}

type Pruner = (ratio: number) => Promise<PrunedModel & { readonly picked?: Criterion }>;

/** Scores by the criterion on the draw; the returned function then prunes to a ratio. */
async function opened(
  model: Model,
  options: CompareCriteriaOptions,
  criterion: CriterionChoice,
  draw: CalibrationDraw,
  label: string,
): Promise<Pruner> {
  const { block = 1, onProgress, draws: _, classPrior, ...rest } = options;
  const { calibration, weights } = draw;
  const target = draw.target ?? options.target;
  const common = { ...rest, block, calibration, weights, target, seed: draw.seed ?? options.seed };
  if (isAuto(criterion)) {
    const ranking = rankAuto(model, {
      ...common,
      criterion,
      classPrior,
      onStep: (step, done, total) => onProgress?.(`${label}: ${step}`, done, total),
    });
    return async (ratio) => {
      const pruned = await ranking.prune({ ratio });
      return { ...pruned, picked: pruned.choice.criterion };
    };
  }
  const ranking = await rankModel(model, {
    ...common,
    criterion,
    onProgress: (done, total) => onProgress?.(`${label}: scoring`, done, total),
  });
  return (ratio) => ranking.prune({ ratio });
}

function keepKey(keep: KeptUnits): string {
  return [...keep].map(([group, units]) => `${group}:${units.join()}`).join(';');
}
