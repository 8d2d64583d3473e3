// Channel rules of normalisations, of operators that exchange channels and space, and of resizing and repeating.
import {
  hasConstantSize,
  intAttribute,
  integersOf,
  intsAttribute,
  type Node,
  stringAttribute,
} from '../onnx/internal.ts';
import { anyComputed, normalAxis } from './parameters.ts';
import type { ChannelRule, Propagation } from './propagation.ts';

/** InstanceNormalization: each channel by itself, with one scale and one shift. */
export const instanceNormalization: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (label?.axis !== 1) return walk.freezeInputs(node, 'normalises across them');
  if (!hasVectors(walk, node)) return walk.freezeInputs(node, 'has parameters that are not float32 vectors');
  walk.set(node.outputs[0], label);
};

/** GroupNormalization: only whole groups can go, since the statistics of a group are those of all its channels. */
export const groupNormalization: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (label?.axis !== 1) return walk.freezeInputs(node, 'normalises across them');
  if (!hasVectors(walk, node)) return walk.freezeInputs(node, 'has parameters that are not float32 vectors');
  walk.variables.tieRuns(label.ids, label.ids.length / intAttribute(node, 'num_groups', 1));
  walk.set(node.outputs[0], label);
};

function hasVectors(walk: Propagation, node: Node): boolean {
  return [1, 2].every((input) => {
    const vector = walk.constant(node.inputs[input]);
    return vector?.type === 'float32' && vector.dims.length === 1;
  });
}

/** MeanVarianceNormalization: along given axes. */
export const meanVariance: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const rank = walk.shape(node.inputs[0])?.length ?? Number.NaN;
  const axes = (intsAttribute(node, 'axes') ?? [0, 2, 3]).map((axis) => normalAxis(axis, rank));
  if (!axes.every(Number.isFinite) || axes.includes(label.axis))
    return walk.freezeInputs(node, 'normalises across them');
  walk.set(node.outputs[0], label);
};

/** Everything along one axis belongs together: `why` says how. */
export const along =
  (why: string, axisOf: (walk: Propagation, node: Node) => number | undefined, drops = false): ChannelRule =>
  (walk, node) => {
    const label = walk.label(node.inputs[0]);
    if (!label) return;
    const rank = walk.shape(node.inputs[0])?.length ?? Number.NaN;
    const axis = normalAxis(axisOf(walk, node) ?? Number.NaN, rank);
    if (!Number.isFinite(axis) || axis === label.axis) return walk.freezeInputs(node, why);
    const dropped = drops && intAttribute(node, 'keepdims', 1) === 0 && axis < label.axis ? 1 : 0;
    walk.set(node.outputs[0], { axis: label.axis - dropped, ids: label.ids });
  };

/** The axis of a CumSum, where it is constant. */
export function cumulativeAxis(walk: Propagation, node: Node): number | undefined {
  return integersOf(walk.constant(node.inputs[1]))?.[0];
}

/** DepthToSpace: the channels that become one block of space stay or go together. */
export const depthToSpace: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const parts = intAttribute(node, 'blocksize', 1) ** 2;
  const depth = label.ids.length / parts;
  if (label.axis !== 1 || !Number.isInteger(depth)) return walk.freezeInputs(node, 'moves them into space');
  const isDcr = stringAttribute(node, 'mode', 'DCR') === 'DCR';
  if (isDcr) walk.variables.tieParts(label.ids, parts);
  else walk.variables.tieRuns(label.ids, parts);
  const first = (channel: number): number => label.ids[isDcr ? channel : channel * parts] as number;
  walk.set(node.outputs[0], { axis: 1, ids: Int32Array.from({ length: depth }, (_, c) => first(c)) });
};

/** SpaceToDepth: each channel comes back at every place of a block. */
export const spaceToDepth: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  if (label.axis !== 1) return walk.freezeInputs(node, 'moves space into their axis');
  const parts = intAttribute(node, 'blocksize', 1) ** 2;
  walk.set(node.outputs[0], { axis: 1, ids: repeated(label.ids, parts) });
};

/** Tile: channels come back as often as their axis is repeated. */
export const tile: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  const repeats = integersOf(walk.constant(node.inputs[1]));
  if (!label || !repeats) return walk.freezeInputs(node, 'repeats them by numbers that are computed');
  walk.set(node.outputs[0], { axis: label.axis, ids: repeated(label.ids, repeats[label.axis] ?? 1) });
};

/** Resize and Upsample: channels follow where their axis keeps its size. */
export const resize: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const computed = node.inputs[3] ? anyComputed(walk.graph, node, [3]) : !hasConstantSize(walk.graph, node);
  const [from, to] = [walk.shape(node.inputs[0]), walk.shape(node.outputs[0])];
  if (computed || !from || !to || from[label.axis] !== to[label.axis])
    return walk.freezeInputs(node, 'resizes their axis, or to a size that is not known before run time');
  walk.set(node.outputs[0], label);
};

/** The number of elements includes that of channels. */
export const sizeOfAll: ChannelRule = (walk, node) =>
  walk.freezeInputs(node, 'reads their number at run time');

function repeated(ids: Int32Array, times: number): Int32Array {
  return Int32Array.from({ length: ids.length * times }, (_, i) => ids[i % ids.length] as number);
}
