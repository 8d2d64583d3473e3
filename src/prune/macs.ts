// Multiply-accumulates of a model as it would be after a cut, without cutting it.
import { type Model, modelCosts } from '../onnx/index.ts';
import type { Grouping } from './groups.ts';
import { type Keep, keptPositions } from './keep.ts';
import { isDepthwise, layerLayout } from './layers.ts';

/**
 * A function from a plan to the multiply-accumulates of the cut model, for one sample. Equal to what `modelCosts`
 * says of the result of `sliceModel`, since a layer's count is proportional to its input and to its output channels.
 * @throws BedsideError as `modelCosts`; the function, as `sliceModel`
 */
export function macsCounter(model: Model, grouping: Grouping): (keep: Keep) => number {
  const { graph } = model;
  const costs = modelCosts(model);
  const layers = graph.nodes.flatMap((node, index) => {
    const layout = layerLayout(graph, node, (name) => grouping.shapes.get(name));
    return layout ? [{ node, layout, macs: costs.nodes[index]?.macs ?? 0 }] : [];
  });
  return (keep) => {
    const positions = keptPositions(grouping, keep);
    let total = costs.macs;
    for (const { node, layout, macs } of layers) {
      const input = positions(node.inputs[layout.data] ?? '')?.length ?? layout.inChannels;
      const output = positions(node.outputs[0] ?? '')?.length ?? layout.outChannels;
      const inputs = isDepthwise(layout) ? 1 : input / layout.inChannels;
      total -= macs * (1 - (output / layout.outChannels) * inputs);
    }
    return Math.round(total);
  };
}
