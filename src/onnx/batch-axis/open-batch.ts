// Shapes at several batch sizes of a model that leaves its batch open, and the truth where that is not so.
import { BedsideError } from '../../util/index.ts';
import type { Model, Value } from '../graph.ts';
import type { Inferred } from '../shapes/context.ts';
import { inferValues } from '../shapes/shapes.ts';

/**
 * Shapes and known values at a batch size of a model.
 * @param given as for `inferValues`
 * @throws BedsideError E_UNSUPPORTED where they contradict each other, but not with a single sample: the model declares
 * a batch that it does not take
 */
export function inferOpen(model: Model, batch: number, given?: ReadonlyMap<string, Value>): Inferred {
  try {
    return inferValues(model, batch, undefined, given);
  } catch (error) {
    if (!BedsideError.is(error, 'E_MODEL') || !worksAlone(model, given)) throw error;
    const message = `the model declares an open batch, but works with one sample alone; with ${batch}: ${error.message}`;
    throw new BedsideError('E_UNSUPPORTED', message, {
      hint: 'export it with sizes that follow the batch, or with a first axis of 1',
      cause: error,
    });
  }
}

function worksAlone(model: Model, given?: ReadonlyMap<string, Value>): boolean {
  try {
    inferValues(model, 1, undefined, given);
    return typeof model.graph.inputs[0]?.dims?.[0] !== 'number';
  } catch {
    return false;
  }
}
