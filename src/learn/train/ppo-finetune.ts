// Fine-tuning by PPO: rollouts decide requests by drawing from the policy, and the policy learns from their rewards.
// Imitation goes on beside it, so that prices do not drift.
import { jit, numpy as np, valueAndGrad } from '@jax-js/jax';
import { mostSteps, type PlanningInstance } from '../../plan/internal.ts';
import type { Random } from '../../util/internal.ts';
import { LimitPrices } from '../policy/candidate-pass.ts';
import { Decoder } from '../policy/decode.ts';
import type { PolicyShape } from '../policy/network.ts';
import { readPrices } from '../policy/policy-network.ts';
import { type BatchShape, type Dense, emptyDense } from './batch.ts';
import {
  type Arrays,
  arraysOfBatch,
  type DemonstratedRequest,
  demonstrationArrays,
  forwardOf,
  imitationLoss,
} from './imitate.ts';
import type { Parameters } from './jax-arithmetic.ts';
import { adam, type TrainState } from './optimiser.ts';
import { PlanningEpisode } from './planning-episode.ts';
import { type EpisodeSteps, gae, ppoLoss, type ValueScale } from './ppo.ts';

/** Options of fine-tuning. */
export interface FinetuneOptions {
  /** Candidate sets a stage. */
  readonly width: number;
  /** Rollouts of each request. */
  readonly rollouts: number;
  /** How sharply what a choice costs counts beside the network's scores: a difference of this much is one nat. */
  readonly temperature: number;
  readonly gamma: number;
  readonly lambda: number;
  /** Weight of imitation. */
  readonly imitation: number;
  /** Without masks a choice that breaks a limit may be drawn, and ends the rollout; for the ablation. */
  readonly masking: boolean;
}

export const FINETUNE: FinetuneOptions = {
  ...{ width: 6, rollouts: 4, temperature: 0.02, gamma: 1, lambda: 0.95, imitation: 0.3 },
  masking: true,
};

/** The rollouts of one batch of requests. */
export interface Rollouts {
  readonly arrays: Record<string, Dense>;
  readonly rows: readonly DemonstratedRequest[];
  readonly steps: number;
  /** Sum of rewards, and number of rollouts with a plan. */
  readonly reward: number;
  readonly complete: number;
  readonly count: number;
  readonly returns: readonly number[];
}

/** The network's scores as plain arrays. */
export interface Scores {
  readonly sets: Float32Array;
  readonly levels: Float32Array;
  readonly devices: Float32Array;
  readonly request: Float32Array;
  readonly critic: Float32Array;
}

export type ScoreStep = (parameters: Parameters, arrays: Arrays) => np.Array[];

/** A compiled forward pass. */
export function scoreStep(shape: PolicyShape): ScoreStep {
  return jit((parameters: Parameters, arrays: Arrays) => {
    const out = forwardOf(shape, parameters, arrays);
    return [out.sets, out.levels, out.devices, out.request, out.critic];
  }) as unknown as ScoreStep;
}

/** Reads scores back. */
export async function readScores(values: readonly np.Array[]): Promise<Scores> {
  const [sets, levels, devices, request, critic] = await Promise.all(
    values.map(async (value) => (await value.data()) as Float32Array),
  );
  const empty = new Float32Array(0);
  return {
    sets: sets ?? empty,
    levels: levels ?? empty,
    devices: devices ?? empty,
    request: request ?? empty,
    critic: critic ?? empty,
  };
}

/** One batch of requests to roll out. */
export interface RolloutBatch {
  readonly rows: readonly DemonstratedRequest[];
  readonly instances: readonly PlanningInstance[];
  readonly scores: Scores;
  readonly shape: BatchShape;
}

/** What goes with a batch from request to request. */
interface Collection extends RolloutBatch {
  readonly scale: ValueScale;
  readonly random: Random;
  readonly options: FinetuneOptions;
  readonly out: RolloutArrays;
  readonly steps: EpisodeSteps & { readonly rewards: Float32Array; readonly values: Float32Array };
  readonly returns: number[];
}

/** What the loss reads of rollouts. */
type RolloutArrays = Record<
  'pick' | 'offset' | 'mask' | 'chosen' | 'oldLogProbability' | 'advantage' | 'target' | 'weight',
  Dense
>;

/** Environments and buffers that batch after batch uses. */
export class RolloutCollector {
  readonly #episodes: PlanningEpisode[] = [];
  readonly #decoder = new Decoder();
  readonly #prices = new LimitPrices();
  #logits = new Float64Array(0);

