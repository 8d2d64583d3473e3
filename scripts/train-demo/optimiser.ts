// One training step as one compiled function: cross-entropy, its gradient, and Adam with decoupled weight decay
// (Loshchilov and Hutter, ICLR 2019).
import { jit, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { type Architecture, forward, type Parameters } from './network.ts';

/** Parameters and Adam's running means of the gradient and of its square. */
export type TrainState = { parameters: Parameters; mean: Parameters; square: Parameters };

/** Takes ownership of all arguments; `rate` is [learning rate, 1 - beta1^t, 1 - beta2^t], labels are one-hot. */
export type Step = (
  state: TrainState,
  columns: np.Array,
  labels: np.Array,
  rate: np.Array,
) => [np.Array, TrainState];

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** The state before the first step. */
export function startState(initial: ReadonlyMap<string, { dims: number[]; data: Float32Array }>): TrainState {
  const state: TrainState = { parameters: {}, mean: {}, square: {} };
  for (const [name, { dims, data }] of initial) {
    state.parameters[name] = np.array(data).reshape(dims);
    state.mean[name] = np.zeros(dims);
    state.square[name] = np.zeros(dims);
  }
  return state;
}

/** Builds the step; it returns the batch's mean loss and the next state. */
export function makeStep(net: Architecture, decay: number): Step {
  const loss = (parameters: Parameters, columns: np.Array, labels: np.Array): np.Array => {
    const batch = labels.shape[0]!;
    return nn
      .logSoftmax(forward(net, parameters, columns))
      .mul(labels)
      .sum()
      .mul(-1 / batch);
  };
  const step = (
    state: TrainState,
    columns: np.Array,
    labels: np.Array,
    rate: np.Array,
  ): [np.Array, TrainState] => {
    const own = Object.fromEntries(
      Object.entries(state.parameters).map(([name, value]) => [name, value.ref]),
    );
    const [value, gradients] = valueAndGrad(loss)(own, columns, labels) as [np.Array, Parameters];
    const next: TrainState = { parameters: {}, mean: {}, square: {} };
    for (const [name, gradient] of Object.entries(gradients)) {
      const parameter = state.parameters[name]!;
      const mean = state.mean[name]!.mul(BETA1).add(gradient.ref.mul(1 - BETA1));
      const square = state.square[name]!.mul(BETA2).add(np.square(gradient).mul(1 - BETA2));
      const direction = mean.ref
        .div(rate.ref.slice(1))
        .div(np.sqrt(square.ref.div(rate.ref.slice(2))).add(EPSILON));
      // Weights shrink, biases do not.
      const shrunk = name.endsWith('.weight') ? direction.add(parameter.ref.mul(decay)) : direction;
      next.parameters[name] = parameter.sub(shrunk.mul(rate.ref.slice(0)));
      next.mean[name] = mean;
      next.square[name] = square;
    }
    rate.dispose();
    return [value, next];
  };
  return jit(step) as unknown as Step;
}

/** The third argument of a step: `t` counts from 1. */
export function rateOf(learningRate: number, t: number): np.Array {
  return np.array(Float32Array.of(learningRate, 1 - BETA1 ** t, 1 - BETA2 ** t));
}
