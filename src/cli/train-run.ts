// One training run with its files: the policy, its card, and a checkpoint beside them while it lasts.
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { ENGINE } from '../engine/index.ts';
import {
  exportPolicy,
  FEATURE_NAMES,
  type RequestSource,
  readCheckpoint,
  startTraining,
  TRAINING_RANGES,
  type Trainer,
  type TrainingBudget,
  type TrainProgress,
  writeCheckpoint,
} from '../learn/index.ts';
import { writeModel } from '../onnx/index.ts';
import { VERSION, writeFileAtomic } from '../util/index.ts';

/** What to train, and where to. */
export interface TrainRun {
  readonly out: string;
  readonly source: RequestSource;
  readonly seed: number;
  readonly budget: TrainingBudget;
  readonly resume: boolean;
  /** Asked before each unit of work; true stops, with the checkpoint kept. */
  readonly stopped: () => boolean;
  readonly onProgress: (progress: TrainProgress) => void;
}

/** What came of it. */
export interface TrainResult {
  readonly out: string;
  readonly card: string;
  readonly finished: boolean;
  readonly labels: number;
  readonly steps: number;
  readonly stepsPerSecond: number;
  readonly meanReward: number;
  readonly gapToExact: number;
  readonly worstGap: number;
  readonly missed: number;
  readonly seconds: number;
  readonly bytes: number;
}

/** Seconds between checkpoints, at least. */
const CHECKPOINT_SECONDS = 15;

/** Where a run's checkpoint is. */
export const checkpointPath = (out: string): string => `${out}.checkpoint`;

/** Where a policy's card is. */
export const cardPath = (out: string): string => out.replace(/(\.onnx)?$/, '.json');

/**
 * Trains to the end of the budget, or until it is stopped, and writes what there is.
 * @throws BedsideError E_FILE or E_USAGE when there is nothing to go on from
 */
export async function trainPolicy(run: TrainRun): Promise<TrainResult> {
  const { source, seed, budget, out } = run;
  const fingerprint = fingerprintOf(run);
  const path = checkpointPath(out);
  const from = run.resume ? await readCheckpoint(path, fingerprint) : undefined;
  const trainer = await startTraining({ source, seed, budget, from });
  let [written, seconds] = [performance.now(), from?.seconds ?? 0];
  let finished = false;
  while (!run.stopped()) {
    const progress = await trainer.next();
    if (!progress) {
      finished = true;
      break;
    }
    seconds = progress.seconds;
    run.onProgress(progress);
    if (performance.now() - written < 1000 * CHECKPOINT_SECONDS) continue;
    await writeCheckpoint(path, await trainer.checkpoint(fingerprint));
    written = performance.now();
  }
  const result = await writePolicy(trainer, run, seconds, finished);
  if (finished) await rm(path, { force: true });
  else await writeCheckpoint(path, await trainer.checkpoint(fingerprint));
  return result;
}

async function writePolicy(
  trainer: Trainer,
  { out, source, seed, budget }: TrainRun,
  seconds: number,
  finished: boolean,
): Promise<TrainResult> {
  const weights = await trainer.weights();
  const bytes = writeModel(exportPolicy(trainer.network, weights));
  const gap = await trainer.gap();
  const result: TrainResult = {
    ...{ out, card: cardPath(out), finished, labels: trainer.demonstrations, steps: trainer.steps },
    stepsPerSecond: trainer.stepsPerSecond,
    meanReward: trainer.meanReward,
    ...{ gapToExact: gap.mean, worstGap: gap.worst, missed: gap.missed, seconds, bytes: bytes.length },
  };
  const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  const card = {
    ...{ format: 'bedside-policy', version: 1 },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    network: { ...trainer.network, parameters },
    features: FEATURE_NAMES,
    training: { source: source.name, ranges: TRAINING_RANGES, seed, budget, finished },
    results: result,
    history: trainer.history,
    versions: { bedside: VERSION, node: process.version, onnxruntime: ENGINE.version },
  };
  await writeFileAtomic(out, bytes);
  await writeFileAtomic(cardPath(out), `${JSON.stringify(card, null, 1)}\n`);
  return result;
}

/** Everything that shapes a run. */
function fingerprintOf({ source, seed, budget }: TrainRun): string {
  const text = JSON.stringify([VERSION, source.name, seed, budget, FEATURE_NAMES]);
  return createHash('sha256').update(text).digest('hex');
}
