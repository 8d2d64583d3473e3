// Writes new weights of a layer into its model.
import type { Model } from '../onnx/index.ts';
import {
  cloneModel,
  floatConstant,
  GraphBuilder,
  int,
  type WeightedLayer,
  weightedLayers,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';

/**
 * The model with a layer's weight (laid out as in `WeightedLayer`) and bias replaced. Constants that other nodes read
 * too are kept for them. `bias` is undefined where the operator takes none.
 */
export function setWeights(
  model: Model,
  layer: WeightedLayer,
  weight: Float32Array,
  bias: Float32Array | undefined,
): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const node = must(
    graph.nodes.find((candidate) => candidate.name === layer.name),
    `no layer '${layer.name}'`,
  );
  const builder = new GraphBuilder(graph);
  const old = [node.inputs[1], node.inputs[2]];
  node.inputs = [
    node.inputs[0] as string,
    builder.constant(floatConstant(weight, layer.weightDims), `${layer.name}.weight`),
  ];
  if (bias) node.inputs.push(builder.constant(floatConstant(bias), `${layer.name}.bias`));
  if (node.op === 'Gemm') {
    // `WeightedLayer` has alpha and beta folded in, and the weight as [in, out].
    node.attributes.delete('alpha');
    node.attributes.delete('beta');
    node.attributes.set('transB', int(0));
  }
  const read = new Set(graph.nodes.flatMap((candidate) => candidate.inputs));
  for (const name of old) if (name && !read.has(name)) graph.constants.delete(name);
  return result;
}

/**
 * The same network in the form that repaired weights are stored for: every layer that can have a bias has one, and
 * dense layers are stored as `[in, out]` without alpha and beta.
 */
export function withBiases(model: Model): Model {
  return weightedLayers(model)
    .filter((layer) => layer.node.op !== 'MatMul')
    .reduce((result, layer) => {
      const bias = layer.bias ?? new Float32Array(layer.channels);
      return setWeights(result, layer, layer.weight, bias);
    }, model);
}
