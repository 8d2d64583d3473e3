// Multiply-accumulates of every operator, from the shapes of what it reads and gives. Elementwise products, sums,
// poolings, normalisations and interpolation count as none, as is usual in the field.
// Specification: https://onnx.ai/onnx/operators/ and
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md

import { type Graph, type Node, sizeOf } from '../graph.ts';
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  entries,
  FUNCTION_OPS,
  LOGIC_OPS,
  NARY_OPS,
  REDUCTION_OPS,
  STEP_OPS,
  TEST_OPS,
} from '../op-families.ts';
import { intAttribute, intsAttribute, type OpTable, stringAttribute } from '../ops.ts';
import { einsumMacs } from '../shapes/einsum.ts';

/** The facts that a rule reads about a node. */
export interface MacContext {
  readonly graph: Graph;
  readonly node: Node;
  /** The shape of an input; undefined when it is absent or not known. */
  readonly input: (index: number) => readonly number[] | undefined;
  readonly output: (index: number) => readonly number[] | undefined;
}

/** Multiply-accumulates of one node over the whole batch, or undefined when a shape that matters is not known. */
export type MacRule = (context: MacContext) => number | undefined;

const none: MacRule = () => 0;

/** Each output element sums over the weight's input channels and kernel. */
const conv =
  (weightAt: number): MacRule =>
  ({ input, output }) =>
    product(sizeOrUndefined(output(0)), sizeOrUndefined(input(weightAt)?.slice(1)));

/** Each input element is spread over the weight's output channels and kernel. */
const convTranspose: MacRule = ({ input }) =>
  product(sizeOrUndefined(input(0)), sizeOrUndefined(input(1)?.slice(1)));

const gemm: MacRule = ({ node, input, output }) =>
  product(sizeOrUndefined(output(0)), input(0)?.[intAttribute(node, 'transA', 0) ? 0 : 1]);

/** Each output element sums over the last axis of the left factor, or the one before where that is transposed. */
const matMul: MacRule = ({ node, input, output }) =>
  product(sizeOrUndefined(output(0)), input(0)?.at(intAttribute(node, 'transA', 0) ? -2 : -1));

/**
 * A recurrent layer: at every step and for every sequence, `gates` maps of the input and of the state. X is [steps,
 * sequences, inputs] (or sequences first, by `layout`), R [directions, gates * state, state]. Peepholes are
 * elementwise. Lengths from `sequence_lens` are ignored: every sequence counts in full.
 */
const recurrent: MacRule = ({ input }) => {
  const [x, w, r] = [input(0), input(1), input(2)];
  const [first, second, inputs] = x ?? [];
  const [directions, rows] = w ?? [];
  const state = r?.[2];
  if (inputs === undefined || state === undefined) return undefined;
  return product(first, second, directions, rows, inputs + state);
};

/** Operators of the tables that only move, pick, normalise or interpolate. */
const FURTHER_FREE = [
  'CumSum',
  'GlobalLpPool',
  'GroupNormalization',
  'InstanceNormalization',
  'LpNormalization',
  'LpPool',
  'MeanVarianceNormalization',
  'Mod',
  'Range',
  'Resize',
  'Size',
  'SpaceToDepth',
  'Tile',
  'Upsample',
] as const;

/** Standard operators that the tables of rules have. */
export const MACS: OpTable<MacRule> = {
  ...entries(FUNCTION_OPS, none),
  ...entries(STEP_OPS, none),
  ...entries(TEST_OPS, none),
  ...entries(COMPARISON_OPS, none),
  ...entries(LOGIC_OPS, none),
  ...entries(NARY_OPS, none),
  ...entries(REDUCTION_OPS, none),
  ...entries(ARGUMENT_OPS, none),
  ...entries(FURTHER_FREE, none),
  Add: none,
  AveragePool: none,
  BatchNormalization: none,
  Cast: none,
  Clip: none,
  Concat: none,
  Constant: none,
  ConstantOfShape: none,
  Conv: conv(1),
  ConvTranspose: convTranspose,
  DepthToSpace: none,
  Div: none,
  Dropout: none,
  Einsum: ({ node, input }) => {
    const shapes = node.inputs.map((_, index) => input(index));
    return shapes.every((shape) => shape !== undefined)
      ? einsumMacs(stringAttribute(node, 'equation', ''), shapes)
      : undefined;
  },
  Elu: none,
  Erf: none,
  Exp: none,
  Expand: none,
  Flatten: none,
  GRU: recurrent,
  Gather: none,
  Gelu: none,
  Gemm: gemm,
  GlobalAveragePool: none,
  GlobalMaxPool: none,
  HardSigmoid: none,
  HardSwish: none,
  Identity: none,
  LRN: none,
  LSTM: recurrent,
  LayerNormalization: none,
  LeakyRelu: none,
  LogSoftmax: none,
  MatMul: matMul,
  MaxPool: none,
  Mul: none,
  PRelu: none,
  Pad: none,
  RNN: recurrent,
  Pow: none,
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
  Where: none,
};

