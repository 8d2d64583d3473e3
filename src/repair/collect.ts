// The inputs of a layer's regression: what the layer reads in the current network.
import type { WeightedLayer } from '../onnx/internal.ts';
import type { Matrix } from './products.ts';
import { RowMemory } from './row-memory.ts';
import { Unfolding } from './rows.ts';
import type { SamplePositions } from './sample-positions.ts';
import type { Visitor } from './walk.ts';

/** The inputs of a layer at its sample positions. */
export interface LayerInputs {
  /** One matrix for each convolution group, `[rows, unknowns]`; the last column is 1 for the bias. */
  readonly x: readonly Matrix[];
  /** `[rows, channels]`: the other branch of a sum at the layer's sample positions; undefined where there is none. */
  readonly minus: Float32Array | undefined;
}

/** The inputs of a layer's regression, filled sample by sample. */
export class InputRows implements LayerInputs {
  readonly x: readonly Matrix[];
  readonly minus: Float32Array | undefined;
  readonly #layer: WeightedLayer;
  readonly #sampled: SamplePositions;
  readonly #branch: string | undefined;
  readonly #unfolding: Unfolding;

  private constructor(
    layer: WeightedLayer,
    sampled: SamplePositions,
    minus: string | undefined,
    memory: RowMemory,
  ) {
    this.#layer = layer;
    this.#sampled = sampled;
    this.#branch = minus;
    this.#unfolding = new Unfolding(layer);
    const { rows } = sampled;
    const columns = this.#unfolding.columns + (takesBias(layer) ? 1 : 0);
    const each = rows * columns;
    const all = memory.take(layer.groups * each);
    this.x = Array.from({ length: layer.groups }, (_, g): Matrix => {
      return { rows, columns, data: all.subarray(g * each, (g + 1) * each) };
    });
    this.minus = minus === undefined ? undefined : new Float32Array(rows * layer.channels);
  }

  /** Rows that `add` fills. */
  static empty(
    layer: WeightedLayer,
    sampled: SamplePositions,
    minus?: string,
    memory = new RowMemory(),
  ): InputRows {
    return new InputRows(layer, sampled, minus, memory);
  }

  /**
   * Fills the rows by a run that shows the layer's input, and the other branch, of every sample.
   * @param memory of rows that are no longer read
   */
  static async collect(
    layer: WeightedLayer,
    sampled: SamplePositions,
    minus: string | undefined,
    run: (visit: Visitor) => Promise<void>,
    memory = new RowMemory(),
  ): Promise<LayerInputs> {
    const rows = new InputRows(layer, sampled, minus, memory);
    await run((sample, read) => rows.add(sample, read));
    return rows;
  }

  /** Writes the rows of one sample. */
  add(sample: number, read: (value: string) => Float32Array): void {
    const { groups, channels, input } = this.#layer;
    const unfolding = this.#unfolding;
    const source = read(input);
    const branch = this.#branch === undefined ? undefined : read(this.#branch);
    const own = this.#sampled.positions[sample] as Int32Array;
    const first = sample * this.#sampled.perSample;
    for (let g = 0; g < groups; g++) {
      const { data, columns: width } = this.x[g] as Matrix;
      for (let k = 0; k < own.length; k++) {
        const at = (first + k) * width;
        unfolding.write(source, g, own[k] as number, data, at);
        if (width > unfolding.columns) data[at + width - 1] = 1;
      }
    }
    const other = this.minus;
    if (!branch || !other) return;
    for (let k = 0; k < own.length; k++) {
      const at = (first + k) * channels;
      for (let c = 0; c < channels; c++) other[at + c] = unfolding.channelAt(branch, c, own[k] as number);
    }
  }
}

/** Whether the layer's operator has a place for a bias. */
export function takesBias(layer: WeightedLayer): boolean {
  return layer.node.op !== 'MatMul';
}
