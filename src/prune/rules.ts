// How each operator hands channels on: the rule table of `findGroups`, except for weighted layers (`layer-rule.ts`).
import {
  describeNode,
  intAttribute,
  intsAttribute,
  intsParameter,
  type Node,
  type OpTable,
  readsOf,
} from '../onnx/index.ts';
import type { Label } from './channels.ts';
import { weightedLayer } from './layer-rule.ts';
import { anyComputed, normalAxis, padEntries, sliceRange } from './parameters.ts';
import type { Propagation } from './propagation.ts';
import { mapThroughReshape } from './reshape.ts';

/** Labels a node's outputs from its inputs, or freezes what it cannot hand on. */
export type ChannelRule = (walk: Propagation, node: Node) => void;

/** For operators that the table does not have: whatever they read, directly or inside a subgraph, stays. */
export const freezeUnknown: ChannelRule = (walk, node) => {
  const why = 'is an operator whose channels are not known';
  for (const name of readsOf(node)) walk.freeze(walk.label(name), node, why);
};

/** Results of these hold no channels: shapes, and constants that folding has left. */
const nothing: ChannelRule = () => {};

/** One result for each element: the outputs have the input's channels. */
const pass: ChannelRule = (walk, node) => {
  for (const output of node.outputs) walk.set(output, walk.label(node.inputs[0]));
};

/** Pools work on each channel by itself as long as the channels lie on axis 1. */
const pool: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  if (label.axis !== 1) return walk.freezeInputs(node, 'pools across them');
  if (node.outputs[1]) return walk.freezeInputs(node, 'returns indices that count channels');
  walk.set(node.outputs[0], label);
};

const batchNormalization: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return walk.freezeInputs(node, 'has computed parameters');
  if (node.outputs.slice(1).some(Boolean)) return walk.freezeInputs(node, 'is in training mode');
  if (node.inputs.slice(1).some((name) => walk.constant(name)?.type !== 'float32')) {
    return walk.freezeInputs(node, 'has parameters that are not float32 constants');
  }
  walk.set(node.outputs[0], label);
};

const localResponse: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (label?.axis === 1) return walk.freezeInputs(node, 'normalises across them');
  walk.set(node.outputs[0], label);
};

const softmax: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const rank = walk.shape(input)?.length ?? Number.NaN;
  // Until opset 13 everything from `axis` on is normalised together.
  const flattens = walk.opset < 13;
  const axis = normalAxis(intAttribute(node, 'axis', flattens ? 1 : -1), rank);
  const apart = flattens ? label.axis < axis : label.axis !== axis && Number.isFinite(axis);
  if (!apart) return walk.freezeInputs(node, 'normalises across them');
  walk.set(node.outputs[0], label);
};

/**
 * Elementwise with numpy's broadcasting: operands whose channels meet are united; a constant follows; a computed
 * operand without channels of its own ties the others down unless it is broadcast along them.
 */
const elementwise: ChannelRule = (walk, node) => {
  const output = node.outputs[0];
  const rank = walk.shape(output)?.length;
  const labelled = node.inputs.filter((name) => walk.label(name));
  if (labelled.length === 0) return;
  const align = (name: string, axis: number): number =>
    axis + (rank ?? Number.NaN) - (walk.shape(name)?.length ?? 0);
  const first = walk.label(labelled[0]) as Label;
  const axis = align(labelled[0] as string, first.axis);
  const all = labelled.map((name) => ({ name, label: walk.label(name) as Label }));
  if (
    all.some(({ name, label }) => align(name, label.axis) !== axis || label.ids.length !== first.ids.length)
  ) {
    return walk.freezeInputs(node, 'combines different axes');
  }
  for (const name of node.inputs) {
    if (!name || walk.label(name)) continue;
    const shape = walk.shape(name);
    const width = shape ? (shape[axis - ((rank as number) - shape.length)] ?? 1) : Number.NaN;
    if (width === 1) continue;
    const constant = walk.constant(name);
    if (!constant) return walk.freezeInputs(node, `combines them with '${name}', which cannot be cut`);
    if (constant.type === 'other') return walk.freezeInputs(node, `has a constant '${name}' of another type`);
  }
  for (const { label } of all.slice(1)) walk.variables.uniteAll(first.ids, label.ids);
  walk.set(output, { axis, ids: first.ids });
};

