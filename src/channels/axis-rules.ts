// Rules of operators that rearrange axes: join, split, cut, pad, reshape, move, drop and pick.
import {
  describeNode,
  intAttribute,
  integersOf,
  intsAttribute,
  intsParameter,
  type Node,
  opOf,
} from '../onnx/internal.ts';
import { anyComputed, normalAxis, padEntries, sliceRange } from './parameters.ts';
import { headOf, headsThroughReshape } from './products.ts';
import type { ChannelRule, Propagation } from './propagation.ts';
import { removedCountsAs } from './reduced-over.ts';
import { innerPartThroughReshape, mapThroughReshape, outerPartThroughReshape } from './reshape.ts';

export const concat: ChannelRule = (walk, node) => {
  const labels = node.inputs.map((name) => walk.label(name));
  const first = labels.find((label) => label !== undefined);
  if (!first) return;
  const rank = walk.shape(node.inputs[0])?.length;
  if (rank === undefined) return walk.freezeInputs(node, 'has inputs of unknown shape');
  if (labels.some((label) => label && label.axis !== first.axis)) {
    return walk.freezeInputs(node, 'combines different axes');
  }
  if (normalAxis(intAttribute(node, 'axis', 1), rank) !== first.axis) {
    const other = (name: string): boolean => isCutAlong(walk, name, first.axis, first.ids.length);
    if (node.inputs.some((name, i) => !labels[i] && !other(name)))
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

/**
 * Whether a value without channels can be cut along an axis all the same: a constant, or a constant (a class token) that
 * is repeated along other axes.
 */
function isCutAlong(walk: Propagation, name: string, axis: number, width: number): boolean {
  const maker = walk.maker(name);
  const repeats = maker && opOf(maker) === 'Expand';
  const constant = walk.constant(repeats ? maker.inputs[0] : name);
  const rank = walk.shape(name)?.length ?? Number.NaN;
  if (constant?.type !== 'float32' || constant.dims[axis - rank + constant.dims.length] !== width)
    return false;
  if (!repeats) return true;
  if (walk.readersOf(name).length > 1) return false;
  // A size that is computed as it runs must be known to leave the axis as it is.
  const sizes = walk.known(maker.inputs[1]);
  return sizes !== undefined && [1, width].includes(sizes[axis - rank + sizes.length] ?? 1);
}

export const split: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const rank = walk.shape(node.inputs[0])?.length ?? Number.NaN;
  if (normalAxis(intAttribute(node, 'axis', 0), rank) !== label.axis) {
    for (const name of node.outputs) walk.set(name, label);
    return;
  }
  const computed = anyComputed(walk.graph, node, [1]);
  const sizes = node.outputs.map((name) =>
    computed ? Number.NaN : (walk.shape(name)?.[label.axis] ?? Number.NaN),
  );
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

export const slice: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const rank = walk.shape(input)?.length;
  const range =
    rank === undefined ? undefined : sliceRange(walk.graph, node, label.axis, label.ids.length, rank);
  if (range === undefined) return walk.freezeInputs(node, 'slices them in a way that is not a fixed range');
  walk.set(node.outputs[0], { axis: label.axis, ids: label.ids.slice(range.from, range.to) });
};

export const pad: ChannelRule = (walk, node) => {
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
  // Padded channels have no producer. They may be removed together with the channels that they are added to, and
  // otherwise stay.
  const ids = [
    ...walk.variables.create(Math.max(before, 0)),
    ...label.ids.slice(Math.max(-before, 0), label.ids.length - Math.max(-after, 0)),
    ...walk.variables.create(Math.max(after, 0)),
  ];
  walk.set(node.outputs[0], { axis: label.axis, ids: Int32Array.from(ids) });
};

/**
 * Flatten, Reshape, Squeeze, Unsqueeze: channels may merge with other axes, or be split into equal parts, which must
 * then stay equal; where only the outer part has an axis, such as the groups of a group normalisation, all channels of a
 * part stay or go together. Anything else freezes them.
 */
export const reshape: ChannelRule = (walk, node) => {
  const [input, output] = [node.inputs[0], node.outputs[0]];
  const label = walk.label(input);
  if (!label) return walk.freezeInputs(node, 'takes its shape from them');
  const [from, to] = [walk.shape(input), walk.shape(output)];
  const target = node.inputs[1];
  if (!from || !to || (target && !walk.constant(target))) {
    return walk.freezeInputs(node, 'has a shape that is not known before run time');
  }
  const mapped = mapThroughReshape(from, label.axis, to);
  if (mapped) {
    const ids = mapped.source.map((channel) => label.ids[channel] as number);
    walk.set(output, { axis: mapped.axis, ids });
    return;
  }
  const heads = headsThroughReshape(walk, output ?? '', from, label.axis, to);
  if (heads !== undefined) {
    const ids = new Int32Array(to[heads] as number).fill(-1);
    headOf(from, label.axis, to, heads).forEach((head, at) => {
      const id = label.ids[at] as number;
      if (ids[head] === -1) ids[head] = id;
      else walk.variables.unite(ids[head] as number, id);
    });
    return walk.set(output, { axis: heads, ids });
  }
  const split = innerPartThroughReshape(from, label.axis, to);
  const outer = outerPartThroughReshape(from, label.axis, to);
  const goesByOuter =
    !split ||
    isReducedAlong(walk, output ?? '', split.axis, to.length) ||
    (outer?.axis === label.axis && isMovedIntoSpace(walk, output ?? '', label.axis, split.axis));
  if (outer && goesByOuter) {
    walk.variables.tieRuns(label.ids, outer.width);
    walk.set(output, { axis: outer.axis, ids: label.ids.filter((_, i) => i % outer.width === 0) });
    return;
  }
  if (!split) return walk.freezeInputs(node, 'spreads them over several axes');
  walk.variables.tieParts(label.ids, label.ids.length / split.inner);
  walk.set(output, { axis: split.axis, ids: label.ids.slice(0, split.inner) });
};

/** Whether a reader of a value reduces along an axis, as the statistics of a group normalisation do. */
function isReducedAlong(walk: Propagation, value: string, axis: number, rank: number): boolean {
  return walk.readersOf(value).some((reader) => {
    if (opOf(reader) !== 'ReduceMean' || anyComputed(walk.graph, reader, [1])) return false;
    const axes = intsParameter(walk.graph, reader, 1, 'axes') ?? [];
    return axes.some((one) => normalAxis(one, rank) === axis);
  });
}

/** Whether all readers move the inner part of channels away from the outer one, which stays, as a pixel shuffle does. */
function isMovedIntoSpace(walk: Propagation, value: string, outer: number, inner: number): boolean {
  const readers = walk.readersOf(value);
  return (
    readers.length > 0 &&
    readers.every((reader) => {
      const order = opOf(reader) === 'Transpose' ? (intsAttribute(reader, 'perm') ?? []) : [];
      return order[outer] === outer && order.indexOf(inner) > outer + 1;
    })
  );
}

export const transpose: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const rank = walk.shape(node.inputs[0])?.length;
  if (rank === undefined) return walk.freezeInputs(node, 'has an input of unknown shape');
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  walk.set(node.outputs[0], { axis: order.indexOf(label.axis), ids: label.ids });
};

