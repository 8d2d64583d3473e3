// The unpruned network's values at the positions where its layers are fitted: computed once, for any number of repairs.
import type { Model } from '../onnx/index.ts';
import type { WeightedLayer } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { RepairSamples } from './augment.ts';
import { Unfolding } from './rows.ts';
import type { SamplePositions } from './sample-positions.ts';
import { type NetworkRun, visitValues } from './values.ts';

/**
 * A layer of the unpruned network to refit, its positions, and the values to fit it to (all shaped like its output).
 */
export interface RefitTask {
  readonly layer: WeightedLayer;
  readonly sampled: SamplePositions;
  readonly values: readonly string[];
}

/** Values of the unpruned network at the positions of its layers. */
export class ReferenceActivations {
  readonly #values = new Map<string, Float32Array>();

  private constructor() {}

  /** Runs the unpruned network over the samples once. */
  static async collect(
    model: Model,
    tasks: readonly RefitTask[],
    samples: RepairSamples,
    options: NetworkRun,
  ): Promise<ReferenceActivations> {
    const reference = new ReferenceActivations();
    const wanted = tasks.flatMap(({ layer, sampled, values }) => {
      const unfolding = new Unfolding(layer);
      return [...new Set(values)].map((value) => {
        const rows = new Float32Array(sampled.rows * layer.channels);
        reference.#values.set(keyOf(layer.name, value), rows);
        return { layer, sampled, value, unfolding, rows };
      });
    });
    const names = wanted.map(({ value }) => value);
    await visitValues(model, names, samples, options, (sample, read) => {
      for (const { layer, sampled, value, unfolding, rows } of wanted) {
        const data = read(value);
        const positions = sampled.positions[sample] as Int32Array;
        positions.forEach((position, k) => {
          const at = (sample * sampled.perSample + k) * layer.channels;
          for (let c = 0; c < layer.channels; c++) {
            rows[at + c] = unfolding.channelAt(data, c, position);
          }
        });
      }
    });
    return reference;
  }

  /** A value at a layer's positions, `[rows, channels]`. */
  valuesAt(layer: string, value: string): Float32Array {
    return must(this.#values.get(keyOf(layer, value)), `'${value}' was not collected for '${layer}'`);
  }
}

function keyOf(layer: string, value: string): string {
  return JSON.stringify([layer, value]);
}
