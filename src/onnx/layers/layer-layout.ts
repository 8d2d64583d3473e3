// The one place that says how a weighted layer (Conv, ConvTranspose, Gemm, MatMul) is laid out: which axes of its data,
// its weight and its output hold channels, and how convolution groups divide them.
import { floatElements } from '../costs/costs.ts';
import type { Graph, Node } from '../graph.ts';
import { constantInput, intAttribute, opOf } from '../ops.ts';

/** Which axes of a weight hold input and output channels. */
export interface WeightAxes {
  readonly in: 0 | 1;
  readonly out: 0 | 1;
}

/** The layout of one weighted layer. */
export interface LayerLayout {
  /** Input index of the data, of the weight, and of the bias where there is one. */
  readonly data: number;
  readonly weight: number;
  readonly bias: number | undefined;
  /** Axis of the data that the layer sums over, and axis of its output that holds its channels. */
  readonly dataAxis: number;
  readonly outputAxis: number;
  /** Axes of the weight that hold the input and the output channels (of one convolution group). */
  readonly weightIn: number;
  readonly weightOut: number;
  /** Convolution groups. */
  readonly groups: number;
  readonly inChannels: number;
  readonly outChannels: number;
}

/** Shape of a value, or undefined where it is unknown. */
type ShapeOf = (value: string) => readonly number[] | undefined;

/** Whether a node is a layer with constant weights, recurrent ones included. */
export function isWeighted(graph: Graph, node: Node): boolean {
  const op = opOf(node);
  if (op === 'Conv' || op === 'ConvTranspose' || op === 'Gemm') return true;
  if (op === 'LSTM' || op === 'GRU' || op === 'RNN') return true;
  return op === 'MatMul' && node.inputs.some((name) => floatElements(graph.constants.get(name)) > 0);
}

/**
 * The channel axes of a node's weight: `[out, in/groups, ...kernel]` for Conv, `[in, out/groups, ...kernel]` for
 * ConvTranspose, `[in, out]` for Gemm (`[out, in]` with transB = 1) and for a MatMul whose weight is on the right.
 */
export function weightAxes(node: Node): WeightAxes | undefined {
  switch (opOf(node)) {
    case 'Conv':
      return { out: 0, in: 1 };
    case 'ConvTranspose':
      return { out: 1, in: 0 };
    case 'Gemm':
      return intAttribute(node, 'transB', 0) !== 0 ? { out: 0, in: 1 } : { out: 1, in: 0 };
    case 'MatMul':
      return { out: 1, in: 0 };
    default:
      return undefined;
  }
}

/** Convolution groups of a node; 1 for operators without any. */
export function groupsOf(node: Node): number {
  const op = opOf(node);
  return op === 'Conv' || op === 'ConvTranspose' ? intAttribute(node, 'group', 1) : 1;
}

/** Output channels of a weighted node whose weight, on the right of a MatMul, has the given sizes. */
export function outputChannels(node: Node, dims: readonly number[]): number {
  const { out = 1 } = weightAxes(node) ?? {};
  return (dims[out] ?? 0) * (opOf(node) === 'ConvTranspose' ? groupsOf(node) : 1);
}

/** Input channels of a weighted node whose weight, on the right of a MatMul, has the given sizes. */
function inputChannels(node: Node, dims: readonly number[]): number {
  const { in: axis = 0 } = weightAxes(node) ?? {};
  return (dims[axis] ?? 0) * (opOf(node) === 'Conv' ? groupsOf(node) : 1);
}

/**
 * The layout of a Conv, ConvTranspose, Gemm or MatMul that applies constant float32 weights to a computed input;
 * undefined for any other node, and for weights that are computed, of another type, or of unusual rank.
 */
export function layerLayout(graph: Graph, node: Node, shapeOf: ShapeOf): LayerLayout | undefined {
  const layout =
    opOf(node) === 'MatMul' ? matMulLayout(graph, node, shapeOf) : rightWeightLayout(graph, node);
  if (!layout || !node.inputs[layout.data] || constantInput(graph, node, layout.data)) return undefined;
  if (layout.bias !== undefined && constantInput(graph, node, layout.bias)?.type !== 'float32')
    return undefined;
  return layout;
}

/** Whether every output channel reads one input channel only, so that both are removed together. */
export function isDepthwise(layout: LayerLayout): boolean {
  return layout.groups > 1 && layout.groups === layout.inChannels;
}

/** Convolutions and Gemm: the weight is input 1, the bias input 2. */
function rightWeightLayout(graph: Graph, node: Node): LayerLayout | undefined {
  const axes = weightAxes(node);
  const dims = floatDims(graph, node, 1);
  if (!axes || !dims) return undefined;
  const groups = groupsOf(node);
  const isGemm = opOf(node) === 'Gemm';
  if (isGemm ? dims.length !== 2 : dims.length < 3 || groups < 1 || (dims[0] as number) % groups !== 0)
    return undefined;
  return {
    data: 0,
    weight: 1,
    bias: node.inputs[2] ? 2 : undefined,
    dataAxis: isGemm && intAttribute(node, 'transA', 0) !== 0 ? 0 : 1,
    outputAxis: 1,
    weightIn: axes.in,
    weightOut: axes.out,
    groups,
    inChannels: inputChannels(node, dims),
    outChannels: outputChannels(node, dims),
  };
}

/** A MatMul has its weight on either side: `x W` sums over the last axis of x, `W x` over the last but one. */
function matMulLayout(graph: Graph, node: Node, shapeOf: ShapeOf): LayerLayout | undefined {
  const right = floatDims(graph, node, 1);
  const dims = right ?? floatDims(graph, node, 0);
  const data = right ? 0 : 1;
  const rank = shapeOf(node.inputs[data] ?? '')?.length;
  if (dims?.length !== 2 || rank === undefined || rank < 2) return undefined;
  const axis = right ? rank - 1 : rank - 2;
  const weightIn = right ? 0 : 1;
  return {
    data,
    weight: 1 - data,
    bias: undefined,
    dataAxis: axis,
    outputAxis: axis,
    weightIn,
    weightOut: 1 - weightIn,
    groups: 1,
    inChannels: dims[weightIn] as number,
    outChannels: dims[1 - weightIn] as number,
  };
}

function floatDims(graph: Graph, node: Node, input: number): readonly number[] | undefined {
  const constant = constantInput(graph, node, input);
  return constant?.type === 'float32' ? constant.dims : undefined;
}
