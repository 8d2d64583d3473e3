// Merges a constant added to, or multiplied with, each channel of a weighted layer's output into the layer: biases as
// tf2onnx and Keras write them, scales, and batch normalisation taken apart. A layer is then one node, whatever the
// exporter.

import { cloneModel, type Graph, type Model, type Node, sizeOf } from '../graph.ts';
import { intsAttribute, intsParameter, type OpName, opOf } from '../ops.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { floatData, forgetShapes, removeDead } from '../surgery.ts';
import { type Affine, mergeIntoLayer, Uses } from './fold-batch-norm.ts';

/**
 * The model with every Add, Sub, Mul and Div by a constant of one number a channel merged that is the only reader of a
 * Conv, ConvTranspose, Gemm, or MatMul with weights. A MatMul of two axes becomes a Gemm where it gets a bias; one of
 * more axes has no place for a bias, so an Add behind it stays (see `explain/backward/bias.ts`). Outputs are equal up
 * to rounding.
 */
export function foldBias(model: Model): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const view = viewOf(graph, inferShapes(model, 1));
  const { uses } = view;
  for (const node of graph.nodes) {
    const found = elementwise(graph, node, view);
    if (!found || !takesShift(found.layer, view)) continue;
    const { layer } = found;
    const affine = affineOf(graph, node, found.at, found.channels);
    if (!affine || !mergeIntoLayer(uses, layer, affine)) continue;
    // A MatMul of two axes has no place for the bias.
    if (layer.op === 'MatMul') layer.op = 'Gemm';
    const last = uses.makers.get(found.value) ?? layer;
    uses.takeOutput(last, node, found.value, node.outputs[0] as string);
  }
  if (uses.gone.size === 0) return model;
  graph.nodes = graph.nodes.filter((node) => !uses.gone.has(node));
  removeDead(graph);
  const made = new Set<string>();
  for (const node of graph.nodes) for (const name of node.outputs) made.add(name);
  forgetShapes(graph, made);
  return result;
}

/** Facts that are needed at every node, found once. */
interface View {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly uses: Uses;
}

/** A graph as `biasBehind` looks at it. */
export function viewOf(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>): View {
  return { shapes, uses: new Uses(graph) };
}

/** The Add (or Sub) that is the bias of a layer without a place for one: MatMul of more than two axes. */
export function biasBehind(
  graph: Graph,
  layer: Node,
  view: View,
): { readonly node: Node; readonly bias: Float32Array } | undefined {
  const reader = view.uses.onlyReader(layer.outputs[0] ?? '');
  const found = reader && opOf(layer) === 'MatMul' ? elementwise(graph, reader, view) : undefined;
  if (!reader || found?.layer !== layer) return undefined;
  const affine = affineOf(graph, reader, found.at, found.channels);
  if (!affine || affine.scale.some((value) => value !== 1)) return undefined;
  return { node: reader, bias: Float32Array.from(affine.shift) };
}

const ELEMENTWISE: ReadonlySet<OpName | undefined> = new Set(['Add', 'Sub', 'Mul', 'Div']);

/**
 * The layer whose output the node alone reads, axes moved or not, with a constant of one number a channel at input
 * `at`.
 */
function elementwise(graph: Graph, node: Node, view: View) {
  if (!ELEMENTWISE.has(opOf(node)) || node.inputs.length !== 2) return undefined;
  const at = node.inputs.findIndex((name) => graph.constants.has(name));
  const value = node.inputs[1 - at];
  if (at < 0 || value === undefined) return undefined;
  const constant = floatData(graph, node.inputs[at]);
  const shape = view.shapes.get(value);
  if (!constant || !shape || constant.dims.length > shape.length) return undefined;
  const found = view.uses.onlyReader(value) === node ? layerBefore(graph, value, view) : undefined;
  if (!found) return undefined;
  const { layer, axis } = found;
  const channels = shape[axis] as number;
  // Aligned at the last axis; a number for all is no bias, but part of what follows, unless there is one channel.
  const own = axis - (shape.length - constant.dims.length);
  const perChannel = constant.dims.every((size, i) => size === (i === own ? channels : 1));
  return perChannel && sizeOf(constant.dims) === channels ? { layer, value, channels, at } : undefined;
}

