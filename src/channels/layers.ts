// Where the input and output channels of a weighted layer lie in its data, weight and bias.
import { constantInput, type Graph, intAttribute, type Node, opOf } from '../onnx/index.ts';

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

/**
 * The layout of a Conv, ConvTranspose, Gemm or MatMul that applies constant float32 weights to a computed input;
 * undefined for any other node, and for weights that are computed, of another type, or of unusual rank.
 */
export function layerLayout(
  graph: Graph,
  node: Node,
  shape: (value: string) => readonly number[] | undefined,
): LayerLayout | undefined {
  const layout = rawLayout(graph, node, shape);
  if (!layout || !node.inputs[layout.data] || constantInput(graph, node, layout.data)) return undefined;
  if (layout.bias !== undefined && constantInput(graph, node, layout.bias)?.type !== 'float32')
    return undefined;
  return layout;
}

/** Whether every output channel reads one input channel only, so that both go together. */
export function isDepthwise(layout: LayerLayout): boolean {
  return layout.groups > 1 && layout.groups === layout.inChannels;
}

function rawLayout(
  graph: Graph,
  node: Node,
  shape: (value: string) => readonly number[] | undefined,
): LayerLayout | undefined {
  switch (opOf(node)) {
    case 'Conv':
      return convolution(graph, node, false);
    case 'ConvTranspose':
      return convolution(graph, node, true);
    case 'Gemm':
      return gemm(graph, node);
    case 'MatMul':
      return matMul(graph, node, shape);
    default:
      return undefined;
  }
}

function convolution(graph: Graph, node: Node, transposed: boolean): LayerLayout | undefined {
  const weight = floatDims(graph, node, 1);
  const groups = intAttribute(node, 'group', 1);
  if (!weight || weight.length < 3 || groups < 1) return undefined;
  const [first, second] = [weight[0] as number, weight[1] as number];
  if (first % groups !== 0) return undefined;
  return {
    data: 0,
    weight: 1,
    bias: node.inputs[2] ? 2 : undefined,
    dataAxis: 1,
    outputAxis: 1,
    weightIn: transposed ? 0 : 1,
    weightOut: transposed ? 1 : 0,
    groups,
    inChannels: transposed ? first : second * groups,
    outChannels: transposed ? second * groups : first,
  };
}

function gemm(graph: Graph, node: Node): LayerLayout | undefined {
  const weight = floatDims(graph, node, 1);
  if (weight?.length !== 2) return undefined;
  const flipped = intAttribute(node, 'transB', 0) !== 0;
  const weightIn = flipped ? 1 : 0;
  return {
    data: 0,
    weight: 1,
    bias: node.inputs[2] ? 2 : undefined,
    dataAxis: intAttribute(node, 'transA', 0) !== 0 ? 0 : 1,
    outputAxis: 1,
    weightIn,
    weightOut: 1 - weightIn,
    groups: 1,
    inChannels: weight[weightIn] as number,
    outChannels: weight[1 - weightIn] as number,
  };
}

function matMul(
  graph: Graph,
  node: Node,
  shape: (value: string) => readonly number[] | undefined,
): LayerLayout | undefined {
  const right = floatDims(graph, node, 1);
  const weight = right ?? floatDims(graph, node, 0);
  const data = right ? 0 : 1;
  const rank = shape(node.inputs[data] ?? '')?.length;
  if (weight?.length !== 2 || rank === undefined || rank < 2) return undefined;
  // x W sums over the last axis of x and W's first; W x over the last but one axis of x and W's last.
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
    inChannels: weight[weightIn] as number,
    outChannels: weight[1 - weightIn] as number,
  };
}

function floatDims(graph: Graph, node: Node, input: number): readonly number[] | undefined {
  const constant = constantInput(graph, node, input);
  return constant?.type === 'float32' ? constant.dims : undefined;
}
