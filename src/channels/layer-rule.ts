// The channel rule of weighted layers: their output gets new variables, and they are recorded as readers of their
// input's variables.
import { isDepthwise, type LayerLayout, layerLayout, type Node, opOf } from '../onnx/internal.ts';
import type { Label } from './channels.ts';
import { uncuttable, weightInput } from './fixed-layers.ts';
import { product } from './products.ts';
import type { Propagation } from './propagation.ts';

/** Conv, ConvTranspose, Gemm and MatMul. */
export function weightedLayerRule(walk: Propagation, node: Node): void {
  const layout = layerLayout(walk.graph, node, (name) => walk.shape(name));
  if (!layout) {
    if (opOf(node) === 'MatMul' && weightInput(walk, node) === undefined) product(walk, node);
    else uncuttable(walk, node);
    return;
  }
  const input = readable(walk, node, layout);
  const shared = input !== undefined && isDepthwise(layout);
  const ids = shared ? depthwiseOutput(input, layout) : newOutput(walk, layout);
  walk.addLayer(node, ids, layout.weight === 0);
  walk.set(node.outputs[0], { axis: layout.outputAxis, ids });
  if (!input || shared) return;
  walk.variables.tieParts(input.ids, layout.groups);
  walk.readers.push({ name: node.name, ids: input.ids });
}

/** The channels that the layer sums over, if they lie on that axis; otherwise it would mix them, so they stay. */
function readable(walk: Propagation, node: Node, layout: LayerLayout): Label | undefined {
  const label = walk.label(node.inputs[layout.data]);
  if (!label) return undefined;
  if (label.axis === layout.dataAxis && label.ids.length === layout.inChannels) return label;
  walk.freeze(label, node, 'works along another axis than theirs');
  return undefined;
}

/** The outputs of an input channel are neighbours: output o belongs to channel floor(o / multiplier). */
function depthwiseOutput(input: Label, layout: LayerLayout): Int32Array {
  const multiplier = layout.outChannels / layout.inChannels;
  return Int32Array.from(
    { length: layout.outChannels },
    (_, o) => input.ids[Math.floor(o / multiplier)] as number,
  );
}

function newOutput(walk: Propagation, layout: LayerLayout): Int32Array {
  const ids = walk.variables.create(layout.outChannels);
  walk.variables.tieParts(ids, layout.groups);
  return ids;
}