  /** Decides each request several times by drawing from the policy. */
  run(batch: RolloutBatch, scale: ValueScale, random: Random, options: FinetuneOptions): Rollouts {
    const { rows, shape } = batch;
    const { batch: B, stages: L, levels: P } = shape;
    const [K, R] = [options.width, options.rollouts];
    const A = K * P;
    const out = emptyArrays(shape, options);
    this.#logits = this.#logits.length < A ? new Float64Array(A) : this.#logits;
    const steps = {
      rewards: new Float32Array(B * R * L),
      values: new Float32Array(B * R * L),
      advantages: out.advantage.data,
      returns: new Float32Array(B * R * L),
    };
    const collection: Collection = { ...batch, scale, random, options, out, steps, returns: [] };
    const sums = { steps: 0, reward: 0, complete: 0, count: 0 };
    for (let b = 0; b < rows.length; b++) {
      const episode = this.#begin(collection, b);
      if (!episode) continue;
      for (let r = 0; r < R; r++) {
        const base = (b * R + r) * L;
        const length = this.#rollOut(collection, episode, b, base);
        sums.count++;
        if (episode.complete) sums.complete++;
        sums.reward = this.#record(collection, base, length, sums.reward);
        sums.steps += length;
      }
    }
    normalise(out.advantage.data, out.weight.data, sums.steps);
    return { arrays: out, rows, ...sums, returns: collection.returns };
  }

  /** Loads a request into its environment; undefined when nothing can be decided from the candidates. */
  #begin(
    { rows, instances, scores, shape, options, out }: Collection,
    b: number,
  ): PlanningEpisode | undefined {
    const { stages: L, sets: S, devices: D } = shape;
    const { width: K } = options;
    const { sample } = rows[b] as DemonstratedRequest;
    const instance = instances[b] as PlanningInstance;
    const episode = this.#episode(b);
    readPrices(
      this.#prices,
      scores.request.subarray(b * 2, b * 2 + 2),
      scores.devices.subarray(b * D * 2, (b + 1) * D * 2),
      { devices: sample.devices, unit: sample.unit },
      mostSteps(instance),
    );
    const candidates = this.#decoder.pick(instance, scores.sets.subarray(b * L * S), S, K);
    if (!episode.load(instance, candidates, this.#prices, sample.unit)) return undefined;
    const { program } = episode;
    for (let l = 0; l < sample.stages; l++)
      for (let k = 0; k < (program.count[l] as number); k++)
        out.pick.data[((b * L + l) * K + k) * S + (program.setAt[l * program.width + k] as number)] = 1;
    return episode;
  }

  /** One rollout of a request, its rewards and values from `base` on; returns its steps. */
  #rollOut(collection: Collection, episode: PlanningEpisode, b: number, base: number): number {
    const { scale, scores, shape, steps } = collection;
    let length = 0;
    episode.reset();
    while (!episode.done) {
      const l = episode.stage;
      const row = base + l;
      const action = this.#draw(collection, episode, b, row);
      length = l + 1;
      steps.values[row] = scale.real(scores.critic[b * shape.stages + l] as number);
      if (action < 0) {
        // Only without masks: a choice that is not allowed.
        steps.rewards[row] = -1;
        break;
      }
      steps.rewards[row] = episode.step(action);
    }
    return length;
  }

  /** Advantages, targets and weights of a rollout; returns the sum of rewards with its own. */
  #record(
    { options, out, scale, steps, returns }: Collection,
    base: number,
    length: number,
    sum: number,
  ): number {
    gae(steps, length, options, base);
    let total = sum;
    for (let t = 0; t < length; t++) {
      total += steps.rewards[base + t] as number;
      returns.push(steps.returns[base + t] as number);
      out.target.data[base + t] = scale.normal(steps.returns[base + t] as number);
      out.weight.data[base + t] = 1;
    }
    return total;
  }

  #episode(b: number): PlanningEpisode {
    const known = this.#episodes[b];
    if (known) return known;
    const episode = new PlanningEpisode();
    this.#episodes[b] = episode;
    return episode;
  }

  /** Draws a choice and writes down what the loss needs of it; -1 for one that is not allowed. */
  #draw(
    { scores, shape, options, random, out }: Collection,
    episode: PlanningEpisode,
    b: number,
    row: number,
  ): number {
    const { program, mask, regret, stage: l } = episode;
    const { stages: L, sets: S, levels: P } = shape;
    const { width: K, temperature, masking } = options;
    const logits = this.#logits;
    const A = K * P;
    const own = program.levels;
    let highest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < K; k++) {
      for (let p = 0; p < P; p++) {
        const a = k * P + p;
        logits[a] = Number.NEGATIVE_INFINITY;
        const exists = k < (program.count[l] as number) && p < (program.levelsOut[l] as number);
        const allowed = exists && mask[k * own + p] === 1;
        if (!allowed && (masking || !exists)) continue;
        const at = l * program.width + k;
        const offset = allowed ? -Math.min(20, (regret[k * own + p] as number) / temperature) : 0;
        out.offset.data[row * A + a] = offset;
        out.mask.data[row * A + a] = 1;
        const logit =
          (scores.sets[(b * L + l) * S + (program.setAt[at] as number)] as number) +
          (scores.levels[(b * L + l) * P + p] as number) +
          offset;
        logits[a] = logit;
        if (logit > highest) highest = logit;
      }
    }
    let sum = 0;
    for (let a = 0; a < A; a++) sum += Math.exp((logits[a] as number) - highest);
    let rest = random.uniform() * sum;
    let chosen = -1;
    for (let a = 0; a < A; a++) {
      const share = Math.exp((logits[a] as number) - highest);
      if (share === 0) continue;
      chosen = a;
      rest -= share;
      if (rest <= 0) break;
    }
    out.chosen.data[row * A + chosen] = 1;
    out.oldLogProbability.data[row] = (logits[chosen] as number) - highest - Math.log(sum);
    const action = Math.floor(chosen / P) * own + (chosen % P);
    return mask[action] === 1 ? action : -1;
  }
}

