// Weighted layers together with a bias that follows as a node of its own, for passes that look at their outputs: a
// MatMul of more than two axes cannot take a bias.
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  biasBehind,
  type Graph,
  type Node,
  scoredLayer,
  viewOf,
  type WeightedLayer,
} from '../../onnx/internal.ts';

/** The layers of a canonical model by name, and the nodes that are their biases. */
export interface BiasedLayers {
  /** In execution order; `output` is the value behind the bias. */
  readonly layers: ReadonlyMap<string, WeightedLayer>;
  /** Messages at the outputs of these nodes belong to the layer. */
  readonly biases: ReadonlySet<Node>;
}

/**
 * Finds the weighted layers and their biases.
 * @throws BedsideError as `weightedLayer`
 */
export function biasedLayers(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>): BiasedLayers {
  const layers = new Map<string, WeightedLayer>();
  const biases = new Set<Node>();
  const view = viewOf(graph, shapes);
  for (const node of graph.nodes) {
    const layer = scoredLayer(graph, node, shapes);
    if (!layer) continue;
    const behind = layer.bias || layer.kind === 'recurrent' ? undefined : biasBehind(graph, node, view);
    if (behind) biases.add(behind.node);
    layers.set(node.name, behind ? withBias(layer, behind.node.outputs[0] as string, behind.bias) : layer);
  }
  return { layers, biases };
}

/** The same layers as a list. */
export function layersWithBias(model: Model, shapes = inferShapes(model, 1)): WeightedLayer[] {
  return [...biasedLayers(model.graph, shapes).layers.values()];
}

/** Shapes stay lazy, since they may be unknown. */
function withBias(layer: WeightedLayer, output: string, bias: Float32Array): WeightedLayer {
  const own = Object.getOwnPropertyDescriptors(layer);
  return Object.defineProperties({} as WeightedLayer, {
    ...own,
    output: { ...own.output, value: output },
    bias: { ...own.bias, value: bias },
  });
}
