// Convolutions and pools as explicit terms (see terms.ts), for any number of spatial axes.
import type { Node } from '../../onnx/internal.ts';
import { intOf, intsOf } from './attributes.ts';
import { type Doubles, flatOf, positions } from './positions.ts';
import { type Linear, noBias, type Operation, type Term } from './terms.ts';

interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

function windowOf(node: Node, kernel: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const pads = intsOf(node, 'pads', [...ones, ...ones].fill(0));
  return {
    kernel,
    strides: intsOf(node, 'strides', ones),
    dilations: intsOf(node, 'dilations', ones),
    begin: pads.slice(0, kernel.length),
    end: pads.slice(kernel.length),
  };
}

/** How far a window reaches: `dilation * (kernel - 1) + 1`. */
function extent(window: Window, axis: number): number {
  return at(window.dilations, axis) * (at(window.kernel, axis) - 1) + 1;
}

function slidingOutput(window: Window, spatial: readonly number[], ceilMode: boolean): number[] {
  return spatial.map((size, axis) => {
    const room = size + at(window.begin, axis) + at(window.end, axis) - extent(window, axis);
    const steps = room / at(window.strides, axis);
    if (!ceilMode) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    const lastStart = (count - 1) * at(window.strides, axis);
    return lastStart >= size + at(window.begin, axis) ? count - 1 : count;
  });
}

/** The input position that kernel position `k` of the window at output position `p` reads. */
function reads(window: Window, p: readonly number[], k: readonly number[]): number[] {
  return p.map(
    (place, axis) =>
      place * at(window.strides, axis) + at(k, axis) * at(window.dilations, axis) - at(window.begin, axis),
  );
}

export function conv({ node, inputs }: Operation): Linear {
  const [x, w, b] = inputs as [Doubles, Doubles, Doubles | undefined];
  const [batch, inChannels, ...spatial] = x.dims as [number, number, ...number[]];
  const [channels, perGroup, ...kernel] = w.dims as [number, number, ...number[]];
  const window = windowOf(node, kernel);
  const groups = intOf(node, 'group', 1);
  const outSpatial = slidingOutput(window, spatial, false);
  const dims = [batch, channels, ...outSpatial];
  const terms: Term[] = [];
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < channels; o++) {
      const group = Math.floor(o / (channels / groups));
      for (const p of positions(outSpatial)) {
        const out = flatOf([n, o, ...p], dims);
        for (let i = 0; i < perGroup; i++) {
          const channel = group * (inChannels / groups) + i;
          for (const k of positions(kernel)) {
            const from = flatOf([n, channel, ...reads(window, p, k)], x.dims);
            if (from < 0) continue;
            terms.push({ out, operand: 0, at: from, weight: w.data[flatOf([o, i, ...k], w.dims)] as number });
          }
        }
      }
    }
  }
  return { dims, terms, bias: channelBias(dims, b) };
}

/** `out[n, o, p * stride + k * dilation - pad] += x[n, i, p] * w[i, o, k]`. */
export function convTranspose({ node, inputs }: Operation): Linear {
  const [x, w, b] = inputs as [Doubles, Doubles, Doubles | undefined];
  const [batch, inChannels, ...spatial] = x.dims as [number, number, ...number[]];
  const [, perGroup, ...kernel] = w.dims as [number, number, ...number[]];
  const window = windowOf(node, kernel);
  const groups = intOf(node, 'group', 1);
  const extra = intsOf(
    node,
    'output_padding',
    kernel.map(() => 0),
  );
  const outSpatial = spatial.map(
    (size, axis) =>
      (size - 1) * at(window.strides, axis) +
      extent(window, axis) -
      at(window.begin, axis) -
      at(window.end, axis) +
      at(extra, axis),
  );
  const dims = [batch, perGroup * groups, ...outSpatial];
  const terms: Term[] = [];
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < inChannels; i++) {
      const group = Math.floor(i / (inChannels / groups));
      for (const p of positions(spatial)) {
        const from = flatOf([n, i, ...p], x.dims);
        for (let o = 0; o < perGroup; o++) {
          for (const k of positions(kernel)) {
            const out = flatOf([n, group * perGroup + o, ...reads(window, p, k)], dims);
            if (out < 0) continue;
            terms.push({ out, operand: 0, at: from, weight: w.data[flatOf([i, o, ...k], w.dims)] as number });
          }
        }
      }
    }
  }
  return { dims, terms, bias: channelBias(dims, b) };
}

/** The first of the largest values of each window. */
export function maxPool({ node, inputs }: Operation): Linear {
  const [x] = inputs as [Doubles];
  const window = windowOf(node, intsOf(node, 'kernel_shape', []));
  return pooled(node, x, window, (out, read) => {
    const winner = read.reduce((best, from) =>
      (x.data[from] as number) > (x.data[best] as number) ? from : best,
    );
    return [{ out, operand: 0, at: winner, weight: 1 }];
  });
}

export function averagePool({ node, inputs }: Operation): Linear {
  const [x] = inputs as [Doubles];
  const window = windowOf(node, intsOf(node, 'kernel_shape', []));
  const countPad = intOf(node, 'count_include_pad', 0) === 1;
  const padded = x.dims.slice(2).map((size, axis) => size + at(window.begin, axis) + at(window.end, axis));
  return pooled(node, x, window, (out, read, p) => {
    // With padding counted, the divisor is every place of the window inside the padded input.
    const inside = positions(window.kernel).filter((k) =>
      reads(window, p, k).every((place, axis) => place + at(window.begin, axis) < at(padded, axis)),
    );
    const weight = 1 / (countPad ? inside.length : read.length);
    return read.map((from) => ({ out, operand: 0, at: from, weight }));
  });
}

function pooled(
  node: Node,
  x: Doubles,
  window: Window,
  termsOf: (out: number, read: number[], p: readonly number[]) => Term[],
): Linear {
  const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
  const outSpatial = slidingOutput(window, spatial, intOf(node, 'ceil_mode', 0) === 1);
  const dims = [batch, channels, ...outSpatial];
  const terms = positions(dims).flatMap(([n, c, ...p], out) => {
    const read = positions(window.kernel)
      .map((k) => flatOf([n as number, c as number, ...reads(window, p, k)], x.dims))
      .filter((from) => from >= 0);
    return termsOf(out, read, p);
  });
  return { dims, terms, bias: noBias };
}

function channelBias(dims: readonly number[], b: Doubles | undefined): (out: number) => number {
  const channels = dims[1] as number;
  const plane = dims.slice(2).reduce((a, c) => a * c, 1);
  return (out) => (b ? (b.data[Math.floor(out / plane) % channels] as number) : 0);
}

function at(list: readonly number[], index: number): number {
  return list[index] as number;
}
