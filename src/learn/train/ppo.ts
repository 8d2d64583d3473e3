// Proximal policy optimisation (Schulman et al., 2017) for masked discrete choices: advantages, the scale of values,
// and the loss. It does not know the environment.
import { nn, numpy as np } from '@jax-js/jax';

/** Steps of episodes one after another: what is read, and the arrays that are filled. */
export interface EpisodeSteps {
  readonly rewards: ArrayLike<number>;
  /** Of the state before each step; after the last step comes nothing. */
  readonly values: ArrayLike<number>;
  readonly advantages: Float32Array;
  readonly returns: Float32Array;
}

/**
 * Generalised advantage estimation (Schulman et al., ICLR 2016) over the episode of `length` steps from `offset` on:
 * fills advantages and returns.
 */
export function gae(
  { rewards, values, advantages, returns }: EpisodeSteps,
  length: number,
  { gamma, lambda }: { readonly gamma: number; readonly lambda: number },
  offset = 0,
): void {
  let advantage = 0;
  for (let t = length - 1; t >= 0; t--) {
    const next = t + 1 < length ? (values[offset + t + 1] as number) : 0;
    const delta = (rewards[offset + t] as number) + gamma * next - (values[offset + t] as number);
    advantage = delta + gamma * lambda * advantage;
    advantages[offset + t] = advantage;
    returns[offset + t] = advantage + (values[offset + t] as number);
  }
}

/** Running mean and deviation of returns: the critic learns them on a scale of its own (van Hasselt et al., 2016). */
export class ValueScale {
  mean = 0;
  square = 1;
  count = 0;

  /** Takes in the returns of an iteration. */
  update(returns: readonly number[]): void {
    if (returns.length === 0) return;
    const mean = returns.reduce((sum, value) => sum + value, 0) / returns.length;
    const square = returns.reduce((sum, value) => sum + value * value, 0) / returns.length;
    const rate = this.count === 0 ? 1 : 0.1;
    this.mean += rate * (mean - this.mean);
    this.square += rate * (square - this.square);
    this.count++;
  }

  get deviation(): number {
    return Math.sqrt(Math.max(1e-8, this.square - this.mean ** 2));
  }

  normal(value: number): number {
    return (value - this.mean) / this.deviation;
  }

  real(value: number): number {
    return value * this.deviation + this.mean;
  }
}

/** Weights of the loss's parts. */
export interface PpoCoefficients {
  /** How far a probability may move from the old one. */
  readonly clip: number;
  readonly value: number;
}

export const PPO: PpoCoefficients = { clip: 0.2, value: 0.25 };

/** Steps as arrays, all `[steps]` but `mask` and `chosen`, `[steps, actions]`. */
export interface PpoArrays {
  readonly mask: np.Array;
  /** One-hot. */
  readonly chosen: np.Array;
  readonly oldLogProbability: np.Array;
  readonly advantage: np.Array;
  readonly target: np.Array;
  /** 1 / number of steps where there was one, 0 for padding. */
  readonly weight: np.Array;
}

/**
 * Loss to be made small: clipped surrogate, error of the critic, and the entropy's bonus.
 * @param logits `[steps, actions]`, @param values `[steps]`, normalised; @param entropy a scalar array
 */
export function ppoLoss(
  logits: np.Array,
  values: np.Array,
  steps: PpoArrays,
  entropy: np.Array,
  { clip, value }: PpoCoefficients = PPO,
): np.Array {
  const logs = nn.logSoftmax(logits.add(steps.mask.ref.sub(1).mul(40)), -1);
  const probabilities = np.exp(logs.ref);
  const spread = np.sum(probabilities.mul(logs.ref).mul(steps.mask.ref), -1).mul(-1);
  const chosen = np.sum(logs.ref.mul(steps.chosen.ref), -1);
  const ratio = np.exp(np.clip(chosen.sub(steps.oldLogProbability.ref), -10, 10));
  const plain = ratio.ref.mul(steps.advantage.ref);
  const clipped = np.clip(ratio.ref, 1 - clip, 1 + clip).mul(steps.advantage.ref);
  const gain = np.minimum(plain, clipped);
  const error = np.square(values.sub(steps.target.ref)).mul(value);
  const each = error.sub(gain).sub(spread.mul(entropy.ref));
  return np.sum(each.mul(steps.weight.ref));
}
