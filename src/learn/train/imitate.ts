// Imitation: learns from demonstrations which set and level the exact planner chose at every stage, and its prices.
import { jit, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import {
  critic,
  forward,
  INPUT_NAMES,
  type NetworkInputs,
  type NetworkOutputs,
  type PolicyShape,
} from '../policy/network.ts';
import { type Batch, type BatchShape, batchOf, type Dense, PADDING, type Sample } from './batch.ts';
import { jaxArithmetic, type Padding, type Parameters } from './jax-arithmetic.ts';
import { adam, type TrainState } from './optimiser.ts';

/** The exact planner's plan and prices of one request. */
export interface Demonstration {
  /** By stage. */
  readonly sets: Int32Array;
  readonly levels: Int32Array;
  /** Compressed, in the request's unit; see network.ts. `[device, memory or energy]`. */
  readonly devicePrices: Float32Array;
  /** Of the deadline and of all loss allowed. */
  readonly requestPrices: Float32Array;
}

/** A request with its demonstration. */
export interface DemonstratedRequest {
  readonly sample: Sample;
  readonly demonstration: Demonstration;
}

export type Arrays = { [name: string]: np.Array };

/** Inputs as jax arrays. */
export function arraysOfBatch(batch: Readonly<Record<string, Dense>>): Arrays {
  return Object.fromEntries(
    Object.entries(batch).map(([name, { dims, data }]) => [name, np.array(data).reshape([...dims])]),
  );
}

/** The network's inputs out of a batch's arrays. */
export function inputsOf(arrays: Arrays): NetworkInputs<np.Array> {
  return Object.fromEntries(
    INPUT_NAMES.map((name) => [name, arrays[name] as np.Array]),
  ) as unknown as NetworkInputs<np.Array>;
}

/**
 * A forward pass on a batch's arrays: `sets` [B, L, S], `levels` [B, L, P], `devices` [B, D, 2], `request` [B, 2], and
 * what the critic says, [B, L].
 */
export function forwardOf(
  shape: PolicyShape,
  parameters: Parameters,
  arrays: Arrays,
): Omit<NetworkOutputs<np.Array>, 'ofStage'> & { readonly critic: np.Array } {
  const padding = Object.fromEntries(
    PADDING.map((name) => [name, arrays[name] as np.Array]),
  ) as unknown as Padding;
  const ops = jaxArithmetic(parameters, padding);
  const out = forward(ops, shape, inputsOf(arrays));
  return {
    critic: np.squeeze(np.squeeze(critic(ops, out.ofStage), 3), 2),
    sets: np.squeeze(out.sets, 3),
    levels: np.squeeze(out.levels, 3),
    devices: np.squeeze(out.devices, 1),
    request: np.squeeze(np.squeeze(out.request, 1), 1),
  };
}

/** Targets of a batch, as arrays beside its inputs. */
export function targetsOf(rows: readonly DemonstratedRequest[], shape: BatchShape): Record<string, Dense> {
  const { batch: B, stages: L, devices: D, sets: S, levels: P } = shape;
  const setTarget = new Float32Array(B * L * S);
  const levelTarget = new Float32Array(B * L * P);
  const deviceTarget = new Float32Array(B * D * 2);
  const deviceMask = new Float32Array(B * D * 2);
  const requestTarget = new Float32Array(B * 2);
  const requestMask = new Float32Array(B * 2);
  rows.forEach(({ sample, demonstration }, b) => {
    for (let l = 0; l < sample.stages; l++) {
      // A stage with one choice teaches nothing; its row stays empty.
      setTarget[(b * L + l) * S + (demonstration.sets[l] as number)] = 1 / sample.stages;
      levelTarget[(b * L + l) * P + (demonstration.levels[l] as number)] = 1 / sample.stages;
    }
    for (let i = 0; i < sample.devices * 2; i++) {
      deviceTarget[b * D * 2 + i] = demonstration.devicePrices[i] as number;
      deviceMask[b * D * 2 + i] = 1 / sample.devices;
    }
    requestTarget.set(demonstration.requestPrices, b * 2);
    requestMask.fill(1, b * 2, b * 2 + 2);
  });
  return {
    setTarget: { dims: [B, L, S], data: setTarget },
    levelTarget: { dims: [B, L, P], data: levelTarget },
    deviceTarget: { dims: [B, D, 2], data: deviceTarget },
    deviceMask: { dims: [B, D, 2], data: deviceMask },
    requestTarget: { dims: [B, 2], data: requestTarget },
    requestMask: { dims: [B, 2], data: requestMask },
  };
}

/** Log probabilities over the last axis, where a mask is 1. */
export function maskedLogSoftmax(scores: np.Array, mask: np.Array): np.Array {
  // Where nothing is allowed nothing counts; a finite number keeps gradients finite.
  const masked = scores.ref.add(mask.ref.sub(1).mul(40));
  return nn.logSoftmax(masked, -1);
}

/** Mean loss of a batch: cross-entropy of sets and levels, squared error of prices. */
export function imitationLoss(
  shape: PolicyShape,
  parameters: Parameters,
  arrays: Arrays,
  batch: number,
): np.Array {
  const out = forwardOf(shape, parameters, arrays);
  const of = (name: string): np.Array => (arrays[name] as np.Array).ref;
  const cross = (scores: np.Array, mask: string, target: string): np.Array =>
    np.sum(maskedLogSoftmax(scores, of(mask)).mul(of(target))).mul(-1 / batch);
  const squared = (values: np.Array, mask: string, target: string): np.Array =>
    np.sum(np.square(values.ref.sub(of(target))).mul(of(mask))).mul(1 / batch);
  return cross(out.sets, 'setMask', 'setTarget')
    .add(cross(out.levels, 'levelMask', 'levelTarget').mul(0.3))
    .add(squared(out.devices, 'deviceMask', 'deviceTarget'))
    .add(squared(out.request, 'requestMask', 'requestTarget').mul(0.5));
}

export type ImitationStep = (state: TrainState, arrays: Arrays, rate: np.Array) => [np.Array, TrainState];

/** A compiled step for batches of one shape. */
export function imitationStep(shape: PolicyShape, batch: number): ImitationStep {
  const loss = (parameters: Parameters, arrays: Arrays): np.Array =>
    imitationLoss(shape, parameters, arrays, batch);
  const step = (state: TrainState, arrays: Arrays, rate: np.Array): [np.Array, TrainState] => {
    const own = Object.fromEntries(
      Object.entries(state.parameters).map(([name, value]) => [name, value.ref]),
    );
    const [value, gradients] = valueAndGrad(loss)(own, arrays) as [np.Array, Parameters];
    return [value, adam(state, gradients, rate).state];
  };
  return jit(step) as unknown as ImitationStep;
}

/** Inputs, masks and targets of labelled rows. */
export function demonstrationArrays(rows: readonly DemonstratedRequest[], shape: BatchShape): Arrays {
  const inputs: Batch = batchOf(
    rows.map(({ sample }) => sample),
    shape,
  );
  return arraysOfBatch({ ...inputs, ...targetsOf(rows, shape) });
}
