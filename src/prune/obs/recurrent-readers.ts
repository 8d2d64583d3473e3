// The least-squares problems of elimination inside recurrent layers: at every step the sums before the gates are linear in
// the features of the step and in the units of the step before, so the layer reads both, its own units included.
import { type RecurrentLayout, recurrentLayouts } from '../../bundle/internal.ts';
import type { Grouping } from '../../channels/index.ts';
import type { Model } from '../../onnx/index.ts';
import {
  drawPositions,
  gateMaps,
  type Matrix,
  type NetworkRun,
  type Products,
  type RepairSamples,
  sequencesOf,
} from '../../repair/internal.ts';
import { Random } from '../../util/internal.ts';
import { type OpenReader, openMatrices, unitsOf } from './readers.ts';

/** Settings for opening the readers of recurrent layers. */
export interface RecurrentReaderOptions extends NetworkRun {
  readonly maxPositions: number;
  readonly random: Random;
  /** How much each sample counts, by its index in `samples`; default all alike. */
  readonly weights?: Float64Array | undefined;
}

/**
 * Opens the maps to the gates of all recurrent layers of a network, in execution order.
 * @param importance by layer: weight of the squared error of each unit's sums; default one over the variance of the layer
 */
export async function openRecurrent(
  model: Model,
  grouping: Grouping,
  importance: ReadonlyMap<string, Float64Array>,
  samples: RepairSamples,
  products: Products,
  options: RecurrentReaderOptions,
): Promise<OpenReader[]> {
  const readers: OpenReader[] = [];
  for (const [name, layout] of recurrentLayouts(model, grouping)) {
    const sequences = await sequencesOf(model, name, samples, options);
    const steps = sequences[0]?.steps ?? 0;
    const random = new Random(options.random.integer(2 ** 31));
    const positions = drawPositions(samples.size, steps, options.maxPositions, random);
    const perSample = positions[0]?.length ?? 0;
    for (const { x, weights, columns } of placedMaps(layout, sequences, positions)) {
      const units = unitsOf(grouping, columns, layout.inputs);
      const read = { x, weights, units, perSample, importance: importance.get(name) };
      readers.push(await openMatrices(read, options.weights, products));
    }
  }
  return readers;
}

/** The maps of a layer, and of each column of what a map reads its place among the layer's inputs (features, then units). */
function placedMaps(
  { layer }: RecurrentLayout,
  sequences: Awaited<ReturnType<typeof sequencesOf>>,
  positions: readonly Int32Array[],
): { readonly x: Matrix; readonly weights: Matrix; readonly columns: readonly number[] }[] {
  return gateMaps(layer, sequences, sequences, positions).map(({ x, weights, readsInput, readsState }) => {
    const range = (from: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => from + i);
    const columns = [
      ...(readsInput ? range(0, layer.inputs) : []),
      ...(readsState ? range(layer.inputs, layer.hidden) : []),
    ];
    return { x, weights, columns };
  });
}
