// How each operator passes channels on: the rule table of `findGroups`. Weighted layers are in `layer-rule.ts`,
// operators that rearrange axes in `axis-rules.ts`.
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  entries,
  FUNCTION_OPS,
  intAttribute,
  LOGIC_OPS,
  NARY_OPS,
  type Node,
  type OpTable,
  REDUCTION_OPS,
  readsOf,
  STEP_OPS,
  TEST_OPS,
} from '../onnx/internal.ts';
import {
  concat,
  expand,
  gather,
  pad,
  reduce,
  reshape,
  shapeOf,
  slice,
  split,
  transpose,
} from './axis-rules.ts';
import type { Label } from './channels.ts';
import { unknownLayer } from './fixed-layers.ts';
import {
  along,
  cumulativeAxis,
  depthToSpace,
  groupNormalization,
  instanceNormalization,
  meanVariance,
  resize,
  sizeOfAll,
  spaceToDepth,
  tile,
} from './further-rules.ts';
import { weightedLayerRule } from './layer-rule.ts';
import { layerNormalization } from './normalization.ts';
import { normalAxis } from './parameters.ts';
import type { ChannelRule } from './propagation.ts';
import { recurrentRule } from './recurrent.ts';

/** For operators without a rule: all channels that they read, directly or inside a subgraph, stay. */
export const freezeUnknown: ChannelRule = (walk, node) => {
  unknownLayer(walk, node);
  const why = 'is an operator whose channels are not known';
  for (const name of readsOf(node)) walk.freeze(walk.label(name), node, why);
};

/** For results without channels: shapes, and constants that folding left. */
const nothing: ChannelRule = () => {};

/** For operators with one result for each element: the outputs have the input's channels. */
const pass: ChannelRule = (walk, node) => {
  for (const output of node.outputs) walk.set(output, walk.label(node.inputs[0]));
};

/** Pools work on each channel alone as long as the channels lie on axis 1. */
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
  const vectors = node.inputs.slice(1).map((name) => walk.constant(name));
  if (vectors.some((vector) => vector?.type !== 'float32' || vector.dims.length !== 1)) {
    return walk.freezeInputs(node, 'has parameters that are not float32 vectors');
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
  // Up to opset 13, all axes from `axis` on are normalised together.
  const flattens = walk.opset < 13;
  const axis = normalAxis(intAttribute(node, 'axis', flattens ? 1 : -1), rank);
  const apart = flattens ? label.axis < axis : label.axis !== axis && Number.isFinite(axis);
  if (!apart) return walk.freezeInputs(node, 'normalises across them');
  walk.set(node.outputs[0], label);
};

/**
 * Elementwise operators with numpy's broadcasting. Operands whose channels meet are united, and constants follow. A
 * computed operand without channels freezes the others unless it is broadcast along them.
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

/** The axis that an attribute names. */
const alongAttribute =
  (fallback: number) =>
  (_walk: unknown, node: Node): number =>
    intAttribute(node, 'axis', fallback);

/** The effect of each operator on channels. */
export const RULES: OpTable<ChannelRule> = {
  ...entries(FUNCTION_OPS, pass),
  ...entries(STEP_OPS, pass),
  ...entries(TEST_OPS, pass),
  ...entries(COMPARISON_OPS, elementwise),
  ...entries(LOGIC_OPS, elementwise),
  ...entries(NARY_OPS, elementwise),
  ...entries(REDUCTION_OPS, reduce),
  ...entries(ARGUMENT_OPS, along('picks among them', alongAttribute(0), true)),
  Add: elementwise,
  AveragePool: pool,
  BatchNormalization: batchNormalization,
  Cast: pass,
  Clip: pass,
  Concat: concat,
  Constant: nothing,
  ConstantOfShape: nothing,
  Conv: weightedLayerRule,
  ConvTranspose: weightedLayerRule,
  CumSum: along('adds them up', cumulativeAxis),
  DepthToSpace: depthToSpace,
  Div: elementwise,
  Dropout: pass,
  Einsum: (walk, node) => walk.freezeInputs(node, 'sums over letters in a way that is no plain product'),
  Elu: pass,
  Erf: pass,
  Exp: pass,
  Expand: expand,
  Flatten: reshape,
  GRU: recurrentRule,
  Gather: gather,
  Gelu: pass,
  Gemm: weightedLayerRule,
  GlobalAveragePool: pool,
  GlobalLpPool: pool,
  GlobalMaxPool: pool,
  GroupNormalization: groupNormalization,
  HardSigmoid: pass,
  HardSwish: pass,
  Identity: pass,
  InstanceNormalization: instanceNormalization,
  LRN: localResponse,
  LSTM: recurrentRule,
  LayerNormalization: layerNormalization,
  LeakyRelu: pass,
  LogSoftmax: softmax,
  LpNormalization: along('normalises across them', alongAttribute(-1)),
  LpPool: pool,
  MatMul: weightedLayerRule,
  MaxPool: pool,
  MeanVarianceNormalization: meanVariance,
  Mod: elementwise,
  Mul: elementwise,
  PRelu: elementwise,
  Pad: pad,
  RNN: recurrentRule,
  Pow: elementwise,
  ReduceMean: reduce,
  Relu: pass,
  Range: nothing,
  Reshape: reshape,
  Resize: resize,
  Shape: shapeOf,
  Sigmoid: pass,
  Size: sizeOfAll,
  Slice: slice,
  Softmax: softmax,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Sqrt: pass,
  Squeeze: reshape,
  Sub: elementwise,
  Tanh: pass,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: reshape,
  Upsample: resize,
  Where: elementwise,
};
