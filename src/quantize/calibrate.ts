// Ranges of values from a few samples, for graphs whose weights are rounded as they are.
import type { Dataset } from '../data/index.ts';
import type { Model } from '../onnx/index.ts';
import { sampleShapes, sizeOf } from '../onnx/internal.ts';
import { copiesOf, type NetworkRun, repairSamples } from '../repair/internal.ts';
import { must } from '../util/index.ts';
import { Random, type ValueRange } from '../util/internal.ts';
import { meanSquareLost, RANGE_METHODS, rangeBy } from './ranges.ts';
import { batchWithin, valueStatistics } from './statistics.ts';

/** Whether all samples are copies of one: their ranges would hold that one alone. */
export function areCopies({ samples, size }: Dataset): boolean {
  const width = samples.length / size;
  return samples.every((value, at) => value === samples[at % width]);
}

/**
 * The range of each value: chosen among all methods on some of the samples by the squared error on the others, then taken
 * on all.
 * @param calibration unlabelled samples; mixtures of them are added, as for repair
 * @throws BedsideError E_NOT_FINITE for a value that is NaN or infinite on some sample
 */
export async function calibratedRanges(
  model: Model,
  values: readonly string[],
  calibration: Dataset,
  run: NetworkRun & { readonly seed: number },
): Promise<ReadonlyMap<string, ValueRange>> {
  const samples = repairSamples(calibration, copiesOf(calibration.size), new Random(run.seed));
  const shapes = sampleShapes(model);
  const sizes = values.map((value) => sizeOf(shapes.get(value) ?? []));
  const statistics = await valueStatistics(model, values, samples, {
    ...run,
    batch: batchWithin(run.batch, sizes),
  });
  return new Map(
    values.map((value) => {
      const { fit, held, all } = must(statistics.get(value), `statistics of '${value}'`);
      const lost = RANGE_METHODS.map((method) =>
        meanSquareLost(held.values, rangeBy(method, fit, undefined)),
      );
      const method = must(RANGE_METHODS[lost.indexOf(Math.min(...lost))], 'a method');
      return [value, rangeBy(method, all, undefined)];
    }),
  );
}
