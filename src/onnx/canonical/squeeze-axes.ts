// A Squeeze without axes takes away whatever has size 1: at a batch of one the batch as well.

import { inferOpen } from '../batch-axis/open-batch.ts';
import { cloneModel, intConstant, ints, type Model } from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { isBareSqueeze } from '../shapes/shapes.ts';

/**
 * The model with every Squeeze that names no axes naming those that have size 1 at any batch size, so that it runs with
 * a single sample as it does with several. The model itself where there is nothing to name or the batch is fixed.
 * @throws BedsideError as `inferShapes`
 */
export function withSqueezeAxes(model: Model): Model {
  const bare = model.graph.nodes.filter(isBareSqueeze);
  if (bare.length === 0 || typeof model.graph.inputs[0]?.dims?.[0] === 'number') return model;
  const [two, three] = [inferOpen(model, 2).shapes, inferOpen(model, 3).shapes];
  const result = cloneModel(model);
  const { graph, opsets } = result;
  const names = NameAllocator.of(graph);
  for (const node of graph.nodes.filter(isBareSqueeze)) {
    const input = node.inputs[0] ?? '';
    const other = three.get(input);
    const axes = two.get(input)?.flatMap((size, axis) => (size === 1 && other?.[axis] === 1 ? [axis] : []));
    if (!axes || !other) continue;
    if ((opsets.get('') ?? 1) < 13) node.attributes.set('axes', ints(axes));
    else {
      const name = names.fresh(`${node.outputs[0]}_axes`);
      graph.constants.set(name, intConstant(axes));
      node.inputs = [input, name];
    }
  }
  return result;
}
