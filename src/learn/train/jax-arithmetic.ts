// The network's arithmetic in jax-js, for gradients. Inside a compiled function values may be used any number of times.
import { nn, numpy as np } from '@jax-js/jax';
import type { Arithmetic } from '../policy/network.ts';

/** Weights by name, as arrays. */
export type Parameters = { [name: string]: np.Array };

/** What is padding in a batch. */
export interface Padding {
  /** [B, L, D, 1]: 1 where the token exists. */
  readonly present: np.Array;
  /** [B, 1, 1, D]: 0 for a device, -30 for padding. */
  readonly absent: np.Array;
  /** [B, 1, 1, 1]: 1 / stages and 1 / devices. */
  readonly perStage: np.Array;
  readonly perDevice: np.Array;
}

/** Builds on the given weights. */
export function jaxArithmetic(parameters: Parameters, padding: Padding): Arithmetic<np.Array> {
  const weight = (name: string): np.Array | undefined => parameters[name]?.ref;
  return {
    linear(x, name) {
      const w = weight(`${name}.weight`);
      if (!w) throw new Error(`no weights named ${name}`);
      const shape = x.shape;
      const [from, to] = w.shape as [number, number];
      // Matrix products of two axes are four times as fast as those of more.
      const product = np.matmul(x.ref.reshape([-1, from]), w).reshape([...shape.slice(0, -1), to]);
      const bias = weight(`${name}.bias`);
      return bias ? product.add(bias) : product;
    },
    add: (a, b) => a.ref.add(b.ref),
    relu: (x) => nn.relu(x.ref),
    softplus: (x) => nn.softplus(x.ref),
    softmax: (x) => nn.softmax(x.ref, -1),
    matmul: (a, b) => np.matmul(a.ref, b.ref),
    matmulTransposed: (a, b) => np.matmul(a.ref, np.swapaxes(b.ref, -1, -2)),
    mean: (x, axis) =>
      np.sum(x.ref, axis, { keepdims: true }).mul(axis === 1 ? padding.perStage.ref : padding.perDevice.ref),
    present: (x) => x.ref.mul(padding.present.ref),
    absent: (x) => np.expandDims(x.ref, 1).add(padding.absent.ref),
    squeeze: (x, axis) => np.squeeze(x.ref, axis),
    shift(x, by) {
      const length = x.shape[1] as number;
      const pads = x.shape.map((_, axis): [number, number] =>
        axis !== 1 ? [0, 0] : by === 1 ? [1, 0] : [0, 1],
      );
      const padded = np.pad(x.ref, pads);
      return by === 1 ? padded.slice([], [0, length]) : padded.slice([], [1, length + 1]);
    },
  };
}
