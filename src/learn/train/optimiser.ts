// Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019) and clipping of the gradient's norm, as part of a
// compiled step.
import { numpy as np } from '@jax-js/jax';
import type { PolicyWeights } from '../policy/network.ts';
import type { Parameters } from './jax-arithmetic.ts';

/** Weights and Adam's running means. */
export type TrainState = { parameters: Parameters; mean: Parameters; square: Parameters };

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Arrays of weights. */
export function arraysOf(weights: PolicyWeights): Parameters {
  const arrays: Parameters = {};
  for (const [name, { dims, data }] of weights) arrays[name] = np.array(data).reshape([...dims]);
  return arrays;
}

/** The state before the first step. */
export function startState(weights: PolicyWeights): TrainState {
  const zeros = (): Parameters =>
    Object.fromEntries([...weights].map(([name, { dims }]) => [name, np.zeros([...dims])]));
  return { parameters: arraysOf(weights), mean: zeros(), square: zeros() };
}

/** A state that was read back. */
export function restoredState(
  weights: PolicyWeights,
  mean: PolicyWeights,
  square: PolicyWeights,
): TrainState {
  return { parameters: arraysOf(weights), mean: arraysOf(mean), square: arraysOf(square) };
}

/** Weights read back. */
export async function weightsOf(
  parameters: Parameters,
  like: PolicyWeights,
): Promise<Map<string, { dims: readonly number[]; data: Float32Array }>> {
  const weights = new Map<string, { dims: readonly number[]; data: Float32Array }>();
  for (const [name, { dims }] of like) {
    const array = parameters[name];
    if (!array) throw new Error(`no weights named ${name}`);
    weights.set(name, { dims, data: Float32Array.from((await array.ref.data()) as Float32Array) });
  }
  return weights;
}

/**
 * One step. `rate` is [learning rate, 1 - beta1^t, 1 - beta2^t, weight decay, largest norm of the gradient].
 * @returns the next state and the gradient's norm before clipping
 */
export function adam(
  state: TrainState,
  gradients: Parameters,
  rate: np.Array,
): { state: TrainState; norm: np.Array } {
  let sum: np.Array | undefined;
  for (const gradient of Object.values(gradients)) {
    const square = np.sum(np.square(gradient.ref));
    sum = sum ? sum.add(square) : square;
  }
  const norm = np.sqrt((sum as np.Array).add(1e-12));
  const shrink = np.minimum(rate.ref.slice(4).div(norm.ref), 1);
  const next: TrainState = { parameters: {}, mean: {}, square: {} };
  for (const [name, raw] of Object.entries(gradients)) {
    const gradient = raw.ref.mul(shrink.ref);
    const parameter = state.parameters[name] as np.Array;
    const mean = (state.mean[name] as np.Array).ref.mul(BETA1).add(gradient.ref.mul(1 - BETA1));
    const square = (state.square[name] as np.Array).ref
      .mul(BETA2)
      .add(np.square(gradient.ref).mul(1 - BETA2));
    const direction = mean.ref
      .div(rate.ref.slice(1))
      .div(np.sqrt(square.ref.div(rate.ref.slice(2))).add(EPSILON));
    const shrunk = name.endsWith('.weight') ? direction.add(parameter.ref.mul(rate.ref.slice(3))) : direction;
    next.parameters[name] = parameter.ref.sub(shrunk.mul(rate.ref.slice(0)));
    next.mean[name] = mean;
    next.square[name] = square;
  }
  return { state: next, norm };
}

/** The last argument of a step; `t` counts from 1. */
export function rateOf(learningRate: number, t: number, decay = 1e-4, clip = 1): np.Array {
  return np.array(Float32Array.of(learningRate, 1 - BETA1 ** t, 1 - BETA2 ** t, decay, clip));
}
