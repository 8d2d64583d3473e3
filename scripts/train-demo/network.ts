// The demo's network and its forward pass in jax-js. Convolutions are sums of shifted matrix products over a
// time-major layout [time, batch, channels]: there every shift is a contiguous slice, and jax-js's matrix products run
// 30 times as fast as its convolutions (16 against 0.5 GFLOP/s, forward and backward, one thread, wasm).
import { nn, numpy as np } from '@jax-js/jax';
import type { Random } from '../../src/util/internal.ts';

/** A residual network without batch normalisation: stem, blocks that halve the time axis, mean over time, linear. */
export interface Architecture {
  readonly inputLength: number;
  readonly classes: number;
  readonly stem: { readonly channels: number; readonly kernel: number };
  /** Output channels of each block. */
  readonly blocks: readonly number[];
  readonly kernel: number;
}

export const ARCHITECTURE: Architecture = {
  inputLength: 256,
  classes: 5,
  stem: { channels: 32, kernel: 7 },
  blocks: [32, 48, 64],
  kernel: 5,
};

/** A convolution of the network; weights are stored as [kernel, in, out]. */
export interface ConvLayer {
  readonly name: string;
  readonly kernel: number;
  readonly stride: number;
  readonly input: number;
  readonly output: number;
}

/** Tensors of the network by name: `<layer>.weight`, `<layer>.bias`. */
export type Parameters = { [name: string]: np.Array };

/** The convolutions of block `index`: two in the trunk, one in the shortcut. */
export function blockLayers(
  net: Architecture,
  index: number,
): { a: ConvLayer; b: ConvLayer; shortcut: ConvLayer } {
  const input = index === 0 ? net.stem.channels : net.blocks[index - 1]!;
  const output = net.blocks[index]!;
  const name = `block${index + 1}`;
  return {
    a: { name: `${name}.conv1`, kernel: net.kernel, stride: 2, input, output },
    b: { name: `${name}.conv2`, kernel: net.kernel, stride: 1, input: output, output },
    shortcut: { name: `${name}.shortcut`, kernel: 1, stride: 2, input, output },
  };
}

/** The first convolution. */
export function stemLayer(net: Architecture): ConvLayer {
  return { name: 'stem', kernel: net.stem.kernel, stride: 2, input: 1, output: net.stem.channels };
}

/**
 * Initial values: normal with variance 2 / fan-in (He et al., ICCV 2015). A block's second convolution starts at a
 * quarter of that, so that without normalisation the sum of trunk and shortcut keeps its scale.
 */
export function initialise(
  net: Architecture,
  random: Random,
): Map<string, { dims: number[]; data: Float32Array }> {
  const values = new Map<string, { dims: number[]; data: Float32Array }>();
  const add = (name: string, dims: number[], deviation: number): void => {
    const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    if (deviation > 0) for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
    values.set(name, { dims, data });
  };
  const conv = (layer: ConvLayer, gain: number): void => {
    add(
      `${layer.name}.weight`,
      [layer.kernel, layer.input, layer.output],
      gain / Math.sqrt(layer.kernel * layer.input),
    );
    add(`${layer.name}.bias`, [layer.output], 0);
  };
  conv(stemLayer(net), Math.SQRT2);
  for (const index of net.blocks.keys()) {
    const { a, b, shortcut } = blockLayers(net, index);
    conv(a, Math.SQRT2);
    conv(b, Math.SQRT2 / 4);
    conv(shortcut, 1);
  }
  const last = net.blocks.at(-1)!;
  add('head.weight', [last, net.classes], 1 / Math.sqrt(last));
  add('head.bias', [net.classes], 0);
  return values;
}

/**
 * Lays samples out as the stem's matrix product reads them: [time, batch, kernel], zeros beyond the ends.
 * `rows` names the samples of the batch.
 */
export function stemColumns(net: Architecture, samples: Float32Array, rows: ArrayLike<number>): Float32Array {
  const { kernel } = net.stem;
  const length = net.inputLength;
  const columns = new Float32Array((length / 2) * rows.length * kernel);
  let at = 0;
  for (let t = 0; t < length / 2; t++) {
    for (let row = 0; row < rows.length; row++) {
      const start = rows[row]! * length;
      for (let k = 0; k < kernel; k++, at++) {
        const n = 2 * t + k - (kernel - 1) / 2;
        if (n >= 0 && n < length) columns[at] = samples[start + n]!;
      }
    }
  }
  return columns;
}

/** Logits [batch, classes] from stem columns [time, batch, kernel]. Takes ownership of both arguments. */
export function forward(net: Architecture, parameters: Parameters, columns: np.Array): np.Array {
  const take = (name: string): np.Array => parameters[name]!.ref;
  const [time, batch, kernel] = columns.shape as [number, number, number];
  const stemWeight = take('stem.weight').reshape([kernel, net.stem.channels]);
  let x = np.matmul(columns.reshape([time * batch, kernel]), stemWeight).add(take('stem.bias'));
  x = nn.relu(x.reshape([time, batch, net.stem.channels]));
  for (const index of net.blocks.keys()) {
    const { a, b, shortcut } = blockLayers(net, index);
    const conv = (layer: ConvLayer, input: np.Array): np.Array =>
      convolve(layer, input, take(`${layer.name}.weight`), take(`${layer.name}.bias`));
    const trunk = conv(b, nn.relu(conv(a, x.ref)));
    x = nn.relu(trunk.add(conv(shortcut, x)));
  }
  const logits = np.matmul(np.mean(x, 0), take('head.weight')).add(take('head.bias'));
  for (const value of Object.values(parameters)) value.dispose();
  return logits;
}

// x [time, batch, in] -> [time / stride, batch, out], padded with zeros by (kernel - 1) / 2 on both sides.
function convolve(layer: ConvLayer, x: np.Array, weight: np.Array, bias: np.Array): np.Array {
  const { kernel, stride, input, output } = layer;
  const [time, batch] = x.shape as [number, number, number];
  const steps = time / stride;
  const pad = (kernel - 1) / 2;
  // The right end is filled up to whole strides, so that time splits into [step, phase].
  const padded = Math.ceil((time + 2 * pad) / stride) * stride;
  const widened =
    pad === 0
      ? x
      : np.pad(x, [
          [pad, padded - time - pad],
          [0, 0],
          [0, 0],
        ]);
  const phases = widened.reshape([padded / stride, stride, batch, input]);
  let sum: np.Array | undefined;
  for (let k = 0; k < kernel; k++) {
    const first = Math.floor(k / stride);
    const shifted = phases.ref.slice([first, first + steps], k % stride).reshape([steps * batch, input]);
    const product = np.matmul(shifted, weight.ref.slice(k));
    sum = sum === undefined ? product : sum.add(product);
  }
  phases.dispose();
  weight.dispose();
  return sum!.add(bias).reshape([steps, batch, output]);
}
