// What `explain` measures beside the scores: one attribution a sample, and the time of a pass against a forward run.
import type { Dataset } from '../data/index.ts';
import { createSession } from '../engine/index.ts';
import {
  type AttributionCriterion,
  AttributionPass,
  attribute,
  type CalibrationSet,
  type LayerScores,
  oneHot,
} from '../explain/index.ts';
import { batchFeeds, calibrationBatches } from '../prune/index.ts';
import { must, Random } from '../util/index.ts';
import type { LoadedModel } from './load.ts';

/** How a pass runs. */
export interface PassSettings {
  readonly target: 'label' | 'predicted';
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
  /** The class that each sample was explained for. */
  readonly targets: BigInt64Array<ArrayBuffer>;
  readonly samples: number;
}

/**
 * Explains every sample on its own.
 * @throws BedsideError as `AttributionPass.create`
 */
export async function explainSamples(
  { canonical, path, classifier }: LoadedModel,
  criterion: AttributionCriterion,
  dataset: Dataset,
  settings: PassSettings,
): Promise<SampleScores> {
  const { calibration, batch } = calibrationBatches(canonical, dataset, {
    name: path,
    batch: settings.batch,
  });
  const { target, threads, onProgress } = settings;
  const labels = target === 'label' ? calibration.labels : undefined;
  const targets = new BigInt64Array(calibration.count);
  let layers: { name: string; channels: number; values: Float32Array }[] | undefined;
  await attribute(
    {
      model: canonical,
      modelName: path,
      calibration,
      random: new Random(settings.seed),
      target,
      batch,
      threads,
      ...(onProgress ? { onProgress } : {}),
    },
    criterion.attribution,
    criterion.readout,
    (result, first, count) => {
      layers ??= result.layers.map(({ name, channels }) => ({
        name,
        channels,
        values: new Float32Array(calibration.count * channels),
      }));
      result.layers.forEach(({ values, channels }, i) => {
        must(layers?.[i], 'layers changed between batches').values.set(values, first * channels);
      });
      for (let i = 0; i < count; i++) {
        targets[first + i] = BigInt(labels?.[first + i] ?? argmax(result.logits, i, classifier.classes));
      }
    },
  );
  return { layers: layers ?? [], targets, samples: calibration.count };
}

/** Scores of the channels: the mean over samples of the absolute values, as the criterion has it. */
export function channelScores({ layers, samples }: SampleScores): LayerScores[] {
  return layers.map(({ name, channels, values }) => {
    const scores = new Float64Array(channels);
    values.forEach((value, k) => {
      scores[k % channels] = (scores[k % channels] as number) + Math.abs(value) / samples;
    });
    return { layer: name, scores };
  });
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
  loaded: LoadedModel,
  criterion: AttributionCriterion,
  dataset: Dataset,
  settings: PassSettings,
): Promise<PassTimes> {
  const { canonical, path, classifier } = loaded;
  const { calibration, batch } = calibrationBatches(canonical, dataset, {
    name: path,
    batch: settings.batch,
  });
  const count = Math.min(batch, calibration.count);
  const { samples, dims, start } = firstBatch(calibration, count, classifier.classes, settings.target);
  const pass = await AttributionPass.create(canonical, {
    attribution: criterion.attribution,
    readout: criterion.readout,
    start: start ? 'given' : 'predicted',
    threads: settings.threads,
    modelName: path,
  });
  try {
    const forward = await createSession(loaded.model, { name: path, threads: settings.threads });
    try {
      const { feeds } = batchFeeds(classifier, dataset, 0, count);
      const runs = {
        pass: (): Promise<unknown> => pass.run(samples, dims, start),
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

function firstBatch(
  { samples, count: all, sampleShape, labels }: CalibrationSet,
  count: number,
  classes: number,
  target: 'label' | 'predicted',
) {
  const start = target === 'label' && labels ? oneHot(labels.subarray(0, count), classes) : undefined;
  return {
    samples: samples.subarray(0, (samples.length / all) * count),
    dims: [count, ...sampleShape],
    start,
  };
}

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function argmax(logits: Float32Array, row: number, classes: number): number {
  let best = 0;
  for (let k = 1; k < classes; k++) {
    if ((logits[row * classes + k] as number) > (logits[row * classes + best] as number)) best = k;
  }
  return best;
}
