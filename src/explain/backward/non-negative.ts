// Finds the values that can never be negative, whatever the input; relevance rules skip half of their work there.
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  constantInput,
  entries,
  FUNCTION_OPS,
  floatAttribute,
  type Graph,
  LOGIC_OPS,
  NARY_OPS,
  type Node,
  type OpTable,
  opOf,
  REDUCTION_OPS,
  STEP_OPS,
  stringAttribute,
  TEST_OPS,
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
  ...entries(FUNCTION_OPS, never),
  ...entries(STEP_OPS, keeps),
  ...entries(TEST_OPS, never),
  ...entries(COMPARISON_OPS, never),
  ...entries(LOGIC_OPS, never),
  ...entries(NARY_OPS, keepsAll),
  ...entries(REDUCTION_OPS, keeps),
  ...entries(ARGUMENT_OPS, never),
  Abs: always,
  Acos: always,
  Acosh: always,
  Add: keepsAll,
  AveragePool: keeps,
  Asinh: keeps,
  Atan: keeps,
  BatchNormalization: never,
  Cast: keeps,
  Celu: keeps,
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
  CumSum: keeps,
  Cosh: always,
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
  GlobalLpPool: always,
  GlobalMaxPool: keeps,
  GroupNormalization: never,
  HardSigmoid: always,
  HardSwish: keeps,
  Identity: keeps,
  InstanceNormalization: never,
  LRN: keeps,
  LSTM: never,
  LayerNormalization: never,
  LeakyRelu: keeps,
  LogSoftmax: never,
  LpNormalization: keeps,
  LpPool: always,
  MatMul: keepsAll,
  MeanVarianceNormalization: never,
  Mod: never,
  Max: (_graph, node, known) => node.inputs.some((name) => known.has(name)),
  MaxPool: keeps,
  Mish: keeps,
  Mul: keepsAll,
  PRelu: keeps,
  // A constant other than zero may be padded in, so only the default is safe.
  Pad: (_graph, node, known) =>
    known.has(node.inputs[0] ?? '') && !node.inputs[2] && !node.attributes.has('value'),
  RNN: never,
  Pow: (graph, node, known) => known.has(node.inputs[0] ?? '') || isEven(graph, node),
  Reciprocal: keeps,
  ReduceL1: always,
  ReduceL2: always,
  ReduceLogSum: never,
  ReduceLogSumExp: never,
  ReduceMean: keeps,
  ReduceSumSquare: always,
  Relu: always,
  Range: never,
  Reshape: keeps,
  Resize: (_graph, node, known) =>
    known.has(node.inputs[0] ?? '') && stringAttribute(node, 'mode', 'nearest') !== 'cubic',
  Selu: keeps,
  Shape: never,
  Shrink: never,
  Sigmoid: always,
  Size: never,
  Sinh: keeps,
  Slice: keeps,
  Softmax: always,
  Softplus: always,
  Softsign: keeps,
  SpaceToDepth: keeps,
  Split: keeps,
  Sqrt: always,
  Squeeze: keeps,
  Sub: never,
  Swish: keeps,
  Tanh: keeps,
  Tile: keeps,
  ThresholdedRelu: (_graph, node, known) =>
    known.has(node.inputs[0] ?? '') || floatAttribute(node, 'alpha', 1) >= 0,
  Transpose: keeps,
  Unsqueeze: keeps,
  Upsample: never,
  Where: (_graph, node, known) => node.inputs.slice(1).every((name) => known.has(name)),
};

/** Whether the exponents are even whole numbers. */
function isEven(graph: Graph, node: Node): boolean {
  const exponent = constantInput(graph, node, 1);
  return exponent?.type === 'float32' && exponent.data.every((value) => value % 2 === 0);
}
