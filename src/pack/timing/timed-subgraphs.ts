// The subgraphs that are timed: each weighted layer with the nodes up to the next one, and each stage.
import type { BundleStage } from '../../bundle/internal.ts';
import { type Grouping, type KeptUnits, sliceModel } from '../../channels/index.ts';
import { keptPositions } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import {
  type BatchPlace,
  cloneModel,
  extractSubgraph,
  isBatchFirst,
  type Node,
  readsOf,
} from '../../onnx/internal.ts';

/**
 * One subgraph for each weighted layer: its nodes up to the next weighted layer in execution order. Nodes before the
 * first layer of a stage belong to that layer.
 */
export function layerSubgraphs(
  model: Model,
  stages: readonly Pick<BundleStage, 'nodes' | 'layers'>[],
): Map<string, Model> {
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const subgraphs = new Map<string, Model>();
  for (const stage of stages) {
    const runs = new Map<string, string[]>();
    let [current] = stage.layers;
    if (current === undefined) continue;
    for (const name of stage.nodes) {
      if (stage.layers.includes(name)) current = name;
      const run = runs.get(current);
      if (run) run.push(name);
      else runs.set(current, [name]);
    }
    for (const [layer, names] of runs) {
      subgraphs.set(
        layer,
        subgraphOf(
          model,
          names.flatMap((name) => nodes.get(name) ?? []),
        ),
      );
    }
  }
  return subgraphs;
}

/** One stage as a model. */
export function stageSubgraph(model: Model, { input, output }: Pick<BundleStage, 'input' | 'output'>): Model {
  return extractSubgraph(model, [input], [output]);
}

/**
 * Fixes the number of samples in the inputs whose samples are not alone on the first axis. Other inputs keep an open
 * batch.
 * @param places where samples lie in the values of the whole model
 */
export function withSamples(
  subgraph: Model,
  places: ReadonlyMap<string, BatchPlace>,
  samples: number,
): Model {
  const inputs = subgraph.graph.inputs.map((input) => {
    const place = places.get(input.name);
    if (place?.kind !== 'axis' || isBatchFirst(place)) return input;
    const size = place.before * place.after * samples;
    return { ...input, dims: input.dims?.map((dim, axis) => (axis === place.axis ? size : dim)) };
  });
  return { ...subgraph, graph: { ...subgraph.graph, inputs } };
}

/** Some nodes as a model: its inputs are the values that they read, its outputs those that other nodes read. */
function subgraphOf(model: Model, nodes: readonly Node[]): Model {
  const { graph } = model;
  const own = new Set(nodes);
  const made = new Set(nodes.flatMap((node) => node.outputs).filter(Boolean));
  const needed = new Set(graph.outputs.map(({ name }) => name));
  for (const node of graph.nodes) if (!own.has(node)) for (const name of readsOf(node)) needed.add(name);
  const inputs = nodes.flatMap(readsOf).filter((name) => !made.has(name) && !graph.constants.has(name));
  return extractSubgraph(
    model,
    [...new Set(inputs)],
    [...made].filter((name) => needed.has(name)),
  );
}

/** Removes channels from a subgraph, and from the declared sizes of its inputs and outputs. */
export function sliceSubgraph(subgraph: Model, grouping: Grouping, keep: KeptUnits): Model {
  const result = cloneModel(sliceModel(subgraph, grouping, keep));
  const positions = keptPositions(grouping, keep);
  for (const value of [...result.graph.inputs, ...result.graph.outputs]) {
    const kept = positions(value.name);
    const axis = grouping.values.get(value.name)?.axis;
    if (kept) value.dims = value.dims?.map((dim, at) => (at === axis ? kept.length : dim));
  }
  return result;
}
