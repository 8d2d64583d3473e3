// Changes a node's constants and attributes when channels of its inputs or outputs are removed.
import {
  constantInput,
  int,
  intAttribute,
  intsAttribute,
  intsParameter,
  isDepthwise,
  layerLayout,
  type Node,
  opOf,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { Cut } from './cut.ts';
import type { ValueChannels } from './groups.ts';
import { normalAxis, padEntries, sliceAxes, sliceRange } from './parameters.ts';

/** Changes a node of the copied graph in place. */
export type CutRule = (cut: Cut, node: Node) => void;

/** Weights, biases and the group count of Conv, ConvTranspose, Gemm and MatMul. */
export const cutLayer: CutRule = (cut, node) => {
  const layout = layerLayout(cut.graph, node, (name) => cut.shape(name));
  if (!layout) return;
  const data = node.inputs[layout.data] ?? '';
  const input = cut.positions(data);
  const output = cut.positions(node.outputs[0] ?? '');
  const transposed = opOf(node) === 'ConvTranspose';
  if (isDepthwise(layout) && input) {
    // Multipliers stay, so the other axis of the weight does too.
    cut.slice(node, layout.weight, { 0: transposed ? input : output });
    node.attributes.set('group', int(input.length));
  } else {
    // One channel axis of the weight spans a single group. Groups are tied, so the first one stands for all.
    const inFirst = input?.filter((position) => position < layout.inChannels / layout.groups);
    const outFirst = output?.filter((position) => position < layout.outChannels / layout.groups);
    cut.slice(node, layout.weight, {
      [layout.weightIn]: transposed ? input : inFirst,
      [layout.weightOut]: transposed ? outFirst : output,
    });
  }
  if (layout.bias === undefined) return;
  const dims = constantInput(cut.graph, node, layout.bias)?.dims ?? [];
  if ((dims.at(-1) ?? 1) > 1) cut.slice(node, layout.bias, { [dims.length - 1]: output });
};

/** Scale, bias, mean and variance, which lie along axis 1. */
export const cutBatchNormalization: CutRule = (cut, node) => {
  const data = node.inputs[0] ?? '';
  if (cut.channels(data)?.axis !== 1) return;
  for (const input of [1, 2, 3, 4]) cut.slice(node, input, { 0: cut.positions(data) });
};

/** Scale and bias of the channels that stay. */
export const cutLayerNormalization: CutRule = (cut, node) => {
  const input = node.inputs[0] ?? '';
  const positions = cut.positions(input);
  const channels = cut.channels(input);
  if (!positions || !channels) return;
  const rank = cut.shape(input)?.length ?? 0;
  const own = channels.axis - normalAxis(intAttribute(node, 'axis', -1), rank);
  if (own < 0) return;
  for (const at of [1, 2]) if (node.inputs[at]) cut.slice(node, at, { [own]: positions });
};

/** Scale and bias, which lie along axis 1. */
export const cutInstanceNormalization: CutRule = (cut, node) => {
  const data = node.inputs[0] ?? '';
  if (cut.channels(data)?.axis !== 1) return;
  for (const input of [1, 2]) cut.slice(node, input, { 0: cut.positions(data) });
};

/** The number of groups; scale and bias have one number a group up to operator set 20, and one a channel from 21 on. */
export const cutGroupNormalization: CutRule = (cut, node) => {
  const data = node.inputs[0] ?? '';
  const positions = cut.positions(data);
  if (!positions) return;
  const groups = intAttribute(node, 'num_groups', 1);
  const width = placed(cut, data).size / groups;
  const kept = positions.filter((_, i) => i % width === 0).map((position) => Math.floor(position / width));
  for (const input of [1, 2]) {
    const size = constantInput(cut.graph, node, input)?.dims[0];
    cut.slice(node, input, { 0: size === groups ? kept : positions });
  }
  node.attributes.set('num_groups', int(kept.length));
};

/** The size of the channels' axis, where sizes are given. */
export const cutResize: CutRule = (cut, node) => {
  const output = node.outputs[0] ?? '';
  const positions = cut.positions(output);
  const sizes = intsParameter(cut.graph, node, 3, 'sizes');
  if (!positions || !sizes || sizes.length === 0) return;
  const { axis, rank } = placed(cut, output);
  const axes = intsAttribute(node, 'axes')?.map((one) => normalAxis(one, rank));
  const at = axes ? axes.indexOf(axis) : axis;
  cut.setInts(
    node,
    3,
    'sizes',
    sizes.map((size, i) => (i === at ? positions.length : size)),
  );
};

/** Constants with one number for each channel, found by the alignment rule of broadcasting. */
export const cutElementwise: CutRule = (cut, node) => {
  const output = node.outputs[0] ?? '';
  const positions = cut.positions(output);
  if (!positions) return;
  const { axis, rank } = placed(cut, output);
  for (let input = 0; input < node.inputs.length; input++) {
    const dims = constantInput(cut.graph, node, input)?.dims;
    if (!dims) continue;
    const own = axis - (rank - dims.length);
    if ((dims[own] ?? 1) > 1) cut.slice(node, input, { [own]: positions });
  }
};

/** Constants that are joined along another axis than that of the channels, repeated by an Expand or not. */
export const cutConcat: CutRule = (cut, node) => {
  const output = node.outputs[0] ?? '';
  const positions = cut.positions(output);
  if (!positions) return;
  const { axis, rank } = placed(cut, output);
  if (normalAxis(intAttribute(node, 'axis', 1), rank) === axis) return;
  node.inputs.forEach((name, input) => {
    if (cut.channels(name)) return;
    const repeat = cut.graph.nodes.find((maker) => maker.outputs[0] === name);
    const constant = constantInput(cut.graph, repeat ?? node, repeat ? 0 : input);
    if (!constant) return;
    cut.slice(repeat ?? node, repeat ? 0 : input, { [axis - rank + constant.dims.length]: positions });
    const sizes =
      repeat && constantInput(cut.graph, repeat, 1) && intsParameter(cut.graph, repeat, 1, 'shape');
    if (!repeat || !sizes) return;
    const own = axis - rank + sizes.length;
    cut.setInts(
      repeat,
      1,
      'shape',
      sizes.map((size, i) => (i === own && size > 1 ? positions.length : size)),
    );
  });
};

/** Target sizes: the entry of the channels, and a copied entry (0) that would copy their new number. */
export const cutReshape: CutRule = (cut, node) => {
  const [input, output] = [node.inputs[0] ?? '', node.outputs[0] ?? ''];
  const positions = cut.positions(output);
  if (!positions) return;
  const target = must(intsParameter(cut.graph, node, 1, 'shape'), `target of ${node.name}`);
  const { axis } = placed(cut, output);
  const copied = placed(cut, input).axis;
  const shape = must(cut.shape(output), `shape of '${output}'`);
  const sizes = target.map((size, i) => {
    if (i === axis) return size === -1 ? -1 : positions.length;
    return size === 0 && i === copied ? (shape[i] as number) : size;
  });
  cut.setInts(node, 1, 'shape', sizes);
};

/** Target sizes, aligned at the last axis. */
export const cutExpand: CutRule = (cut, node) => {
  const output = node.outputs[0] ?? '';
  const positions = cut.positions(output);
  if (!positions) return;
  const target = must(intsParameter(cut.graph, node, 1, 'shape'), `target of ${node.name}`);
  const { axis, rank } = placed(cut, output);
  const own = axis - (rank - target.length);
  cut.setInts(
    node,
    1,
    'shape',
    target.map((size, i) => (i === own && size > 1 ? positions.length : size)),
  );
};

/** Moves the range of channels to where its kept ones are. */
export const cutSlice: CutRule = (cut, node) => {
  const input = node.inputs[0] ?? '';
  const positions = cut.positions(input);
  if (!positions) return;
  const { axis, rank, size } = placed(cut, input);
  const at = sliceAxes(cut.graph, node, rank)?.indexOf(axis) ?? -1;
  const range = sliceRange(cut.graph, node, axis, size, rank);
  if (at < 0 || !range) return;
  const from = positions.filter((position) => position < range.from).length;
  const to = positions.filter((position) => position < range.to).length;
  const replaced = (list: readonly number[], value: number): number[] =>
    list.map((old, i) => (i === at ? value : old));
  cut.setInts(node, 1, 'starts', replaced(intsParameter(cut.graph, node, 1, 'starts') ?? [], from));
  cut.setInts(node, 2, 'ends', replaced(intsParameter(cut.graph, node, 2, 'ends') ?? [], to));
};

/** New sizes of the parts, written out even where equal parts were implied. */
export const cutSplit: CutRule = (cut, node) => {
  const input = node.inputs[0] ?? '';
  if (!cut.positions(input)) return;
  const { axis, rank } = placed(cut, input);
  if (normalAxis(intAttribute(node, 'axis', 0), rank) !== axis) return;
  const sizes = node.outputs.map((name) => cut.allPositions(name).length);
  node.attributes.delete('num_outputs');
  if (cut.opset >= 13 && !node.inputs[1]) cut.addInts(node, 1, sizes);
  else cut.setInts(node, 1, 'split', sizes);
};

/**
 * Padding along the channels: added channels that stay, or the kept ones among those that a negative amount removes.
 */
export const cutPad: CutRule = (cut, node) => {
  const [input, output] = [node.inputs[0] ?? '', node.outputs[0] ?? ''];
  if (!cut.positions(input) && !cut.positions(output)) return;
  const { axis, rank, size } = placed(cut, input);
  const entries = padEntries(cut.graph, node, axis, rank);
  if (!entries || entries.begin < 0) return;
  const pads = [...entries.pads];
  const [begin, end] = [pads[entries.begin] as number, pads[entries.end] as number];
  const [inside, outside] = [cut.allPositions(input), cut.allPositions(output)];
  pads[entries.begin] =
    begin > 0 ? outside.filter((p) => p < begin).length : -inside.filter((p) => p < -begin).length;
  pads[entries.end] =
    end > 0 ? outside.filter((p) => p >= begin + size).length : -inside.filter((p) => p >= size + end).length;
  cut.setInts(node, 1, 'pads', pads);
};

/** Indices of the picked channels that stay, counted among the kept ones. */
export const cutGather: CutRule = (cut, node) => {
  const [input, output] = [node.inputs[0] ?? '', node.outputs[0] ?? ''];
  const inside = cut.positions(input);
  if (!inside) return;
  const { axis, rank, size } = placed(cut, input);
  if (normalAxis(intAttribute(node, 'axis', 0), rank) !== axis) return;
  const old = must(intsParameter(cut.graph, node, 1, 'indices'), `indices of ${node.name}`);
  const renumbered = new Map(inside.map((position, index) => [position, index]));
  const picked = cut.allPositions(output).map((i) => old[i] as number);
  const indices = picked.map((i) => must(renumbered.get(i < 0 ? i + size : i), 'a picked channel is gone'));
  cut.setIndices(node, 1, indices);
};

function placed(cut: Cut, value: string): { axis: number; rank: number; size: number } {
  const channels: ValueChannels = must(cut.channels(value), `'${value}' has no channels`);
  const shape = must(cut.shape(value), `shape of '${value}'`);
  return { axis: channels.axis, rank: shape.length, size: channels.group.length };
}