/** Scores and their weighted sum: every element of the queries, and of the result, meets every key. */
const attention =
  (keyAt: number, pastAt: number): MacRule =>
  ({ node, input, output }) => {
    const [query, key, result] = [input(0), input(keyAt), output(0)];
    // Queries, keys and values packed into one tensor.
    if (!query || !result || query.length > 4 || (node.inputs[keyAt] && !key)) return undefined;
    const past = node.inputs[pastAt] ? input(pastAt) : [0, 0, 0, 0];
    const keys = key ? key.at(key.length === 4 ? 2 : 1) : undefined;
    const before = past?.[2];
    if (keys === undefined || before === undefined) return undefined;
    return (sizeOf(query) + sizeOf(result)) * (keys + before);
  };

/** Projections to queries, keys and values, then attention among the steps (and those before). */
const attentionWithProjection: MacRule = ({ node, input, output }) => {
  const [x, weight, result] = [input(0), input(1), output(0)];
  const [batch, steps, width] = x ?? [];
  const columns = weight?.[1];
  if (batch === undefined || steps === undefined || width === undefined || columns === undefined || !result)
    return undefined;
  const pastAt = node.op === 'QAttention' ? 8 : 4;
  const past = node.inputs[pastAt] ? input(pastAt)?.[3] : 0;
  if (past === undefined) return undefined;
  const queries = intsAttribute(node, 'qkv_hidden_sizes')?.[0] ?? columns / 3;
  return batch * steps * (width * columns + (queries + (result.at(-1) ?? 0)) * (steps + past));
};

/** Further standard operators that multiply and accumulate; their shapes come from the engine. */
export const FURTHER_MACS: Readonly<Record<string, MacRule>> = {
  Attention: attention(1, 4),
  ConvInteger: conv(1),
  DeformConv: conv(1),
  MatMulInteger: matMul,
  QLinearConv: conv(3),
  QLinearMatMul: matMul,
};

/** ONNX Runtime's own operators (domain `com.microsoft`) that multiply and accumulate. */
export const CONTRIB_MACS: Readonly<Record<string, MacRule>> = {
  Attention: attentionWithProjection,
  // Its weights are [directions, inputs, gates * state] and [directions, state, gates * state].
  DynamicQuantizeLSTM: ({ input }) => {
    const [inputs, state] = [input(1)?.[1], input(2)?.[1]];
    if (inputs === undefined || state === undefined) return undefined;
    return product(input(0)?.[0], input(0)?.[1], input(1)?.[0], input(1)?.[2], inputs + state);
  },
  DynamicQuantizeMatMul: matMul,
  FusedConv: conv(1),
  FusedGemm: gemm,
  FusedMatMul: matMul,
  MatMulIntegerToFloat: matMul,
  MatMulNBits: ({ node, output }) => product(sizeOrUndefined(output(0)), intAttribute(node, 'K', 0)),
  MultiHeadAttention: attention(1, 6),
  QAttention: attentionWithProjection,
  QGemm: gemm,
  QLinearConv: conv(3),
  TransposeMatMul: matMul,
};

/** Standard operators without multiply-accumulates, beside those of `MACS`. */
const FREE = new Set(
  `Abs Acos Acosh And ArgMax ArgMin Asin Asinh Atan Atanh Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr
  BitwiseXor BlackmanWindow CastLike Ceil Celu CenterCropPad Col2Im Compress ConcatFromSequence Cos Cosh CumProd CumSum
  DequantizeLinear DynamicQuantizeLinear Equal EyeLike Floor GatherElements GatherND GlobalLpPool Greater
  GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow Hardmax ImageDecoder InstanceNormalization
  IsInf IsNaN Less LessOrEqual Log LpNormalization LpPool Max MaxRoiPool MaxUnpool Mean
  MeanVarianceNormalization MelWeightMatrix Min Mish Mod Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression
  NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or Pow QuantizeLinear RMSNormalization RandomNormal
  RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
  ReduceMax ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Resize ReverseSequence RoiAlign
  RotaryEmbedding Round Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase
  SequenceInsert SequenceLength Shrink Sign Sin Sinh Size SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth
  SplitToSequence StringConcat StringNormalizer StringSplit Sum Swish Tan TensorScatter TfIdfVectorizer ThresholdedRelu
  Tile TopK Trilu Unique Upsample Where Xor`.split(/\s+/),
);

/** The same for `com.microsoft`. */
const CONTRIB_FREE = new Set(
  `BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu DequantizeLinear EmbedLayerNormalization FastGelu Gelu
  GroupNorm NhwcMaxPool QLinearAdd QLinearAveragePool QLinearConcat QLinearGlobalAveragePool QLinearLeakyRelu
  QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QuantizeLinear QuickGelu RotaryEmbedding
  SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization SimplifiedLayerNormalization`.split(
    /\s+/,
  ),
);

/** Whether the operator `op` of a domain is known to have no multiply-accumulates at all. */
export function isFree(op: string, domain: string): boolean {
  if (domain === 'com.microsoft') return CONTRIB_FREE.has(op);
  if (domain !== '' && domain !== 'ai.onnx') return false;
  return FREE.has(op) || (MACS as Readonly<Record<string, MacRule>>)[op] === none;
}

function sizeOrUndefined(shape: readonly number[] | undefined): number | undefined {
  return shape && sizeOf(shape);
}

function product(...factors: readonly (number | undefined)[]): number | undefined {
  let result = 1;
  for (const factor of factors) {
    if (factor === undefined) return undefined;
    result *= factor;
  }
  return result;
}
