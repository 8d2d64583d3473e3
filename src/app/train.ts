// Training of a policy with its files: the network, its card, and a checkpoint beside them as long as the run is unfinished.

import { rm } from 'node:fs/promises';
import { version as NODE_VERSION } from 'node:process';
import type { Bundle } from '../bundle/index.ts';
import { ENGINE } from '../engine/index.ts';
import {
  exportPolicy,
  FEATURE_NAMES,
  type RequestSource,
  readCheckpoint,
  requestSource,
  startTraining,
  TRAINING_RANGES,
  type Trainer,
  type TrainingBudget,
  type TrainProgress,
  writeCheckpoint,
} from '../learn/index.ts';
import { writeModel } from '../onnx/index.ts';
import {
  assertWritable,
  formatCount,
  formatPercent,
  formatSeconds,
  VERSION,
  writeFileAtomic,
} from '../util/index.ts';
import { sha256Of } from '../util/internal.ts';
import { loadBundle } from './bundle/open-bundle.ts';
import { type Journal, journalOf, type Reporter, type Said } from './reporter.ts';

/** Decisions of the policy's own, unless the options say otherwise. */
export const DEFAULT_TRAIN_STEPS = 1_000_000;

/** How a policy is trained, and where to. */
export interface TrainOptions {
  /** The file to write, as ONNX. The card goes beside it, as JSON. */
  readonly out: string;
  /** Decisions to try after imitation; `DEFAULT_TRAIN_STEPS` if absent. */
  readonly steps?: number | undefined;
  /** Stops after so many minutes instead. Such a run does not repeat exactly. */
  readonly minutes?: number | undefined;
  /** Goes on from the checkpoint that an unfinished run left. */
  readonly resume?: boolean | undefined;
  /** 1 by default. */
  readonly seed?: number | undefined;
  /** Once aborted, the run stops before the next unit of work, and keeps a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

/** The trained policy. Gaps are relative to the exact planner, on validation requests. */
export interface TrainResult {
  readonly out: string;
  readonly card: string;
  /** False if it was stopped early. */
  readonly finished: boolean;
  /** Plans of the exact planner that it learned from. */
  readonly labels: number;
  readonly steps: number;
  readonly stepsPerSecond: number;
  readonly meanReward: number;
  readonly gapToExact: number;
  readonly worstGap: number;
  /** Validation requests without a plan. */
  readonly missed: number;
  readonly seconds: number;
  /** Size of the network. */
  readonly bytes: number;
}

/** Plans of the exact planner: one for so many steps, within a range. */
const STEPS_A_LABEL = 250;
const LABELS = [150, 4000] as const;
const EPOCHS = 12;

/** Seconds between checkpoints, at least. */
const CHECKPOINT_SECONDS = 15;

/** The run's checkpoint. */
const checkpointPath = (out: string): string => `${out}.checkpoint`;

/** The policy's card. */
const cardPath = (out: string): string => out.replace(/(\.onnx)?$/, '.json');

/**
 * Trains a policy that plans any fleet, and writes it. It first imitates the exact planner on random requests, then improves
 * by its own trials (PPO).
 * @param bundles folders or opened bundles; every other request is for one of them. None: requests for random networks alone
 * @throws BedsideError E_OUTPUT before any work if `out` cannot be written; E_FILE or E_USAGE if there is nothing to resume;
 *   E_FILE without the package `@jax-js/jax`
 */
export async function train(
  bundles: readonly (Bundle | string)[],
  options: TrainOptions,
  reporter?: Reporter | Journal,
): Promise<TrainResult & Said> {
  const journal = journalOf(reporter);
  await assertWritable(options.out);
  const opened = await Promise.all(bundles.map((bundle) => loadBundle(bundle, journal)));
  const run: Run = {
    out: options.out,
    source: requestSource(opened.map(({ manifest }) => manifest)),
    seed: options.seed ?? 1,
    budget: budgetOf(options),
    resume: options.resume ?? false,
    signal: options.signal,
  };
  const result = await journal.during('training', (progress) =>
    runToEnd(run, (found) => progress.update(Math.round(1000 * found.share), 1000, describeProgress(found))),
  );
  return { ...result, ...journal.said() };
}

interface Run {
  readonly out: string;
  readonly source: RequestSource;
  readonly seed: number;
  readonly budget: TrainingBudget;
  readonly resume: boolean;
  readonly signal: AbortSignal | undefined;
}

function budgetOf({ steps, minutes }: TrainOptions): TrainingBudget {
  const wanted = steps ?? DEFAULT_TRAIN_STEPS;
  const labels = Math.round(Math.min(LABELS[1], Math.max(LABELS[0], wanted / STEPS_A_LABEL)));
  return { labels, epochs: EPOCHS, steps: wanted, ...(minutes === undefined ? {} : { minutes }) };
}

/** Trains to the end of the budget or until it is stopped, and writes the policy as it is then. */
async function runToEnd(run: Run, onProgress: (progress: TrainProgress) => void): Promise<TrainResult> {
  const { source, seed, budget, out } = run;
  const fingerprint = fingerprintOf(run);
  const path = checkpointPath(out);
  const from = run.resume ? await readCheckpoint(path, fingerprint) : undefined;
  const trainer = await startTraining({ source, seed, budget, from });
  let [written, seconds] = [performance.now(), from?.seconds ?? 0];
  let finished = false;
  while (!run.signal?.aborted) {
    const progress = await trainer.next();
    if (!progress) {
      finished = true;
      break;
    }
    seconds = progress.seconds;
    onProgress(progress);
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
  { out, source, seed, budget }: Run,
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
    sha256: sha256Of(bytes),
    network: { ...trainer.network, parameters },
    features: FEATURE_NAMES,
    training: { source: source.name, ranges: TRAINING_RANGES, seed, budget, finished },
    results: result,
    history: trainer.history,
    versions: { bedside: VERSION, node: NODE_VERSION, onnxruntime: ENGINE.version },
  };
  await writeFileAtomic(out, bytes);
  await writeFileAtomic(cardPath(out), `${JSON.stringify(card, null, 1)}\n`);
  return result;
}

/** Everything that shapes a run: a checkpoint of another run is refused. */
function fingerprintOf({ source, seed, budget }: Run): string {
  const text = JSON.stringify([VERSION, source.name, TRAINING_RANGES, seed, budget, FEATURE_NAMES]);
  return sha256Of(text);
}

const PHASES = {
  labels: 'asking the exact planner',
  imitation: 'imitating it',
  improvement: 'improving by trial',
} as const;

function describeProgress(found: TrainProgress): string {
  return [
    PHASES[found.phase],
    ...(found.loss === undefined ? [] : [`loss ${found.loss.toFixed(3)}`]),
    ...(found.reward === undefined ? [] : [`reward ${found.reward.toFixed(3)}`]),
    ...(found.gap === undefined ? [] : [`gap ${formatPercent(found.gap)}`]),
    ...(found.stepsPerSecond === undefined ? [] : [`${formatCount(found.stepsPerSecond)} steps/s`]),
    ...(Number.isFinite(found.secondsLeft) ? [`${formatSeconds(found.secondsLeft)} left`] : []),
  ].join(', ');
}
