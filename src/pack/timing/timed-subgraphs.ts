// The parts of a network that are timed: each weighted layer with the unweighted nodes up to the next, and each stage.
import type { BundleManifest, BundleStage } from '../../bundle/index.ts';
import { type Grouping, type KeptUnits, keptPositions, sliceModel } from '../../channels/index.ts';
import {
  type BatchPlace,
  cloneModel,
  extractSubgraph,
  isBatchFirst,
  type Model,
  type Node,
  readsOf,
} from '../../onnx/index.ts';

/**
 * For each weighted layer its part of the stage: the nodes from it up to the next one in execution order, those before
 * the first one with the first.
 */
export function layerSubgraphs(
  model: Model,
  stages: readonly Pick<BundleStage, 'nodes' | 'layers'>[],
): Map<string, Model> {
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const parts = new Map<string, Model>();
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
      parts.set(
        layer,
        subgraphOf(
          model,
          names.flatMap((name) => nodes.get(name) ?? []),
        ),
      );
    }
  }
  return parts;
}

/** One stage as a model of its own. */
export function stageSubgraph(model: Model, { input, output }: Pick<BundleStage, 'input' | 'output'>): Model {
  return extractSubgraph(model, [input], [output]);
}

/**
 * A part whose inputs take so many samples, where they hold them elsewhere than on their first axis alone; others leave
 * their batch open.
 * @param places of the values of the whole model
 */
export function withSamples(part: Model, places: ReadonlyMap<string, BatchPlace>, samples: number): Model {
  const inputs = part.graph.inputs.map((input) => {
    const place = places.get(input.name);
    if (place?.kind !== 'axis' || isBatchFirst(place)) return input;
    const size = place.before * place.after * samples;
    return { ...input, dims: input.dims?.map((dim, axis) => (axis === place.axis ? size : dim)) };
  });
  return { ...part, graph: { ...part.graph, inputs } };
}

/** Some nodes as a model of its own, from all that they read to all that others read of them. */
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

/** A part with only the kept channels, its inputs' and outputs' declared sizes included. */
export function sliceSubgraph(part: Model, grouping: Grouping, keep: KeptUnits): Model {
  const result = cloneModel(sliceModel(part, grouping, keep));
  const positions = keptPositions(grouping, keep);
  for (const value of [...result.graph.inputs, ...result.graph.outputs]) {
    const kept = positions(value.name);
    const axis = grouping.values.get(value.name)?.axis;
    if (kept) value.dims = value.dims?.map((dim, at) => (at === axis ? kept.length : dim));
  }
  return result;
}

/** The units that stay when each group is at a level: of each the first ones. */
export function keepAt(groups: BundleManifest['groups'], levelOf: (group: number) => number): KeptUnits {
  return new Map(
    groups.map(({ id, counts }) => [id, Array.from({ length: counts[levelOf(id)] ?? 1 }, (_, unit) => unit)]),
  );
}
