// From a criterion and calibration samples to one score for each unit of each group.

import type { Grouping, KeptUnits } from '../../channels/index.ts';
import { unitMacs } from '../../channels/internal.ts';
import type { Dataset } from '../../data/index.ts';
import type { Targets } from '../../data/internal.ts';
import type { EngineOptions } from '../../engine/index.ts';
import { describeClassifier } from '../../evaluate/internal.ts';
import type { Aggregation, CalibrationSet, Criterion, LayerScores, Target } from '../../explain/index.ts';
import { type Model, modelCosts } from '../../onnx/index.ts';
import { assertFiniteWeights } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { assertFiniteSamples, firstNonFinite, Random, rowRange } from '../../util/internal.ts';
import { withStandIns } from './unexplained.ts';
import { type Normalisation, type UnitScores, unitScores } from './unit-scores.ts';

/** How channels are scored; `batch` is 32 by default, and smaller where the values of so many samples take too much memory. */
export interface ScoreModelOptions extends EngineOptions {
  /** Name of the model in error messages. */
  readonly name: string;
  /**
   * The explained class; default `label`, which falls back to the predicted class where there are no labels. A list is
   * a class prior.
   */
  readonly target?: Target | undefined;
  /** How samples are combined; default as the criterion. */
  readonly aggregation?: Aggregation | undefined;
  /** Weight of each sample; default all alike. */
  readonly weights?: Float64Array | undefined;
  /** The model before batch normalisation was merged, for criteria that read it. */
  readonly unmerged?: Model | undefined;
  /** Seed of criteria that draw numbers. The same seed gives the same scores, whatever was scored before. */
  readonly seed?: number | undefined;
  /** For a comparison alone; see `CriterionContext`. */
  readonly quick?: boolean | undefined;
  /** Called with the number of samples done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Scores the output channels of every weighted layer of a canonical model. Where relevance says nothing about a whole
 * group, as inside gates, `taylor` scores it instead; see `withStandIns`.
 * @throws BedsideError E_DATA_FIT when the model fixes a batch larger than the number of samples
 * @throws BedsideError E_MODEL for weights, E_DATA for samples, E_NOT_FINITE for scores that are NaN or infinite
 * @throws BedsideError as the criterion
 */
export async function scoreLayers(
  model: Model,
  criterion: Criterion,
  calibration: Dataset,
  options: ScoreModelOptions,
): Promise<readonly LayerScores[]> {
  const { name } = options;
  assertFiniteWeights(model, name);
  assertFiniteSamples(calibration);
  const layers = await withStandIns(
    model,
    criterion,
    await scoreBy(model, criterion, calibration, options),
    'groups',
    (other) => scoreBy(model, other, calibration, options),
  );
  for (const { layer, scores } of layers) {
    const channel = firstNonFinite(scores);
    if (channel < 0) continue;
    const what = `the score of channel ${channel} of layer '${layer}' by ${criterion.name} is ${scores[channel]}`;
    throw new BedsideError('E_NOT_FINITE', `${name}: ${what}`, {
      hint: 'the network overflows float32 on these samples; look at its weights, or choose another criterion',
    });
  }
  return layers;
}

/**
 * As `scoreLayers`, but without `taylor` in place of missing scores.
 * @throws BedsideError as the criterion
 */
export function scoreBy(
  model: Model,
  criterion: Criterion,
  calibration: Dataset,
  options: ScoreModelOptions,
): Promise<LayerScores[]> {
  const { target = 'label', threads = 1, seed = 1, name, onProgress } = options;
  return criterion.score({
    model,
    modelName: name,
    ...calibrationBatches(model, calibration, options),
    random: new Random(seed),
    target,
    threads,
    ...(options.quick ? { quick: true } : {}),
    ...(options.unmerged ? { unmerged: options.unmerged } : {}),
    ...(options.aggregation === undefined ? {} : { aggregation: options.aggregation }),
    ...(onProgress ? { onProgress } : {}),
  });
}

/** How units of different groups are compared. */
export interface UnitOptions {
  /** Whether groups are ranked together; default false. */
  readonly global?: boolean | undefined;
  /** Default `l2` where groups are ranked together (Molchanov et al., ICLR 2017), otherwise `none`. */
  readonly normalise?: Normalisation | undefined;
}

/**
 * One score for each unit of each group of a canonical model.
 * @throws BedsideError as `scoreLayers` and `unitScores`
 */
export async function scoreModel(
  model: Model,
  grouping: Grouping,
  criterion: Criterion,
  calibration: Dataset,
  options: ScoreModelOptions & UnitOptions,
): Promise<UnitScores> {
  const layers = await scoreLayers(model, criterion, calibration, options);
  return comparableScores(model, grouping, layers, options);
}

/**
 * Turns scores of layers into scores of units that can be ranked together.
 * @param keep units that an earlier pruning left; default all
 */
export function comparableScores(
  model: Model,
  grouping: Grouping,
  layers: readonly LayerScores[],
  { global = false, normalise = global ? 'l2' : 'none' }: UnitOptions,
  keep?: KeptUnits,
): UnitScores {
  const costs = normalise === 'per-mac' ? { unitMacs: unitMacs(model, grouping, keep) } : {};
  return unitScores(grouping, layers, { normalise, ...costs });
}

/** Most bytes of all values of the samples that a criterion reads at once; a backward pass keeps most of them. */
const BATCH_BYTES = 512 * 2 ** 20;

/** The samples in the form that criteria take, in whole batches where the model fixes the batch size. */
export function calibrationBatches(
  model: Model,
  dataset: Dataset,
  options: Pick<ScoreModelOptions, 'name' | 'batch' | 'weights'>,
): { readonly calibration: CalibrationSet; readonly batch: number } {
  const form = describeClassifier(model, options.name);
  const { fixedBatch } = form;
  const most = Math.max(1, Math.floor(BATCH_BYTES / Math.max(1, modelCosts(model).activationBytes)));
  const batch = fixedBatch ?? Math.min(options.batch ?? 32, most);
  const count = fixedBatch === undefined ? dataset.size : dataset.size - (dataset.size % fixedBatch);
  if (count === 0) {
    throw new BedsideError(
      'E_DATA_FIT',
      `${options.name} fixes a batch of ${batch} samples, ${dataset.name} has ${dataset.size}`,
      { hint: 'take more samples, or export the model with a free batch axis' },
    );
  }
  const { samples, labels, targets, sampleShape } = dataset;
  return {
    calibration: {
      samples: rowRange(samples, dataset.size, 0, count),
      count,
      sampleShape,
      labels: labels?.subarray(0, count),
      ...(targets ? { targets: firstTargets(targets, count) } : {}),
      ...(form.task === 'single-label' ? {} : { form }),
      ...(options.weights ? { weights: options.weights.subarray(0, count) } : {}),
    },
    batch,
  };
}

function firstTargets(targets: Targets, count: number): Targets {
  const each = targets.shape.reduce((product, size) => product * size, 1);
  return { ...targets, data: targets.data.subarray(0, count * each) };
}
