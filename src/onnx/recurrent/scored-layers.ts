// All layers whose output channels criteria score: weighted layers, and recurrent layers with their hidden units.
import { sampleShapes } from '../batch-axis/sample-shapes.ts';
import type { Graph, Model, Node } from '../graph.ts';
import { type WeightedLayer, weightedLayer } from '../layers/weighted-layer.ts';
import { type RecurrentLayer, recurrentLayer, UNIT_AXES } from './recurrent-layer.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * The weighted and the recurrent layers in execution order.
 * @throws BedsideError E_UNSUPPORTED as `weightedLayers`
 */
export function scoredLayers(model: Model, shapes: Shapes = sampleShapes(model)): WeightedLayer[] {
  return model.graph.nodes.flatMap((node) => scoredLayer(model.graph, node, shapes) ?? []);
}

/** The weighted or recurrent layer that a node is. */
export function scoredLayer(graph: Graph, node: Node, shapes: Shapes): WeightedLayer | undefined {
  const recurrent = recurrentLayer(graph, node);
  return recurrent ? asWeighted(recurrent, shapes) : weightedLayer(graph, node, shapes);
}

/** A recurrent layer as a weighted one: a column of `weight` holds all weights into one hidden unit. */
function asWeighted(layer: RecurrentLayer, shapes: Shapes): WeightedLayer {
  const { node, directions, gates, hidden, inputs } = layer;
  const given = node.outputs.findIndex(Boolean);
  const [input, output] = [node.inputs[0] ?? '', node.outputs[given] ?? ''];
  return {
    name: node.name,
    node,
    input,
    output,
    get inputShape() {
      return shapes.get(input) ?? [];
    },
    get outputShape() {
      return shapes.get(output) ?? [];
    },
    channelAxis: UNIT_AXES[given] ?? 2,
    channels: hidden,
    groups: 1,
    kernelSize: 1,
    kind: 'recurrent',
    get weight() {
      return weightsByUnit(layer);
    },
    weightDims: [directions * gates * (inputs + hidden), hidden],
    bias: undefined,
    conv: undefined,
  };
}

/** `[directions * gates * (inputs + hidden), hidden]`: of each gate, the weights of the input, then of the state. */
function weightsByUnit({
  directions,
  gates,
  hidden,
  inputs,
  weight,
  recurrence,
}: RecurrentLayer): Float32Array {
  const result = new Float32Array(directions * gates * (inputs + hidden) * hidden);
  let to = 0;
  for (let block = 0; block < directions * gates; block++) {
    for (const [{ data }, width] of [
      [weight, inputs],
      [recurrence, hidden],
    ] as const) {
      for (let i = 0; i < width; i++) {
        for (let unit = 0; unit < hidden; unit++)
          result[to++] = data[(block * hidden + unit) * width + i] as number;
      }
    }
  }
  return result;
}
