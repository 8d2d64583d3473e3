// Weighted layers (Conv, ConvTranspose, Gemm, MatMul with a constant) seen as one thing: a linear map with a bias.
// `applyLayer` adds the map with any weights to a graph, `applyTransposedLayer` its transpose (the input gradient).

import { BedsideError, must } from '../util/index.ts';
import { sampleShapes } from './batch-axis/sample-shapes.ts';
import type { GraphBuilder } from './builder.ts';
import {
  type Constant,
  floatConstant,
  type Graph,
  int,
  ints,
  type Model,
  type Node,
  sizeOf,
} from './graph.ts';
import { describeNode, floatAttribute, intAttribute, opOf } from './ops.ts';
import { type ConvParameters, convParameters } from './window.ts';

/** A weighted layer of a model, independent of how ONNX spells it. */
export interface WeightedLayer {
  readonly name: string;
  readonly node: Node;
  /** Value names. */
  readonly input: string;
  readonly output: string;
  /** Shapes for one sample. Reading an unknown one throws E_UNSUPPORTED: weights can be read all the same. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Axis of the output's channels. */
  readonly channelAxis: number;
  readonly channels: number;
  /** Conv: `[out, in/groups, ...kernel]`; ConvTranspose: `[in, out/groups, ...kernel]`; dense: `[in, out]`. */
  readonly weight: Float32Array;
  readonly weightDims: readonly number[];
  /** `[channels]`, or undefined. */
  readonly bias: Float32Array | undefined;
  /** For each weight element's output channel: the axis and group layout of the weight. */
  readonly kind: 'conv' | 'conv-transpose' | 'dense';
  readonly conv: ConvParameters | undefined;
}

/**
 * The weighted layers in execution order.
 * @throws BedsideError E_UNSUPPORTED when a weight is computed at run time or not float32
 */
export function weightedLayers(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]> = sampleShapes(model),
): WeightedLayer[] {
  const layers: WeightedLayer[] = [];
  for (const node of model.graph.nodes) {
    const layer = weightedLayer(model.graph, node, shapes);
    if (layer) layers.push(layer);
  }
  return layers;
}

/** The layer a node is, or undefined when it is not a weighted one. */
export function weightedLayer(
  graph: Graph,
  node: Node,
  shapes: ReadonlyMap<string, readonly number[]>,
): WeightedLayer | undefined {
  switch (opOf(node)) {
    case 'Conv':
    case 'ConvTranspose':
      return convLayer(graph, node, shapes);
    case 'Gemm':
      return gemmLayer(graph, node, shapes);
    case 'MatMul':
      return graph.constants.has(node.inputs[1] ?? '') ? matmulLayer(graph, node, shapes) : undefined;
    default:
      return undefined;
  }
}

/** A copy of the layer's weights with every element mapped; bias alike. */
export interface LayerWeights {
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
}

/** Adds `map(x)` with the given weights to the graph; returns the value's name. */
export function applyLayer(
  builder: GraphBuilder,
  layer: WeightedLayer,
  x: string,
  weights: LayerWeights,
  hint: string,
): string {
  const weight = builder.constant(floatConstant(weights.weight, layer.weightDims), `${hint}_w`);
  const bias = weights.bias && builder.constant(floatConstant(weights.bias), `${hint}_b`);
  if (layer.kind === 'dense') {
    if (layer.inputShape.length === 2)
      return builder.node('Gemm', bias ? [x, weight, bias] : [x, weight], {}, hint);
    const product = builder.node('MatMul', [x, weight], {}, hint);
    return bias ? builder.node('Add', [product, bias], {}, hint) : product;
  }
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return builder.node(layer.kind === 'conv' ? 'Conv' : 'ConvTranspose', inputs, convAttributes(layer), hint);
}

/**
 * Adds the transpose of the map to the graph: `s` shaped like the layer's output becomes shaped like its input.
 * Several terms (with weights of their own) are summed.
 */
export function applyTransposedLayer(
  builder: GraphBuilder,
  layer: WeightedLayer,
  terms: readonly { readonly s: string; readonly weight: Float32Array }[],
  hint: string,
): string {
  const parts = terms.map(({ s, weight }) => transposed(builder, layer, s, weight, hint));
  return parts.reduce((sum, part) => builder.node('Add', [sum, part], {}, hint));
}