const concat: ChannelRule = (walk, node) => {
  const labels = node.inputs.map((name) => walk.label(name));
  const first = labels.find((label) => label !== undefined);
  if (!first) return;
  const rank = walk.shape(node.inputs[0])?.length;
  if (rank === undefined) return walk.freezeInputs(node, 'has inputs of unknown shape');
  if (labels.some((label) => label && label.axis !== first.axis)) {
    return walk.freezeInputs(node, 'combines different axes');
  }
  if (normalAxis(intAttribute(node, 'axis', 1), rank) !== first.axis) {
    if (labels.includes(undefined))
      return walk.freezeInputs(node, 'joins them with a value that cannot be cut');
    for (const label of labels) if (label) walk.variables.uniteAll(first.ids, label.ids);
    return walk.set(node.outputs[0], first);
  }
  const parts: Int32Array[] = [];
  for (const [i, name] of node.inputs.entries()) {
    const label = labels[i];
    const width = walk.shape(name)?.[first.axis];
    if (label) parts.push(label.ids);
    else if (width === undefined) return walk.freezeInputs(node, 'has inputs of unknown shape');
    else {
      const ids = walk.variables.create(width);
      walk.variables.freeze(ids, `${describeNode(node)} joins '${name}', which cannot be cut`);
      parts.push(ids);
    }
  }
  walk.set(node.outputs[0], { axis: first.axis, ids: Int32Array.from(parts.flatMap((ids) => [...ids])) });
};

const split: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const rank = walk.shape(node.inputs[0])?.length ?? Number.NaN;
  if (normalAxis(intAttribute(node, 'axis', 0), rank) !== label.axis) return pass(walk, node);
  const sizes = node.outputs.map((name) => walk.shape(name)?.[label.axis] ?? Number.NaN);
  if (sizes.reduce((sum, size) => sum + size, 0) !== label.ids.length) {
    return walk.freezeInputs(node, 'splits them into parts of unknown size');
  }
  let from = 0;
  for (const [i, name] of node.outputs.entries()) {
    const to = from + (sizes[i] as number);
    walk.set(name, { axis: label.axis, ids: label.ids.slice(from, to) });
    from = to;
  }
};

const slice: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const rank = walk.shape(input)?.length;
  const range =
    rank === undefined ? undefined : sliceRange(walk.graph, node, label.axis, label.ids.length, rank);
  if (range === undefined) return walk.freezeInputs(node, 'slices them in a way that is not a fixed range');
  walk.set(node.outputs[0], { axis: label.axis, ids: label.ids.slice(range.from, range.to) });
};

const pad: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const rank = walk.shape(input)?.length;
  const entries = rank === undefined ? undefined : padEntries(walk.graph, node, label.axis, rank);
  if (!entries) return walk.freezeInputs(node, 'pads by an amount that is not fixed');
  const [before, after] = [entries.pads[entries.begin] ?? 0, entries.pads[entries.end] ?? 0];
  if (before === 0 && after === 0) return walk.set(node.outputs[0], label);
  const mode = node.attributes.get('mode');
  if (mode?.type === 'string' && mode.value !== 'constant')
    return walk.freezeInputs(node, 'pads them by copies');
  // Channels of padding have no producer: they may go with what they are added to, and stay otherwise.
  const ids = [
    ...walk.variables.create(Math.max(before, 0)),
    ...label.ids.slice(Math.max(-before, 0), label.ids.length - Math.max(-after, 0)),
    ...walk.variables.create(Math.max(after, 0)),
  ];
  walk.set(node.outputs[0], { axis: label.axis, ids: Int32Array.from(ids) });
};

/** Flatten, Reshape, Squeeze, Unsqueeze: channels may merge with other axes, or be split, which freezes them. */
const reshape: ChannelRule = (walk, node) => {
  const [input, output] = [node.inputs[0], node.outputs[0]];
  const label = walk.label(input);
  if (!label) return walk.freezeInputs(node, 'takes its shape from them');
  const [from, to] = [walk.shape(input), walk.shape(output)];
  const target = node.inputs[1];
  if (!from || !to || (target && !walk.constant(target))) {
    return walk.freezeInputs(node, 'has a shape that is not known before run time');
  }
  const mapped = mapThroughReshape(from, label.axis, to);
  if (!mapped) return walk.freezeInputs(node, 'splits them over several axes');
  walk.set(output, { axis: mapped.axis, ids: mapped.source.map((channel) => label.ids[channel] as number) });
};

