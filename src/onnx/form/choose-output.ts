// One of several outputs as the first: the one that is explained and measured.
import { BedsideError } from '../../util/index.ts';
import { cloneModel, type Model } from '../graph.ts';
import { withForm } from './form.ts';

/**
 * The same model with an output as its first; the others follow in their order.
 * @param model name of the model in messages
 * @throws BedsideError E_USAGE with the model's outputs where it has none of this name
 */
export function withOutputFirst(model: Model, output: string, name: string): Model {
  const { outputs } = model.graph;
  const at = outputs.findIndex((value) => value.name === output);
  if (at < 0) {
    const list = outputs.map((value) => `'${value.name}'`).join(', ');
    throw new BedsideError('E_USAGE', `${name} has no output '${output}'`, {
      hint: `its outputs are ${list}`,
    });
  }
  if (at === 0) return model;
  const result = cloneModel(model);
  const { graph } = result;
  graph.outputs = [...graph.outputs.slice(at, at + 1), ...graph.outputs.filter((_, i) => i !== at)];
  return withForm(result, {
    outputs: outputs.map((value) => ({ name: value.name, elemType: value.elemType })),
  });
}
