// The inputs of a layer's regression: what the layer reads in the current network.
import type { Model } from '../onnx/index.ts';
import type { WeightedLayer } from '../onnx/internal.ts';
import type { RepairSamples } from './augment.ts';
import type { Matrix } from './products.ts';
import { Unfolding } from './rows.ts';
import type { SamplePositions } from './sample-positions.ts';
import { type NetworkRun, visitValues } from './values.ts';

/** The inputs of a layer at its sample positions. */
export interface LayerInputs {
  /** One matrix for each convolution group, `[rows, unknowns]`; the last column is 1 for the bias. */
  readonly x: readonly Matrix[];
  /** `[rows, channels]`: the other branch of a sum at the layer's sample positions; undefined where there is none. */
  readonly minus: Float32Array | undefined;
}

/** Runs the network up to the layer and unfolds its inputs. */
export async function collectInputs(
  model: Model,
  layer: WeightedLayer,
  sampled: SamplePositions,
  minus: string | undefined,
  samples: RepairSamples,
  options: NetworkRun,
): Promise<LayerInputs> {
  const unfolding = new Unfolding(layer);
  const { groups } = layer;
  const width = unfolding.columns + (takesBias(layer) ? 1 : 0);
  const { rows, perSample } = sampled;
  const x = Array.from({ length: groups }, () => ({
    rows,
    columns: width,
    data: new Float64Array(rows * width),
  }));
  const other = minus === undefined ? undefined : new Float32Array(rows * layer.channels);
  const values = minus === undefined ? [layer.input] : [layer.input, minus];
  await visitValues(model, values, samples, options, (sample, read) => {
    const source = read(layer.input);
    const branch = minus === undefined ? undefined : read(minus);
    const own = sampled.positions[sample] as Int32Array;
    own.forEach((position, k) => {
      const row = sample * perSample + k;
      for (let g = 0; g < groups; g++) {
        const { data } = x[g] as Matrix;
        unfolding.write(source, g, position, data, row * width);
        if (width > unfolding.columns) data[row * width + width - 1] = 1;
      }
      if (!branch || !other) return;
      for (let c = 0; c < layer.channels; c++) {
        other[row * layer.channels + c] = unfolding.channelAt(branch, c, position);
      }
    });
  });
  return { x, minus: other };
}

/** Whether the layer's operator has a place for a bias. */
export function takesBias(layer: WeightedLayer): boolean {
  return layer.node.op !== 'MatMul';
}