const transpose: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const rank = walk.shape(node.inputs[0])?.length;
  if (rank === undefined) return walk.freezeInputs(node, 'has an input of unknown shape');
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  walk.set(node.outputs[0], { axis: order.indexOf(label.axis), ids: label.ids });
};

const reduceMean: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const rank = walk.shape(input)?.length ?? Number.NaN;
  const fixed = anyComputed(walk.graph, node, [1]) ? undefined : intsParameter(walk.graph, node, 1, 'axes');
  const axes = fixed?.map((axis) => normalAxis(axis, rank));
  if (!axes?.every(Number.isFinite) || axes.length === 0 || axes.includes(label.axis)) {
    return walk.freezeInputs(node, 'averages over them');
  }
  const dropped =
    intAttribute(node, 'keepdims', 1) === 0 ? axes.filter((axis) => axis < label.axis).length : 0;
  walk.set(node.outputs[0], { axis: label.axis - dropped, ids: label.ids });
};

const expand: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const [from, to] = [walk.shape(input), walk.shape(node.outputs[0])];
  if (!from || !to || walk.constant(node.inputs[1])?.type !== 'int64') {
    return walk.freezeInputs(node, 'has a shape that is not known before run time');
  }
  walk.set(node.outputs[0], { axis: label.axis + to.length - from.length, ids: label.ids });
};

const gather: ChannelRule = (walk, node) => {
  const [data, indices] = [node.inputs[0], walk.constant(node.inputs[1])];
  const label = walk.label(data);
  const rank = walk.shape(data)?.length;
  if (!label || indices?.type !== 'int64' || rank === undefined) {
    return walk.freezeInputs(node, 'picks by indices that are computed');
  }
  const axis = normalAxis(intAttribute(node, 'axis', 0), rank);
  if (axis !== label.axis) {
    const shift = axis < label.axis ? indices.dims.length - 1 : 0;
    return walk.set(node.outputs[0], { axis: label.axis + shift, ids: label.ids });
  }
  if (indices.dims.length !== 1) return walk.freezeInputs(node, 'picks single channels');
  const count = label.ids.length;
  const picked = Array.from(
    indices.data,
    (i) => label.ids[Number(i) < 0 ? Number(i) + count : Number(i)] as number,
  );
  walk.set(node.outputs[0], { axis, ids: Int32Array.from(picked) });
};

/** A shape read at run time may carry the channel count anywhere, unless only another axis is picked from it. */
const shapeOf: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const readers = walk.graph.nodes.filter((other) => other.inputs.includes(node.outputs[0] ?? ''));
  const harmless = readers.every((reader) => {
    const index = reader.op === 'Gather' ? walk.constant(reader.inputs[1]) : undefined;
    return index?.type === 'int64' && index.data.every((i) => i >= 0n && Number(i) !== label.axis);
  });
  if (!harmless || node.attributes.has('start')) walk.freezeInputs(node, 'reads their number at run time');
};

/** What each operator does to channels. */
export const RULES: OpTable<ChannelRule> = {
  Add: elementwise,
  AveragePool: pool,
  BatchNormalization: batchNormalization,
  Cast: pass,
  Clip: pass,
  Concat: concat,
  Constant: nothing,
  ConstantOfShape: nothing,
  Conv: weightedLayer,
  ConvTranspose: weightedLayer,
  DepthToSpace: (walk, node) => walk.freezeInputs(node, 'moves them into space'),
  Div: elementwise,
  Dropout: pass,
  Elu: pass,
  Erf: pass,
  Exp: pass,
  Expand: expand,
  Flatten: reshape,
  Gather: gather,
  Gelu: pass,
  Gemm: weightedLayer,
  GlobalAveragePool: pool,
  GlobalMaxPool: pool,
  HardSigmoid: pass,
  HardSwish: pass,
  Identity: pass,
  LRN: localResponse,
  LeakyRelu: pass,
  LogSoftmax: softmax,
  MatMul: weightedLayer,
  MaxPool: pool,
  Mul: elementwise,
  PRelu: elementwise,
  Pad: pad,
  ReduceMean: reduceMean,
  Relu: pass,
  Reshape: reshape,
  Shape: shapeOf,
  Sigmoid: pass,
  Slice: slice,
  Softmax: softmax,
  Split: split,
  Sqrt: pass,
  Squeeze: reshape,
  Sub: elementwise,
  Tanh: pass,
  Transpose: transpose,
  Unsqueeze: reshape,
};
