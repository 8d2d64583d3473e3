// One attribution for each sample and channel, and their aggregation into channel scores.
import type { Dataset } from '../../data/index.ts';
import {
  type Aggregation,
  type CalibrationSet,
  type Criterion,
  type CriterionContext,
  isAttribution,
  type LayerScores,
  type Target,
} from '../../explain/index.ts';
import { Aggregator, type AttributionCriterion, attribute } from '../../explain/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { CRITERIA } from '../../prune/index.ts';
import { calibrationBatches } from '../../prune/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { Network } from '../network/network.ts';

/** How an attribution pass runs. */
export interface PassSettings {
  /** The output that relevance or the gradient starts from. */
  readonly target: Target;
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One attribution for each sample and channel. */
export interface SampleScores {
  /** Weighted layers in execution order; `values` is `[samples, channels]`, signed. */
  readonly layers: readonly {
    readonly name: string;
    readonly channels: number;
    readonly values: Float32Array;
  }[];
  /** The explained class of each sample; -1 for a class mix. */
  readonly targets: BigInt64Array<ArrayBuffer>;
  readonly samples: number;
}

/**
 * Refuses criteria that do not explain single samples.
 * @param option the option that needs them
 * @throws BedsideError E_USAGE
 */
export function assertExplainsSamples(
  criterion: Criterion,
  option: string,
): asserts criterion is AttributionCriterion {
  if (isAttribution(criterion)) return;
  const able = CRITERIA.filter(isAttribution).map(({ name }) => name);
  throw new BedsideError('E_USAGE', `criterion '${criterion.name}' does not explain single samples`, {
    hint: `${option} goes with ${able.join(', ')}`,
  });
}

/**
 * Explains every sample on its own.
 * @throws BedsideError as `attribute`
 */
export async function scoreSamples(
  { canonical, name }: Network,
  criterion: AttributionCriterion,
  dataset: Dataset,
  settings: PassSettings,
): Promise<SampleScores> {
  const { calibration, batch } = calibrationBatches(canonical, dataset, {
    name,
    batch: settings.batch,
  });
  const { onProgress } = settings;
  const targets = new BigInt64Array(calibration.count);
  let layers: { name: string; channels: number; values: Float32Array }[] | undefined;
  const context = {
    ...contextOf(canonical, name, calibration, { ...settings, batch }),
    ...(onProgress ? { onProgress } : {}),
  };
  await attribute(context, criterion.spec, (result) => {
    const { first } = result;
    layers ??= result.layers.map(({ name, channels }) => ({
      name,
      channels,
      values: new Float32Array(calibration.count * channels),
    }));
    result.layers.forEach(({ values, channels }, i) => {
      must(layers?.[i], 'layers changed between batches').values.set(values, first * channels);
    });
    result.targets.forEach((target, i) => {
      targets[first + i] = BigInt(target);
    });
  });
  return { layers: layers ?? [], targets, samples: calibration.count };
}

/** Aggregates the samples into channel scores, each sample with its weight (default 1). */
export function channelScores(
  { layers, samples }: SampleScores,
  aggregation: Aggregation,
  weights: Float64Array | undefined,
): LayerScores[] {
  return layers.map(({ name, channels, values }) => {
    const sums = new Aggregator(aggregation, channels);
    for (let i = 0; i < samples; i++) {
      sums.add(values.subarray(i * channels, (i + 1) * channels), weights?.[i] ?? 1);
    }
    return { layer: name, scores: sums.finish() };
  });
}

/** The context of an attribution; `settings.batch` is the batch that the model allows. */
export function contextOf(
  model: Model,
  modelName: string,
  calibration: CalibrationSet,
  { target, batch, threads, seed }: PassSettings,
): CriterionContext {
  return { model, modelName, calibration, random: new Random(seed), target, batch, threads };
}