function transposed(
  builder: GraphBuilder,
  layer: WeightedLayer,
  s: string,
  weight: Float32Array,
  hint: string,
): string {
  if (layer.kind === 'dense') {
    const [rows, columns] = layer.weightDims as [number, number];
    if (layer.inputShape.length === 2) {
      const w = builder.constant(floatConstant(weight, layer.weightDims), `${hint}_w`);
      return builder.node('Gemm', [s, w], { transB: int(1) }, hint);
    }
    const w = builder.constant(floatConstant(transpose(weight, rows, columns), [columns, rows]), `${hint}_w`);
    return builder.node('MatMul', [s, w], {}, hint);
  }
  const conv = must(layer.conv, `${layer.name} has no convolution parameters`);
  if (layer.kind === 'conv-transpose') {
    const w = builder.constant(floatConstant(weight, layer.weightDims), `${hint}_w`);
    return builder.node('Conv', [s, w], { ...windowAttributes(conv), group: int(conv.groups) }, hint);
  }
  // The transpose of a stride-1 convolution is a convolution with flipped, transposed weights: faster than ConvTranspose.
  const fullPad = conv.kernel.map((k, i) => (k - 1) * (conv.dilations[i] ?? 1));
  const begin = fullPad.map((full, i) => full - (conv.padsBegin[i] ?? 0));
  const end = fullPad.map((full, i) => full - (conv.padsEnd[i] ?? 0));
  if (conv.strides.every((stride) => stride === 1) && [...begin, ...end].every((pad) => pad >= 0)) {
    const dims = [layer.inputShape[1] as number, layer.channels / conv.groups, ...conv.kernel];
    const w = builder.constant(
      floatConstant(flipped(weight, layer.weightDims, conv.groups), dims),
      `${hint}_w`,
    );
    return builder.node(
      'Conv',
      [s, w],
      {
        kernel_shape: ints(conv.kernel),
        dilations: ints(conv.dilations),
        pads: ints([...begin, ...end]),
        group: int(conv.groups),
      },
      hint,
    );
  }
  const w = builder.constant(floatConstant(weight, layer.weightDims), `${hint}_w`);
  // Input rows that no window reached lie behind the last window: they are the output padding.
  const padding = conv.kernel.map((kernel, i) => {
    const reach =
      ((layer.outputShape[2 + i] as number) - 1) * (conv.strides[i] ?? 1) +
      (kernel - 1) * (conv.dilations[i] ?? 1) +
      1 -
      (conv.padsBegin[i] ?? 0) -
      (conv.padsEnd[i] ?? 0);
    return (layer.inputShape[2 + i] as number) - reach;
  });
  return builder.node(
    'ConvTranspose',
    [s, w],
    { ...windowAttributes(conv), group: int(conv.groups), output_padding: ints(padding) },
    hint,
  );
}

function convAttributes(layer: WeightedLayer) {
  const conv = must(layer.conv, `${layer.name} has no convolution parameters`);
  const extra = layer.node.attributes.get('output_padding');
  return { ...windowAttributes(conv), group: int(conv.groups), ...(extra ? { output_padding: extra } : {}) };
}

function windowAttributes(conv: ConvParameters) {
  return {
    kernel_shape: ints(conv.kernel),
    strides: ints(conv.strides),
    dilations: ints(conv.dilations),
    pads: ints([...conv.padsBegin, ...conv.padsEnd]),
  };
}

/** `[out, in/g, ...k]` to `[in, out/g, ...k]` with every kernel axis reversed. */
function flipped(weight: Float32Array, dims: readonly number[], groups: number): Float32Array {
  const [out, inPerGroup] = dims as [number, number];
  const kernel = sizeOf(dims.slice(2));
  const outPerGroup = out / groups;
  const result = new Float32Array(weight.length);
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < outPerGroup; o++) {
      for (let i = 0; i < inPerGroup; i++) {
        const from = ((g * outPerGroup + o) * inPerGroup + i) * kernel;
        const to = ((g * inPerGroup + i) * outPerGroup + o) * kernel;
        for (let k = 0; k < kernel; k++) result[to + kernel - 1 - k] = weight[from + k] as number;
      }
    }
  }
  return result;
}

function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c] as number;
  }
  return result;
}

