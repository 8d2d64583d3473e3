// The one input of a classifier.
import { BedsideError } from '../util/index.ts';
import type { Model } from './graph.ts';

/**
 * The name of the model's one input.
 * @throws BedsideError E_UNSUPPORTED when it has none or several
 */
export function soleInput(model: Model): string {
  const [input, ...others] = model.graph.inputs;
  if (!input || others.length > 0) {
    throw new BedsideError('E_UNSUPPORTED', `the model has ${model.graph.inputs.length} inputs, not one`, {
      hint: 'load it with loadNetwork, which makes one input of several',
    });
  }
  return input.name;
}
