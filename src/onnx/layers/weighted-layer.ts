// Weighted layers (Conv, ConvTranspose, Gemm, MatMul with a constant) seen as one thing: a linear map with a bias.
// Their axes and groups come from `layer-layout.ts`.
import { BedsideError } from '../../util/index.ts';
import { sampleShapes } from '../batch-axis/sample-shapes.ts';
import { type Constant, type Graph, type Model, type Node, sizeOf } from '../graph.ts';
import { describeNode, floatAttribute, intAttribute, opOf } from '../ops.ts';
import { type ConvParameters, convParameters } from '../shapes/window.ts';
import { groupsOf, outputChannels, weightAxes } from './layer-layout.ts';

/** A weighted layer of a model, independent of how ONNX spells it. */
export interface WeightedLayer {
  readonly name: string;
  readonly node: Node;
  /** Names of the values that it reads and gives. */
  readonly input: string;
  readonly output: string;
  /** Shapes for one sample. Reading an unknown shape throws E_UNSUPPORTED; weights can be read all the same. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Axis of the output's channels. */
  readonly channelAxis: number;
  readonly channels: number;
  /** Convolution groups; 1 for dense layers. */
  readonly groups: number;
  /** Elements of the kernel; 1 for dense layers. */
  readonly kernelSize: number;
  /** `recurrent` only among `scoredLayers`. */
  readonly kind: 'conv' | 'conv-transpose' | 'dense' | 'recurrent';
  /** Conv: `[out, in/groups, ...kernel]`; ConvTranspose: `[in, out/groups, ...kernel]`; others: `[in, out]`. */
  readonly weight: Float32Array;
  readonly weightDims: readonly number[];
  /** `[channels]`, or undefined. */
  readonly bias: Float32Array | undefined;
  readonly conv: ConvParameters | undefined;
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * The weighted layers in execution order.
 * @throws BedsideError E_UNSUPPORTED when a weight is computed at run time or not float32
 */
export function weightedLayers(model: Model, shapes: Shapes = sampleShapes(model)): WeightedLayer[] {
  const layers: WeightedLayer[] = [];
  for (const node of model.graph.nodes) {
    const layer = weightedLayer(model.graph, node, shapes);
    if (layer) layers.push(layer);
  }
  return layers;
}

/** The layer a node is, or undefined when it is not a weighted one. */
export function weightedLayer(graph: Graph, node: Node, shapes: Shapes): WeightedLayer | undefined {
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

/** Whether each convolution group has one output channel: removing output channels then removes groups. */
export function hasOneOutputPerGroup({ kind, groups, channels }: WeightedLayer): boolean {
  return kind === 'conv' && groups > 1 && groups === channels;
}

function convLayer(graph: Graph, node: Node, shapes: Shapes): WeightedLayer {
  const weight = floatInput(graph, node, 1);
  return layerOf(graph, node, shapes, {
    kind: opOf(node) === 'Conv' ? 'conv' : 'conv-transpose',
    channels: outputChannels(node, weight.dims),
    weight: weight.data,
    weightDims: weight.dims,
    bias: node.inputs[2] ? floatInput(graph, node, 2).data : undefined,
  });
}

function gemmLayer(graph: Graph, node: Node, shapes: Shapes): WeightedLayer {
  const b = floatInput(graph, node, 1);
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  if (intAttribute(node, 'transA', 0) !== 0) {
    throw unsupported(node, 'its data input is transposed (transA = 1)', 'export the model with transA = 0');
  }
  const [rows, columns] = b.dims as [number, number];
  const turned = weightAxes(node)?.out === 0;
  const channels = outputChannels(node, b.dims);
  const oriented = turned ? transpose(b.data, rows, columns) : b.data;
  const c = node.inputs[2] ? floatInput(graph, node, 2) : undefined;
  return layerOf(graph, node, shapes, {
    kind: 'dense',
    channels,
    weight: alpha === 1 ? oriented : oriented.map((w) => w * alpha),
    weightDims: turned ? [columns, rows] : [rows, columns],
    bias: c && broadcastBias(c.data, channels, beta, node),
  });
}

function matmulLayer(graph: Graph, node: Node, shapes: Shapes): WeightedLayer {
  const weight = floatInput(graph, node, 1);
  if (weight.dims.length !== 2) {
    throw unsupported(node, `its constant has ${weight.dims.length} axes, not 2`, 'use a two-axis weight');
  }
  return layerOf(graph, node, shapes, {
    kind: 'dense',
    channels: outputChannels(node, weight.dims),
    weight: weight.data,
    weightDims: weight.dims,
    bias: undefined,
  });
}

type OwnParts = Pick<WeightedLayer, 'kind' | 'channels' | 'weight' | 'weightDims' | 'bias'>;

/** Shapes are looked up when they are read: they may be unknown. */
function layerOf(graph: Graph, node: Node, shapes: Shapes, own: OwnParts): WeightedLayer {
  return {
    ...own,
    name: node.name,
    node,
    input: node.inputs[0] as string,
    output: node.outputs[0] as string,
    groups: groupsOf(node),
    kernelSize: own.kind === 'dense' ? 1 : sizeOf(own.weightDims.slice(2)),
    get inputShape() {
      return shapesOf(graph, node, shapes).inputShape;
    },
    get outputShape() {
      return shapesOf(graph, node, shapes).outputShape;
    },
    get channelAxis() {
      return opOf(node) === 'MatMul' ? shapesOf(graph, node, shapes).outputShape.length - 1 : 1;
    },
    get conv() {
      if (own.kind === 'dense') return undefined;
      return convParameters(graph, node, [...shapesOf(graph, node, shapes).inputShape]);
    },
  };
}

/** The transpose of a row-major matrix. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c] as number;
  }
  return result;
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

function shapesOf(graph: Graph, node: Node, shapes: Shapes) {
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
