// What `explain` measures beside the scores: one attribution a sample, and the time of a pass against a forward run.

import type { Network } from '../app/index.ts';
import type { Dataset } from '../data/index.ts';
import { createSession } from '../engine/index.ts';
import { batchFeeds } from '../evaluate/index.ts';
import {
  type Aggregation,
  Aggregator,
  type AttributionCriterion,
  Attributor,
  attribute,
  type CalibrationSet,
  type CriterionContext,
  type LayerScores,
  type Target,
} from '../explain/index.ts';
import type { Model } from '../onnx/index.ts';
import { calibrationBatches } from '../prune/index.ts';
import { median, must, Random } from '../util/index.ts';

/** How a pass runs. */
export interface PassSettings {
  readonly target: Target;
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One attribution a sample. */
export interface SampleScores {
  /** Per weighted layer in execution order: `[samples, channels]`, signed. */
  readonly layers: readonly {
    readonly name: string;
    readonly channels: number;
    readonly values: Float32Array;
  }[];
  /** The class that each sample was explained for; -1 for a mix. */
  readonly targets: BigInt64Array<ArrayBuffer>;
  readonly samples: number;
}

/**
 * Explains every sample on its own.
 * @throws BedsideError as `AttributionPass.create`
 */
export async function explainSamples(
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
    ...contextOf(canonical, name, calibration, batch, settings),
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

/** Scores of the channels: the samples put together, each with its weight. */
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

function contextOf(
  model: Model,
  modelName: string,
  calibration: CalibrationSet,
  batch: number,
  { target, threads, seed }: PassSettings,
): CriterionContext {
  return { model, modelName, calibration, random: new Random(seed), target, batch, threads };
}

/** Milliseconds a sample. */
export interface PassTimes {
  readonly pass: number;
  readonly forward: number;
}

const ROUNDS = 5;

/**
 * Times the attribution pass and the plain forward run in turn on the same batch, same threads, in this process, after
 * a warm-up of each; medians.
 * @throws BedsideError as `AttributionPass.create`
 */
export async function timePass(
  loaded: Network,
  criterion: AttributionCriterion,
  dataset: Dataset,
  settings: PassSettings,
): Promise<PassTimes> {
  const { canonical, name, classifier } = loaded;
  const { calibration, batch } = calibrationBatches(canonical, dataset, {
    name,
    batch: settings.batch,
  });
  const pass = await Attributor.create(
    contextOf(canonical, name, calibration, batch, settings),
    criterion.spec,
  );
  const count = Math.min(pass.step, calibration.count);
  try {
    const forward = await createSession(loaded.original, { name, threads: settings.threads });
    try {
      const { feeds } = batchFeeds(classifier, dataset, 0, count);
      const runs = {
        pass: (): Promise<unknown> => pass.run(0, count),
        forward: (): Promise<unknown> => forward.run(feeds),
      };
      await runs.pass();
      await runs.forward();
      const times = { pass: [] as number[], forward: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        times.pass.push((await milliseconds(runs.pass)) / count);
        times.forward.push((await milliseconds(runs.forward)) / count);
      }
      return { pass: median(times.pass), forward: median(times.forward) };
    } finally {
      await forward.release();
    }
  } finally {
    await pass.release();
  }
}

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
