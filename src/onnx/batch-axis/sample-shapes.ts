// Shapes of single samples.

import type { Model } from '../graph.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { batchAxes } from './batch-axes.ts';
import { fixedBatchOf } from './fixed-batch.ts';

/**
 * The shape of every value for one sample, whatever batch the model fixes: the axis of the samples has as many
 * positions as one of them takes. Values whose samples are not known keep the shape of the fixed batch.
 * @throws BedsideError as `inferShapes`
 */
export function sampleShapes(model: Model): Map<string, number[]> {
  const shapes = inferShapes(model, 1);
  if ((fixedBatchOf(model) ?? 1) === 1) return shapes;
  for (const [name, place] of batchAxes(model)) {
    const shape = shapes.get(name);
    if (shape && place.kind === 'axis') shape[place.axis] = place.before * place.after;
  }
  return shapes;
}