function emptyArrays(
  { batch: B, stages: L, sets: S, levels: P }: BatchShape,
  { width: K, rollouts: R }: FinetuneOptions,
): RolloutArrays {
  const A = K * P;
  const dense = (...dims: number[]): Dense => emptyDense(dims);
  return {
    pick: dense(B, L, K, S),
    offset: dense(B, R, L, A),
    mask: dense(B * R * L, A),
    chosen: dense(B * R * L, A),
    oldLogProbability: dense(B * R * L),
    advantage: dense(B * R * L),
    target: dense(B * R * L),
    weight: dense(B * R * L),
  };
}

/** Advantages to mean 0 and deviation 1 over the steps that there are; weights to 1 / steps. */
function normalise(advantage: Float32Array, weight: Float32Array, steps: number): void {
  let [sum, square] = [0, 0];
  for (let i = 0; i < advantage.length; i++) {
    if (weight[i] === 0) continue;
    sum += advantage[i] as number;
    square += (advantage[i] as number) ** 2;
  }
  const mean = sum / Math.max(1, steps);
  const deviation = Math.sqrt(Math.max(1e-10, square / Math.max(1, steps) - mean ** 2));
  for (let i = 0; i < advantage.length; i++) {
    if (weight[i] === 0) continue;
    advantage[i] = ((advantage[i] as number) - mean) / deviation;
    weight[i] = 1 / steps;
  }
}

export type FinetuneStep = (
  state: TrainState,
  arrays: Arrays,
  rate: np.Array,
  entropy: np.Array,
) => [np.Array, TrainState];

/** A compiled step of PPO for batches of one shape. */
export function finetuneStep(
  network: PolicyShape,
  shape: BatchShape,
  options: FinetuneOptions,
): FinetuneStep {
  const { batch: B, stages: L, levels: P } = shape;
  const { width: K, rollouts: R, imitation } = options;
  const loss = (parameters: Parameters, arrays: Arrays, entropy: np.Array): np.Array => {
    const of = (name: string): np.Array => (arrays[name] as np.Array).ref;
    const out = forwardOf(network, parameters, arrays);
    const sets = np.matmul(of('pick'), np.expandDims(out.sets, 3));
    const scores = sets.add(np.expandDims(out.levels, 2)).reshape([B, 1, L, K * P]);
    const logits = scores.add(of('offset')).reshape([B * R * L, K * P]);
    const values = np.broadcastTo(out.critic.reshape([B, 1, L]), [B, R, L]).reshape([B * R * L]);
    const own = ppoLoss(
      logits,
      values,
      {
        mask: of('mask'),
        chosen: of('chosen'),
        oldLogProbability: of('oldLogProbability'),
        advantage: of('advantage'),
        target: of('target'),
        weight: of('weight'),
      },
      entropy,
    );
    return imitation > 0 ? own.add(imitationLoss(network, parameters, arrays, B).mul(imitation)) : own;
  };
  const step = (
    state: TrainState,
    arrays: Arrays,
    rate: np.Array,
    entropy: np.Array,
  ): [np.Array, TrainState] => {
    const own = Object.fromEntries(
      Object.entries(state.parameters).map(([name, value]) => [name, value.ref]),
    );
    const [value, gradients] = valueAndGrad(loss)(own, arrays, entropy) as [np.Array, Parameters];
    return [value, adam(state, gradients, rate).state];
  };
  return jit(step) as unknown as FinetuneStep;
}

/** Everything one step of PPO reads. */
export function rolloutArrays(trials: Rollouts, shape: BatchShape): Arrays {
  return { ...demonstrationArrays(trials.rows, shape), ...arraysOfBatch(trials.arrays) };
}