/** Reductions: channels follow where they are not reduced. */
export const reduce: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const rank = walk.shape(input)?.length ?? Number.NaN;
  const fixed = anyComputed(walk.graph, node, [1]) ? undefined : intsParameter(walk.graph, node, 1, 'axes');
  const axes = fixed?.map((axis) => normalAxis(axis, rank));
  // What is left of them is reduced alone; masking counts the same way.
  if (axes?.every(Number.isFinite) && axes.includes(label.axis) && removedCountsAs(node) !== undefined)
    return;
  if (!axes?.every(Number.isFinite) || axes.length === 0 || axes.includes(label.axis)) {
    return walk.freezeInputs(
      node,
      opOf(node) === 'ReduceMean' ? 'averages over them' : 'reduces them to one',
    );
  }
  const dropped =
    intAttribute(node, 'keepdims', 1) === 0 ? axes.filter((axis) => axis < label.axis).length : 0;
  walk.set(node.outputs[0], { axis: label.axis - dropped, ids: label.ids });
};

export const expand: ChannelRule = (walk, node) => {
  const input = node.inputs[0];
  const label = walk.label(input);
  if (!label) return;
  const [from, to] = [walk.shape(input), walk.shape(node.outputs[0])];
  if (!from || !to || !integersOf(walk.constant(node.inputs[1]))) {
    return walk.freezeInputs(node, 'has a shape that is not known before run time');
  }
  walk.set(node.outputs[0], { axis: label.axis + to.length - from.length, ids: label.ids });
};

export const gather: ChannelRule = (walk, node) => {
  const [data, indices] = [node.inputs[0], walk.constant(node.inputs[1])];
  const label = walk.label(data);
  const rank = walk.shape(data)?.length;
  const picked = integersOf(indices);
  if (!label || !indices || !picked || rank === undefined) {
    return walk.freezeInputs(node, 'picks by indices that are computed');
  }
  const axis = normalAxis(intAttribute(node, 'axis', 0), rank);
  if (axis !== label.axis) {
    const shift = axis < label.axis ? indices.dims.length - 1 : 0;
    return walk.set(node.outputs[0], { axis: label.axis + shift, ids: label.ids });
  }
  if (indices.dims.length !== 1) return walk.freezeInputs(node, 'picks single channels');
  const count = label.ids.length;
  const ids = picked.flatMap((i) => label.ids[i < 0 ? i + count : i] ?? []);
  walk.set(node.outputs[0], { axis, ids: Int32Array.from(ids) });
};

/**
 * A shape that is read at run time may carry the channel count anywhere: to an output, into a subgraph, through any
 * node. Only picking the sizes of other axes is harmless.
 */
export const shapeOf: ChannelRule = (walk, node) => {
  const label = walk.label(node.inputs[0]);
  if (!label) return;
  const output = node.outputs[0] ?? '';
  if (walk.isOutput(output)) return walk.freezeInputs(node, 'gives their number as an output');
  const harmless = walk.readersOf(output).every((reader) => picksOther(walk, reader, output, label.axis));
  if (!harmless || node.attributes.has('start')) walk.freezeInputs(node, 'reads their number at run time');
};

/** Whether a node only picks sizes of axes other than `axis` from a shape, as data and by constant indices. */
function picksOther(walk: Propagation, reader: Node, shape: string, axis: number): boolean {
  if (opOf(reader) !== 'Gather' || reader.inputs[0] !== shape || reader.inputs[1] === shape) return false;
  const index = integersOf(walk.constant(reader.inputs[1]));
  return index?.every((i) => i >= 0 && i !== axis) === true;
}
