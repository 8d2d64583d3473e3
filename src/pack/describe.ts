// Describes a network for its bundle: groups, layers and stages, with their costs when unpruned and the groups whose
// channels they read and give.

import type { BundleManifest } from '../bundle/index.ts';
import {
  type BundleLayer,
  type BundleStage,
  type RecurrentLayout,
  recurrentLayouts,
  type Share,
} from '../bundle/internal.ts';
import type { Grouping } from '../channels/index.ts';
import { type Constant, findStages, type Model, modelCosts } from '../onnx/index.ts';
import {
  isDepthwise,
  layerLayout,
  opOf,
  RECURRENT_INPUTS,
  rawBytes,
  readsOf,
  type Stage,
  samplesOfShapes,
  sizeOf,
  unknownShape,
} from '../onnx/internal.ts';
import { sharesAt, valueShares } from '../repair/internal.ts';
import { must } from '../util/index.ts';
import { splitOf } from './split.ts';

/** The parts of a manifest that follow from the network alone. */
export interface Description extends Pick<BundleManifest, 'groups' | 'layers' | 'stages' | 'uncounted'> {
  readonly signature: Pick<BundleManifest['model'], 'input' | 'output'>;
}

/**
 * Describes a canonical model. Costs are those of the unpruned network for one sample; a fixed batch size is divided
 * out. Products of two computed values (attention) are not weighted layers: their costs count for their stage. Recurrent
 * layers sum over the features of a step and their own units.
 * @param counts units kept, `[group][level]`
 * @param tabled layers with repaired weights for each level of what they read
 */
export function describeModel(
  model: Model,
  grouping: Grouping,
  counts: readonly (readonly number[])[],
  tabled: ReadonlySet<string>,
): Description {
  const { graph } = model;
  const stages = findStages(model);
  const stageOf = new Map(stages.flatMap(({ index, nodes }) => nodes.map((name) => [name, index] as const)));
  const { nodes: costs, uncounted } = modelCosts(model);
  const macs = new Map(costs.map((node) => [node.name, node.macs]));
  const input = must(
    graph.inputs.find(({ name }) => !graph.constants.has(name)),
    'no input',
  );
  const output = must(graph.outputs[0], 'no output');
  const shapeOf = (value: string): readonly number[] => {
    const shape = grouping.shapes.get(value);
    if (!shape) throw unknownShape(model, value);
    return shape;
  };
  const samples = samplesOfShapes(graph, grouping.shapes);
  const bytes = (value: string): number => (4 * sizeOf(shapeOf(value))) / samples;
  const weights = new Set<string>();
  const recurrent = recurrentLayouts(model, grouping);
  const layers = graph.nodes.flatMap((node): BundleLayer[] => {
    const own = recurrent.get(node.name);
    const common = {
      name: node.name,
      stage: must(stageOf.get(node.name), `stage of '${node.name}'`),
      macs: macs.get(node.name) ?? 0,
      tables: tabled.has(node.name),
    };
    if (own) return [{ ...common, ...recurrentCosts(model, own, bytes, weights) }];
    const layout = layerLayout(graph, node, (name) => grouping.shapes.get(name));
    if (!layout) return [];
    const [data = '', weight = ''] = [node.inputs[layout.data], node.inputs[layout.weight]];
    const bias = layout.bias === undefined ? '' : (node.inputs[layout.bias] ?? '');
    const result = node.outputs[0] ?? '';
    weights.add(weight);
    weights.add(bias);
    const reads = sharesOf(grouping, data, layout.dataAxis, layout.inChannels);
    return [
      {
        ...common,
        inputs: isDepthwise(layout) ? [] : reads,
        outputs: sharesOf(grouping, result, layout.outputAxis, layout.outChannels),
        weightBytes: constantBytes(graph.constants.get(weight)),
        biasBytes: constantBytes(graph.constants.get(bias)),
        inputBytes: bytes(data),
        outputBytes: bytes(result),
        reads,
      },
    ];
  });
  return {
    groups: grouping.groups.map(({ id, channels, layers: own }) => ({
      id,
      channels,
      layers: own,
      counts: must(counts[id], `counts of group ${id}`),
    })),
    layers,
    stages: stages.map((stage): BundleStage => {
      const { index, nodes, output: result } = stage;
      return {
        index,
        nodes,
        layers: layers.filter((layer) => layer.stage === index).map(({ name }) => name),
        input: stages[index - 1]?.output ?? input.name,
        output: result,
        outputBytes: stage.outputBytes,
        outputShares: valueShares(grouping, result),
        otherBytes: otherBytes(model, nodes, weights),
        ...otherMacs(stage, layers),
        ...products(model, grouping, stage, macs),
        ...(isWhole(stage, layers, uncounted) ? { split: 'none' } : splitOf(model, grouping, stage)),
      };
    }),
    ...(uncounted.length > 0 ? { uncounted } : {}),
    signature: {
      input: { name: input.name, shape: shapeOf(input.name).slice(1) },
      output: { name: output.name, classes: sizeOf(shapeOf(output.name).slice(1)) },
    },
  };
}

