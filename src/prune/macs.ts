// Multiply-accumulates of a model as it would be after a cut, without cutting it.
import { constantInput, type Model, type Node, opOf, sizeOf } from '../onnx/index.ts';
import type { Grouping } from './groups.ts';
import { type Keep, keptPositions } from './keep.ts';
import { isDepthwise, type LayerLayout, layerLayout } from './layers.ts';

/**
 * A function from a plan to the multiply-accumulates of the cut model, for one sample: those of its weighted layers.
 * Equal to counting them on the result of `sliceModel`.
 */
export function macsCounter(model: Model, grouping: Grouping): (keep: Keep) => number {
  const shape = (name: string): readonly number[] | undefined =>
    grouping.shapes.get(name) ?? model.graph.constants.get(name)?.dims;
  const layers = model.graph.nodes.flatMap((node) => {
    const layout = layerLayout(model.graph, node, shape);
    return layout ? [{ node, layout, macs: layerMacs(model, node, layout, shape) }] : [];
  });
  return (keep) => {
    const positions = keptPositions(grouping, keep);
    let total = 0;
    for (const { node, layout, macs } of layers) {
      const input = positions(node.inputs[layout.data] ?? '')?.length;
      const output = positions(node.outputs[0] ?? '')?.length;
      const outputs = (output ?? layout.outChannels) / layout.outChannels;
      const inputs = isDepthwise(layout) ? 1 : (input ?? layout.inChannels) / layout.inChannels;
      total += macs * outputs * inputs;
    }
    return Math.round(total);
  };
}

/** Every output position needs each weight of its channel once; transposed convolutions, every input position. */
function layerMacs(
  model: Model,
  node: Node,
  layout: LayerLayout,
  shape: (name: string) => readonly number[] | undefined,
): number {
  const weights = sizeOf(constantInput(model.graph, node, layout.weight)?.dims ?? []);
  const scattered = opOf(node) === 'ConvTranspose';
  const dims = shape((scattered ? node.inputs[layout.data] : node.outputs[0]) ?? '') ?? [];
  return (
    weights * sizeOf(dims.filter((_, axis) => axis !== (scattered ? layout.dataAxis : layout.outputAxis)))
  );
}
