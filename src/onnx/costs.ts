// What a model costs for one sample: multiply-accumulates, parameters, activation bytes.
import { type Constant, type Graph, type Model, type Node, sizeOf } from './graph.ts';
import { describeNode, type OpTable, opOf } from './ops.ts';
import { readsOf } from './order.ts';
import { rawBytes } from './proto.ts';
import type { Inferred } from './shape-context.ts';
import { inferValues } from './shapes.ts';
import { pinnedValues } from './surgery.ts';

/** What one node costs for one sample. */
export interface NodeCosts {
  readonly name: string;
  readonly op: string;
  readonly macs: number;
  /** Elements of the float constants it reads. */
  readonly parameters: number;
  /** Bytes of its outputs. */
  readonly outputBytes: number;
}

/** What a model costs for one sample. */
export interface ModelCosts {
  /** Multiply-accumulates of Conv, ConvTranspose, Gemm and MatMul. */
  readonly macs: number;
  /** Elements of the float constants that the outputs depend on; a shared one counts once. */
  readonly parameters: number;
  /** Bytes of all computed values. */
  readonly activationBytes: number;
  /** The most bytes of inputs and computed values alive at once, in execution order. */
  readonly peakBytes: number;
  readonly nodes: readonly NodeCosts[];
  /** Nodes whose sizes are not known (unknown operators and what follows): their costs count as 0. */
  readonly unknown: readonly string[];
}

/**
 * The costs of a model for one sample. A fixed batch size in the model is divided out.
 * @throws BedsideError as `inferShapes`
 */
export function modelCosts(model: Model): ModelCosts {
  const { graph } = model;
  const inferred = inferValues(model, 1);
  const samples = fixedBatch(graph, inferred);
  const bytes = (name: string): number => (bytesOf(inferred, name) ?? 0) / samples;
  const live = liveNodes(graph);
  const parameters = new Map<string, number>();
  const unknown: string[] = [];
  const nodes = graph.nodes.map((node): NodeCosts => {
    let own = 0;
    for (const name of new Set(readsOf(node))) {
      const size = floatElements(graph.constants.get(name));
      own += size;
      if (live.has(node)) parameters.set(name, size);
    }
    if (node.outputs.some((name) => name && bytesOf(inferred, name) === undefined))
      unknown.push(describeNode(node));
    const outputBytes = node.outputs.reduce((sum, name) => sum + (name ? bytes(name) : 0), 0);
    return {
      name: node.name,
      op: node.op,
      macs: macsOf(node, inferred) / samples,
      parameters: own,
      outputBytes,
    };
  });
  return {
    macs: nodes.reduce((sum, node) => sum + node.macs, 0),
    parameters: [...parameters.values()].reduce((sum, size) => sum + size, 0),
    activationBytes: nodes.reduce((sum, node) => sum + node.outputBytes, 0),
    peakBytes: peak(graph, bytes),
    nodes,
    unknown,
  };
}

/** Bytes of a value, or undefined when its shape or width is not known. */
export function bytesOf(inferred: Inferred, name: string): number | undefined {
  const shape = inferred.shapes.get(name);
  return shape && rawBytes(inferred.types.get(name) ?? 0, sizeOf(shape));
}

/** The batch size that a model fixes: what its first input and all outputs have as their first axis, else 1. */
export function fixedBatch(graph: Graph, inferred: Inferred): number {
  const first = (name: string | undefined): number | undefined => inferred.shapes.get(name ?? '')?.[0];
  const batch = first(graph.inputs[0]?.name);
  if (batch === undefined || batch < 1) return 1;
  return graph.outputs.every((value) => first(value.name) === batch) ? batch : 1;
}

/** Elements of a constant of a floating-point type; 0 for others. */
export function floatElements(constant: Constant | undefined): number {
  if (!constant || constant.type === 'int64') return 0;
  const isFloat = constant.type === 'float32' || FLOAT_TYPES.has(constant.elemType);
  return isFloat ? sizeOf(constant.dims) : 0;
}

/** float16, double, bfloat16 and the 8-bit floats. */
const FLOAT_TYPES: ReadonlySet<number> = new Set([10, 11, 16, 17, 18, 19, 20]);

type MacRule = (inputs: readonly (readonly number[])[], output: readonly number[], node: Node) => number;

const none: MacRule = () => 0;
/** Each output element sums over the weight's input channels and kernel. */
const conv: MacRule = ([, weight = []], output) => sizeOf(output) * sizeOf(weight.slice(1));
/** Each input element is spread over the weight's output channels and kernel. */
const convTranspose: MacRule = ([input = [], weight = []]) => sizeOf(input) * sizeOf(weight.slice(1));
const gemm: MacRule = ([a = []], output, node) => {
  const transposed = node.attributes.get('transA');
  const inner = transposed?.type === 'int' && transposed.value !== 0n ? a[0] : a[1];
  return sizeOf(output) * (inner ?? 0);
};
const matMul: MacRule = ([a = []], output) => sizeOf(output) * (a.at(-1) ?? 0);

const MACS: OpTable<MacRule> = {
  Add: none,
  AveragePool: none,
  BatchNormalization: none,
  Cast: none,
  Clip: none,
  Concat: none,
  Constant: none,
  ConstantOfShape: none,
  Conv: conv,
  ConvTranspose: convTranspose,
  DepthToSpace: none,
  Div: none,
  Dropout: none,
  Elu: none,
  Erf: none,
  Exp: none,
  Expand: none,
  Flatten: none,
  Gather: none,
  Gelu: none,
  Gemm: gemm,
  GlobalAveragePool: none,
  GlobalMaxPool: none,
  HardSigmoid: none,
  HardSwish: none,
  Identity: none,
  LRN: none,
  LeakyRelu: none,
  LogSoftmax: none,
  MatMul: matMul,
  MaxPool: none,
  Mul: none,
  PRelu: none,
  Pad: none,
  ReduceMean: none,
  Relu: none,
  Reshape: none,
  Shape: none,
  Sigmoid: none,
  Slice: none,
  Softmax: none,
  Split: none,
  Sqrt: none,
  Squeeze: none,
  Sub: none,
  Tanh: none,
  Transpose: none,
  Unsqueeze: none,
};

function macsOf(node: Node, inferred: Inferred): number {
  const op = opOf(node);
  const output = inferred.shapes.get(node.outputs[0] ?? '');
  const inputs = node.inputs.slice(0, 2).map((name) => inferred.shapes.get(name));
  if (!op || !output || !inputs.every((shape) => shape !== undefined)) return 0;
  return MACS[op](inputs, output, node);
}

function liveNodes(graph: Graph): Set<Node> {
  const needed = new Set(graph.outputs.map((value) => value.name));
  const live = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    live.add(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  return live;
}

function peak(graph: Graph, bytes: (name: string) => number): number {
  const pinned = pinnedValues(graph);
  const lastRead = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of readsOf(node)) lastRead.set(name, index);
  });
  let alive = graph.inputs.reduce((sum, value) => sum + bytes(value.name), 0);
  let most = alive;
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) if (name) alive += bytes(name);
    most = Math.max(most, alive);
    const done = new Set([...readsOf(node), ...node.outputs]);
    for (const name of done) {
      if (!name || graph.constants.has(name) || pinned.has(name)) continue;
      if ((lastRead.get(name) ?? index) === index) alive -= bytes(name);
    }
  });
  return most;
}
