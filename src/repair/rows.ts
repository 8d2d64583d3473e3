// The rows of a layer's regression: unfolded inputs and targets at sampled output positions.
import { sizeOf, type WeightedLayer } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { Random } from '../util/internal.ts';

/** Draws output positions for each sample. They do not depend on the batch size or the number of threads. */
export function drawPositions(
  samples: number,
  positions: number,
  maxRows: number,
  random: Random,
): Int32Array[] {
  const perSample = Math.max(1, Math.min(positions, Math.floor(maxRows / Math.max(1, samples))));
  const all = Int32Array.from({ length: positions }, (_, i) => i);
  return Array.from({ length: samples }, () =>
    perSample === positions ? all : random.shuffle(all.slice()).subarray(0, perSample).slice(),
  );
}

/** Input channels of one convolution group; features of a dense layer. */
export function inputsPerGroup({ kind, weightDims, groups }: WeightedLayer): number {
  if (kind === 'conv-transpose') return (weightDims[0] as number) / groups;
  return weightDims[kind === 'dense' ? 0 : 1] as number;
}

/** Unfolds one layer's input. `columns` counts the unknowns of one group, without the bias. */
export class Unfolding {
  readonly columns: number;
  /** Number of output positions of one sample, counting its merged rows (slices, leads, frames) one after the other. */
  readonly positions: number;
  readonly #layer: WeightedLayer;
  readonly #offsets: Int32Array;
  readonly #kernelPositions: number;
  /** Size of one channel of a row, for input and output. */
  readonly #plane: number;
  readonly #outputPlane: number;
  readonly #inputChannels: number;

  constructor(layer: WeightedLayer) {
    this.#layer = layer;
    const { inputShape } = layer;
    this.#inputChannels = inputShape[1] as number;
    if (layer.kind === 'dense') {
      this.#plane = 1;
      this.#outputPlane = 1;
      this.columns = layer.weightDims[0] as number;
      this.positions = sizeOf(inputShape) / this.columns;
      this.#offsets = new Int32Array(0);
      this.#kernelPositions = 1;
      return;
    }
    const conv = must(layer.conv, `${layer.name} has no convolution parameters`);
    const spatialIn = inputShape.slice(2);
    const spatialOut = layer.outputShape.slice(2);
    this.#kernelPositions = layer.kernelSize;
    this.columns = inputsPerGroup(layer) * this.#kernelPositions;
    this.#plane = sizeOf(spatialIn);
    this.#outputPlane = sizeOf(spatialOut);
    this.positions = (inputShape[0] as number) * this.#outputPlane;
    // For each output position and kernel position, the input position; -1 in the padding and between strides.
    this.#offsets = new Int32Array(this.#outputPlane * this.#kernelPositions);
    for (let o = 0; o < this.#outputPlane; o++) {
      const at = unravel(o, spatialOut);
      for (let k = 0; k < this.#kernelPositions; k++) {
        const tap = unravel(k, conv.kernel);
        let flat = 0;
        for (let axis = 0; axis < spatialIn.length; axis++) {
          const [stride, pad] = [conv.strides[axis] as number, conv.padsBegin[axis] as number];
          const [step, own] = [(tap[axis] as number) * (conv.dilations[axis] as number), at[axis] as number];
          const place =
            layer.kind === 'conv-transpose' ? (own + pad - step) / stride : own * stride - pad + step;
          if (place < 0 || place >= (spatialIn[axis] as number) || !Number.isInteger(place)) flat = -1;
          if (flat >= 0) flat = flat * (spatialIn[axis] as number) + place;
        }
        this.#offsets[o * this.#kernelPositions + k] = flat;
      }
    }
  }

  /** Writes the inputs of one group at an output position, from one sample's input, to `out[at]` and on. */
  write(input: Float32Array, group: number, position: number, out: Float64Array, at: number): void {
    if (this.#layer.kind === 'dense') {
      for (let i = 0; i < this.columns; i++) out[at + i] = input[position * this.columns + i] as number;
      return;
    }
    // Local copies: this is the innermost loop of every repair.
    const [taps, plane, offsets] = [this.#kernelPositions, this.#plane, this.#offsets];
    const channels = this.columns / taps;
    const place = position % this.#outputPlane;
    const row = ((position - place) / this.#outputPlane) * this.#inputChannels;
    const first = place * taps;
    let base = (row + group * channels) * plane;
    let to = at;
    for (let c = 0; c < channels; c++, base += plane) {
      for (let k = first; k < first + taps; k++, to++) {
        const offset = offsets[k] as number;
        out[to] = offset < 0 ? 0 : (input[base + offset] as number);
      }
    }
  }

  /** A sample's output in one channel, at a position; `values` are laid out as the layer's output. */
  channelAt(values: Float32Array, channel: number, position: number): number {
    const { channels } = this.#layer;
    const place = position % this.#outputPlane;
    const row = (position - place) / this.#outputPlane;
    return values[(row * channels + channel) * this.#outputPlane + place] as number;
  }
}

function unravel(flat: number, dims: readonly number[]): number[] {
  const result = new Array<number>(dims.length);
  let rest = flat;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    result[axis] = rest % (dims[axis] as number);
    rest = Math.floor(rest / (dims[axis] as number));
  }
  return result;
}