function convLayer(graph: Graph, node: Node, shapes: ReadonlyMap<string, readonly number[]>): WeightedLayer {
  const weight = floatInput(graph, node, 1);
  const kind = opOf(node) === 'Conv' ? 'conv' : 'conv-transpose';
  const [first, second] = weight.dims as [number, number];
  return {
    name: node.name,
    node,
    input: node.inputs[0] as string,
    output: node.outputs[0] as string,
    get inputShape() {
      return shapesOf(graph, node, shapes).inputShape;
    },
    get outputShape() {
      return shapesOf(graph, node, shapes).outputShape;
    },
    channelAxis: 1,
    channels: kind === 'conv' ? first : second * intAttribute(node, 'group', 1),
    weight: weight.data,
    weightDims: weight.dims,
    bias: node.inputs[2] ? floatInput(graph, node, 2).data : undefined,
    kind,
    get conv() {
      return convParameters(graph, node, [...shapesOf(graph, node, shapes).inputShape]);
    },
  };
}

function gemmLayer(graph: Graph, node: Node, shapes: ReadonlyMap<string, readonly number[]>): WeightedLayer {
  const b = floatInput(graph, node, 1);
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  if (intAttribute(node, 'transA', 0) !== 0) {
    throw unsupported(node, 'its data input is transposed (transA = 1)', 'export the model with transA = 0');
  }
  const [rows, columns] = b.dims as [number, number];
  const turned = intAttribute(node, 'transB', 0) !== 0;
  const channels = turned ? rows : columns;
  const oriented = turned ? transpose(b.data, rows, columns) : b.data;
  const c = node.inputs[2] ? floatInput(graph, node, 2) : undefined;
  return {
    name: node.name,
    node,
    input: node.inputs[0] as string,
    output: node.outputs[0] as string,
    get inputShape() {
      return shapesOf(graph, node, shapes).inputShape;
    },
    get outputShape() {
      return shapesOf(graph, node, shapes).outputShape;
    },
    channelAxis: 1,
    channels,
    weight: alpha === 1 ? oriented : oriented.map((w) => w * alpha),
    weightDims: turned ? [columns, rows] : [rows, columns],
    bias: c && broadcastBias(c.data, channels, beta, node),
    kind: 'dense',
    conv: undefined,
  };
}

function matmulLayer(
  graph: Graph,
  node: Node,
  shapes: ReadonlyMap<string, readonly number[]>,
): WeightedLayer {
  const weight = floatInput(graph, node, 1);
  if (weight.dims.length !== 2) {
    throw unsupported(node, `its constant has ${weight.dims.length} axes, not 2`, 'use a two-axis weight');
  }
  return {
    name: node.name,
    node,
    input: node.inputs[0] as string,
    output: node.outputs[0] as string,
    get inputShape() {
      return shapesOf(graph, node, shapes).inputShape;
    },
    get outputShape() {
      return shapesOf(graph, node, shapes).outputShape;
    },
    get channelAxis() {
      return shapesOf(graph, node, shapes).outputShape.length - 1;
    },
    channels: weight.dims[1] as number,
    weight: weight.data,
    weightDims: weight.dims,
    bias: undefined,
    kind: 'dense',
    conv: undefined,
  };
}

function broadcastBias(data: Float32Array, channels: number, beta: number, node: Node): Float32Array {
  if (data.length !== channels && data.length !== 1) {
    throw unsupported(
      node,
      `its bias has ${data.length} elements for ${channels} channels`,
      'use one bias a channel',
    );
  }
  return Float32Array.from(
    { length: channels },
    (_, i) => beta * (data[data.length === 1 ? 0 : i] as number),
  );
}

function floatInput(graph: Graph, node: Node, index: number): Extract<Constant, { type: 'float32' }> {
  const name = node.inputs[index] as string;
  const constant = graph.constants.get(name);
  if (!constant)
    throw unsupported(
      node,
      name ? `its parameter '${name}' is computed at run time` : 'a parameter is missing',
      'fold constants on export',
    );
  if (constant.type !== 'float32') {
    throw unsupported(node, `its parameter '${name}' is not float32`, 'export the model in float32');
  }
  return constant;
}

function shapesOf(graph: Graph, node: Node, shapes: ReadonlyMap<string, readonly number[]>) {
  const inputShape = shapes.get(node.inputs[0] as string);
  const outputShape = shapes.get(node.outputs[0] as string);
  if (!inputShape || !outputShape) {
    const unknown = graph.nodes.find(
      (candidate) => !opOf(candidate) && candidate.outputs.some((name) => name && !shapes.has(name)),
    );
    throw unsupported(
      node,
      unknown
        ? `its shape is unknown, since ${describeNode(unknown)} is not understood`
        : 'its shape is unknown',
      "declare the shapes of the model's values (onnx.shape_inference)",
    );
  }
  return { inputShape, outputShape };
}

function unsupported(node: Node, what: string, hint: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: ${what}`, { hint });
}
