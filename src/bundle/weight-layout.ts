// How the channels of a weighted layer lie in its repaired weights.
import type { Grouping } from '../channels/index.ts';
import type { Constant, Model } from '../onnx/index.ts';
import {
  isDepthwise,
  type LayerLayout,
  layerLayout,
  type Node,
  opOf,
  type RecurrentLayer,
  recurrentLayer,
  sizeOf,
  UNIT_AXES,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { BundleGroup } from './manifest.ts';

type FloatConstant = Extract<Constant, { type: 'float32' }>;

/** A weighted layer of a bundle's model. */
export interface WeightLayout {
  readonly node: Node;
  readonly layout: LayerLayout;
  readonly weight: FloatConstant;
  /** Absent where the layer has none, or the operator no place for one. */
  readonly bias: FloatConstant | undefined;
  readonly depthwise: boolean;
  /**
   * Axis of the weight along which a table holds only what its level keeps: the input channels; for depthwise layers
   * the rows, each of which belongs to one channel.
   */
  readonly axis: number;
  /** Positions on that axis of the whole weight. */
  readonly along: Positions;
  /** Input and output channels. */
  readonly inputs: Positions;
  readonly outputs: Positions;
}

/** The group and unit of each position of an axis; both are -1 for positions that always stay. */
export interface Positions {
  readonly group: Int32Array;
  readonly unit: Int32Array;
}

/** The weighted layers of a canonical model by name, in execution order. */
export function weightLayouts(model: Model, grouping: Grouping): Map<string, WeightLayout> {
  const layouts = new Map<string, WeightLayout>();
  for (const node of model.graph.nodes) {
    const layout = layerLayout(model.graph, node, (name) => grouping.shapes.get(name));
    if (layout) layouts.set(node.name, weightLayout(model, grouping, node, layout));
  }
  return layouts;
}

/** A recurrent layer of a bundle's model. It has no tables; a variant may have weights of its own for it. */
export interface RecurrentLayout {
  readonly layer: RecurrentLayer;
  /** Of the maps to the gates: features of a step, then the layer's own units of the step before. */
  readonly inputs: Positions;
  /** Hidden units. */
  readonly outputs: Positions;
}

/** The recurrent layers of a canonical model by name, in execution order. */
export function recurrentLayouts(model: Model, grouping: Grouping): Map<string, RecurrentLayout> {
  const layouts = new Map<string, RecurrentLayout>();
  for (const node of model.graph.nodes) {
    const layer = recurrentLayer(model.graph, node);
    if (!layer) continue;
    const features = positionsOf(grouping, node.inputs[0], 2, layer.inputs);
    const given = node.outputs.findIndex(Boolean);
    const outputs = positionsOf(grouping, node.outputs[given], UNIT_AXES[given] ?? 2, layer.hidden);
    const inputs = {
      group: Int32Array.of(...features.group, ...outputs.group),
      unit: Int32Array.of(...features.unit, ...outputs.unit),
    };
    layouts.set(node.name, { layer, inputs, outputs });
  }
  return layouts;
}

/** By recurrent layer, the shapes of its weight, recurrence and bias with the channels that stay at a vector of levels. */
export function recurrentDims(
  layouts: ReadonlyMap<string, RecurrentLayout>,
  groups: readonly BundleGroup[],
  levels: readonly number[],
): Map<string, readonly (readonly number[])[]> {
  const count = (positions: Positions): number =>
    keptAt(positions, groups, (group) => levels[group] as number).length;
  return new Map(
    [...layouts].map(([name, { layer, inputs, outputs }]) => {
      const hidden = count(outputs);
      const [sides, rows] = [layer.directions, layer.gates * hidden];
      return [
        name,
        [
          [sides, rows, count(inputs) - hidden],
          [sides, rows, hidden],
          [sides, 2 * rows],
        ],
      ];
    }),
  );
}

function weightLayout(model: Model, grouping: Grouping, node: Node, layout: LayerLayout): WeightLayout {
  const weight = must(floats(model, node, layout.weight), `weight of ${node.name}`);
  const depthwise = isDepthwise(layout);
  const inputs = positionsOf(grouping, node.inputs[layout.data], layout.dataAxis, layout.inChannels);
  const outputs = positionsOf(grouping, node.outputs[0], layout.outputAxis, layout.outChannels);
  const transposed = opOf(node) === 'ConvTranspose';
  // Input channels of all convolution groups are tied, and the weight of all but transposed ones spans one group.
  const span = transposed ? layout.inChannels : layout.inChannels / layout.groups;
  const along = depthwise && !transposed ? outputs : firstOf(inputs, span);
  return {
    node,
    layout,
    weight,
    bias: layout.bias === undefined ? undefined : floats(model, node, layout.bias),
    depthwise,
    axis: depthwise ? 0 : layout.weightIn,
    along: depthwise && transposed ? inputs : along,
    inputs,
    outputs,
  };
}

/** Positions that stay, ascending, when each group keeps the first units that its level says. */
export function keptAt(
  { group, unit }: Positions,
  groups: readonly BundleGroup[],
  levelOf: (group: number) => number,
): number[] {
  const counts = groups.map(({ id, counts }) => must(counts[levelOf(id)], `level of group ${id}`));
  const kept: number[] = [];
  group.forEach((id, position) => {
    if (id < 0 || (unit[position] as number) < (counts[id] as number)) kept.push(position);
  });
  return kept;
}

/** Kept output channels of all layers together: the length of a correction. */
export function keptChannels(
  views: ReadonlyMap<string, WeightLayout>,
  groups: readonly BundleGroup[],
  levels: readonly number[],
): number {
  const lengths = [...views.values()].map(
    ({ outputs }) => keptAt(outputs, groups, (group) => levels[group] as number).length,
  );
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** Sizes of a layer's weight with the channels that stay at a vector of levels. */
export function keptDims(
  view: WeightLayout,
  groups: readonly BundleGroup[],
  levels: readonly number[],
): number[] {
  const { weight, layout, axis, along, outputs, depthwise } = view;
  const count = (positions: Positions): number =>
    keptAt(positions, groups, (group) => levels[group] as number).length;
  return weight.dims.map((size, at) => {
    if (at === axis) return count(along);
    return at === layout.weightOut && !depthwise ? count(outputs) : size;
  });
}

/** Shape of the weight of the table of a level. */
export function tableDims(view: WeightLayout, groups: readonly BundleGroup[], level: number): number[] {
  const kept = keptAt(view.along, groups, () => level).length;
  return view.weight.dims.map((size, axis) => (axis === view.axis ? kept : size));
}

/** Length of the bias of the table of a level: all output channels, but for depthwise layers the kept ones. */
export function tableBiasLength(view: WeightLayout, groups: readonly BundleGroup[], level: number): number {
  return view.depthwise ? keptAt(view.outputs, groups, () => level).length : view.outputs.group.length;
}

/** Number of elements before and behind an axis. */
export function around(dims: readonly number[], axis: number): { outer: number; inner: number } {
  return { outer: sizeOf(dims.slice(0, axis)), inner: sizeOf(dims.slice(axis + 1)) };
}

function positionsOf(grouping: Grouping, value: string | undefined, axis: number, size: number): Positions {
  const channels = value ? grouping.values.get(value) : undefined;
  if (channels && channels.axis === axis && channels.group.length === size) return channels;
  return { group: new Int32Array(size).fill(-1), unit: new Int32Array(size).fill(-1) };
}

function firstOf({ group, unit }: Positions, count: number): Positions {
  return { group: group.subarray(0, count), unit: unit.subarray(0, count) };
}

function floats(model: Model, node: Node, input: number): FloatConstant | undefined {
  const constant = model.graph.constants.get(node.inputs[input] ?? '');
  return constant?.type === 'float32' ? constant : undefined;
}