/** How many nodes that only move axes are looked through. */
const MOVES = 6;

/**
 * The layer that makes a value, and the axis on which its channels lie there: also through nodes that only move axes,
 * such as those around a convolution of signals that is written as one of images.
 */
function layerBefore(graph: Graph, value: string, { shapes, uses }: View) {
  const moves: Node[] = [];
  for (let at = value; moves.length <= MOVES; ) {
    const maker = uses.makers.get(at);
    const shape = shapes.get(at);
    if (!maker || !shape) return undefined;
    const own = channelAxis(graph, maker, shape);
    if (own !== undefined) {
      const axis = moves.reduceRight<number | undefined>(
        (before, move) => (before === undefined ? before : movedAxis(graph, move, before, shapes)),
        own,
      );
      return axis === undefined ? undefined : { layer: maker, axis };
    }
    const [input = ''] = maker.inputs;
    if (!MOVING.has(opOf(maker)) || uses.onlyReader(input) !== maker) return undefined;
    moves.push(maker);
    at = input;
  }
  return undefined;
}

const MOVING: ReadonlySet<OpName | undefined> = new Set(['Transpose', 'Squeeze', 'Unsqueeze']);

/** The axis of a node's output that an axis of its input becomes; undefined when it is gone or unknown. */
function movedAxis(
  graph: Graph,
  node: Node,
  axis: number,
  shapes: ReadonlyMap<string, readonly number[]>,
): number | undefined {
  const [from, to] = [shapes.get(node.inputs[0] ?? '')?.length, shapes.get(node.outputs[0] ?? '')?.length];
  if (from === undefined || to === undefined) return undefined;
  const op = opOf(node);
  if (op === 'Transpose') {
    const order = intsAttribute(node, 'perm');
    return order ? order.indexOf(axis) : from - 1 - axis;
  }
  if (node.inputs[1] && !graph.constants.has(node.inputs[1])) return undefined;
  const wide = Math.max(from, to);
  const axes = intsParameter(graph, node, 1, 'axes')?.map((one) => (one < 0 ? one + wide : one));
  if (!axes) return undefined;
  const left = Array.from({ length: wide }, (_, i) => i).filter((i) => !axes.includes(i));
  const moved = op === 'Squeeze' ? left.indexOf(axis) : left[axis];
  return moved === undefined || moved < 0 ? undefined : moved;
}

function channelAxis(graph: Graph, layer: Node, shape: readonly number[]): number | undefined {
  switch (opOf(layer)) {
    case 'Conv':
    case 'ConvTranspose':
      return shape.length >= 3 ? 1 : undefined;
    case 'Gemm':
      return 1;
    case 'MatMul':
      return floatData(graph, layer.inputs[1])?.dims.length === 2 && shape.length >= 2
        ? shape.length - 1
        : undefined;
    default:
      return undefined;
  }
}

function affineOf(graph: Graph, node: Node, at: number, channels: number): Affine | undefined {
  const data = floatData(graph, node.inputs[at])?.data;
  if (!data) return undefined;
  const all = (value: number): Float64Array => new Float64Array(channels).fill(value);
  const own = Float64Array.from(data);
  switch (opOf(node)) {
    case 'Add':
      return { scale: all(1), shift: own };
    case 'Sub':
      // A constant less the layer turns its sign.
      return at === 1 ? { scale: all(1), shift: own.map((value) => -value) } : { scale: all(-1), shift: own };
    case 'Mul':
      return { scale: own, shift: all(0) };
    case 'Div':
      return at === 1 && own.every((value) => value !== 0)
        ? { scale: own.map((value) => 1 / value), shift: all(0) }
        : undefined;
    default:
      return undefined;
  }
}

/** Whether a layer has a place for a bias, or gets one. */
function takesShift(layer: Node, { shapes }: View): boolean {
  return opOf(layer) !== 'MatMul' || shapes.get(layer.outputs[0] ?? '')?.length === 2;
}
