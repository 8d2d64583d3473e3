// Finds the values that can never be negative, whatever the input; relevance rules skip half of their work there.
import {
  constantInput,
  floatAttribute,
  type Graph,
  type Node,
  type OpTable,
  opOf,
} from '../../onnx/internal.ts';

type NonNegativeRule = (graph: Graph, node: Node, known: ReadonlySet<string>) => boolean;

/** The values that are zero or more for every input. */
export function nonNegativeValues(graph: Graph): Set<string> {
  const known = new Set<string>();
  for (const [name, constant] of graph.constants) {
    if (constant.type === 'float32' && constant.data.every((value) => value >= 0)) known.add(name);
  }
  for (const node of graph.nodes) {
    const op = opOf(node);
    if (op && RULES[op](graph, node, known)) for (const name of node.outputs) known.add(name);
  }
  return known;
}

const always: NonNegativeRule = () => true;
const never: NonNegativeRule = () => false;
const keeps: NonNegativeRule = (_graph, node, known) => known.has(node.inputs[0] ?? '');
const keepsAll: NonNegativeRule = (_graph, node, known) => node.inputs.every((name) => known.has(name));

const RULES: OpTable<NonNegativeRule> = {
  Add: keepsAll,
  AveragePool: keeps,
  BatchNormalization: never,
  Cast: keeps,
  Clip: (graph, node, known) => {
    if (known.has(node.inputs[0] ?? '') && !node.inputs[2]) return true;
    const constant = constantInput(graph, node, 1);
    const lowest = constant?.type === 'float32' ? (constant.data[0] ?? -1) : floatAttribute(node, 'min', -1);
    return lowest >= 0;
  },
  Concat: keepsAll,
  Constant: never,
  ConstantOfShape: never,
  Conv: never,
  ConvTranspose: never,
  DepthToSpace: keeps,
  Div: keepsAll,
  Dropout: keeps,
  Einsum: keepsAll,
  Elu: keeps,
  Erf: keeps,
  Exp: always,
  Expand: keeps,
  Flatten: keeps,
  GRU: never,
  Gather: keeps,
  Gelu: keeps,
  Gemm: never,
  GlobalAveragePool: keeps,
  GlobalMaxPool: keeps,
  HardSigmoid: always,
  HardSwish: keeps,
  Identity: keeps,
  LRN: keeps,
  LSTM: never,
  LayerNormalization: never,
  LeakyRelu: keeps,
  LogSoftmax: never,
  MatMul: keepsAll,
  MaxPool: keeps,
  Mul: keepsAll,
  PRelu: keeps,
  // A constant other than zero may be padded in, so only the default is safe.
  Pad: (_graph, node, known) =>
    known.has(node.inputs[0] ?? '') && !node.inputs[2] && !node.attributes.has('value'),
  RNN: never,
  ReduceMean: keeps,
  Relu: always,
  Reshape: keeps,
  Shape: never,
  Sigmoid: always,
  Slice: keeps,
  Softmax: always,
  Split: keeps,
  Sqrt: always,
  Squeeze: keeps,
  Sub: never,
  Tanh: keeps,
  Transpose: keeps,
  Unsqueeze: keeps,
};