/** A recurrent layer sums over the features of a step and over its own units: so do its costs. */
function recurrentCosts(
  { graph }: Model,
  { layer, inputs, outputs }: RecurrentLayout,
  bytes: (value: string) => number,
  weights: Set<string>,
): Omit<BundleLayer, 'name' | 'stage' | 'macs' | 'tables'> {
  const { node } = layer;
  const at = RECURRENT_INPUTS;
  const sizes = (indices: readonly number[]): number =>
    indices.reduce((sum, index) => {
      const name = node.inputs[index] ?? '';
      if (graph.constants.has(name)) weights.add(name);
      return sum + constantBytes(graph.constants.get(name));
    }, 0);
  const reads = sharesAt(inputs);
  return {
    inputs: reads,
    outputs: sharesAt(outputs),
    weightBytes: sizes([at.weight, at.recurrence]),
    biasBytes: sizes([at.bias, at.peephole]),
    // With as many states as steps.
    inputBytes: (bytes(node.inputs[0] ?? '') * (layer.inputs + layer.hidden)) / layer.inputs,
    outputBytes: bytes(node.outputs.find(Boolean) ?? ''),
    reads,
  };
}

/** The groups that a layer reads or gives on one axis of a value; empty where the channels lie on another axis. */
function sharesOf(grouping: Grouping, value: string, axis: number, size: number): Share[] {
  const channels = grouping.values.get(value);
  return channels?.axis === axis && channels.group.length === size ? valueShares(grouping, value) : [];
}

/** Bytes of the constants that a stage's nodes read and that are not weights of a layer. */
function otherBytes({ graph }: Model, nodes: readonly string[], weights: ReadonlySet<string>): number {
  const own = new Set(nodes);
  const read = new Set(graph.nodes.filter(({ name }) => own.has(name)).flatMap(readsOf));
  return [...read]
    .filter((name) => !weights.has(name))
    .reduce((sum, name) => sum + constantBytes(graph.constants.get(name)), 0);
}

/**
 * Whether every device of a split stage would repeat work that no split divides: nodes without weights, or of unknown
 * cost.
 */
function isWhole(
  stage: Stage,
  layers: readonly BundleLayer[],
  uncounted: readonly { readonly name: string }[],
): boolean {
  return (
    otherMacs(stage, layers).otherMacs !== undefined ||
    uncounted.some(({ name }) => stage.nodes.includes(name))
  );
}

/** Multiply-accumulates of a stage's nodes that are not weighted layers. */
function otherMacs({ index, macs }: Stage, layers: readonly BundleLayer[]): Pick<BundleStage, 'otherMacs'> {
  const own = layers.filter(({ stage }) => stage === index).reduce((sum, layer) => sum + layer.macs, 0);
  // A tiny rest is rounding, from dividing by the batch size.
  return macs - own > 1e-9 * macs ? { otherMacs: macs - own } : {};
}

/** The products of computed values of a stage whose cost follows channels, with the groups of these. */
function products(
  { graph }: Model,
  grouping: Grouping,
  { nodes }: Stage,
  macs: ReadonlyMap<string, number>,
): Pick<BundleStage, 'products'> {
  const own = new Set(nodes);
  const found = graph.nodes.flatMap((node) => {
    if (!own.has(node.name) || opOf(node) !== 'MatMul') return [];
    if (node.inputs.some((name) => graph.constants.has(name))) return [];
    const [a = '', output = ''] = [node.inputs[0], node.outputs[0]];
    const rank = grouping.shapes.get(a)?.length ?? 0;
    const summed = grouping.values.get(a)?.axis === rank - 1;
    const shares = valueShares(grouping, summed ? a : output);
    return shares.length > 0 ? [{ macs: macs.get(node.name) ?? 0, shares }] : [];
  });
  return found.length > 0 ? { products: found } : {};
}

function constantBytes(constant: Constant | undefined): number {
  if (!constant) return 0;
  const elements = sizeOf(constant.dims);
  if (constant.type === 'other') return rawBytes(constant.elemType, elements) ?? 0;
  return (constant.type === 'int64' ? 8 : 4) * elements;
}
