// How relevance crosses each operator. Weighted layers follow the composite's rule (rules.ts). Sums and averages share
// by contribution, activations pass, max pools give all to the winner, gates give all to the signal.
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  entries,
  FUNCTION_OPS,
  LOGIC_OPS,
  type Node,
  type OpTable,
  REDUCTION_OPS,
  STEP_OPS,
  TEST_OPS,
  type WeightedLayer,
} from '../../onnx/internal.ts';
import { batchNormScale } from '../backward/batch-norm.ts';
import type { BackwardContext, BackwardMessage, BackwardRule } from '../backward/context.ts';
import { gatherRelevance } from '../backward/gather-adjoint.ts';
import { chosen, extremeRelevance } from '../backward/operand-rules.ts';
import { averagePoolAdjoint } from '../backward/pool-adjoint.ts';
import { equalShares, reducedToWinners, softlyLargest, sumAdjoint } from '../backward/reduce-rules.ts';
import { cumulativeAdjoint, tileAdjoint } from '../backward/repeat-adjoints.ts';
import { copiesAddUp, isCopying, resizeAdjoint } from '../backward/resize-adjoint.ts';
import {
  broadcastAdjoint,
  concatAdjoint,
  lowered,
  maxPoolAdjoint,
  padAdjoint,
  passThrough,
  refuse,
  reshapeAdjoint,
  sliceAdjoint,
  splitAdjoint,
  stop,
  transposeAdjoint,
} from '../backward/shape-adjoints.ts';
import { MADE_OF_OTHERS } from '../backward/simpler-operators.ts';
import { productRelevance, softmaxRelevance } from './attention-rules.ts';
import { gateLevel } from './gates.ts';
import { divided, layerRelevance } from './layer-relevance.ts';
import { DEFAULT_EPSILON, epsilonRule, type LrpRule } from './rules.ts';

/** The rule of each weighted layer; depth is 0 for the first in execution order and 1 for the last. */
export type RuleOf = (layer: WeightedLayer, depth: number) => LrpRule;

/** Layers follow the composite; inside a recurrent layer the epsilon rule holds in any (Arras et al., 2017). */
function linearRule(ruleOf: RuleOf): BackwardRule {
  return (context, node, [message]) => {
    if (!message) return;
    const layer = context.layer(node);
    if (!layer) return refuse(context, node, []);
    const rule = context.isRecurrent(layer) ? epsilonRule() : ruleOf(layer, context.depth(layer));
    layerRelevance(context, layer, rule, message);
  };
}

/** Families of operators that are treated alike. */
const FAMILIES = {
  ...entries(FUNCTION_OPS, passThrough),
  ...entries(STEP_OPS, passThrough),
  ...entries(TEST_OPS, stop),
  ...entries(COMPARISON_OPS, stop),
  ...entries(LOGIC_OPS, stop),
  ...entries(REDUCTION_OPS, lowered),
  ...entries(ARGUMENT_OPS, stop),
  ...entries(MADE_OF_OTHERS, lowered),
};

/** The table of relevance rules for a choice of rules of weighted layers. */
export function relevanceRules(ruleOf: RuleOf): OpTable<BackwardRule> {
  const linear = linearRule(ruleOf);
  return {
    ...FAMILIES,
    Add: shared,
    AveragePool: averaged,
    BatchNormalization: normalised,
    Cast: passThrough,
    Clip: passThrough,
    Concat: concatAdjoint,
    Constant: stop,
    ConstantOfShape: stop,
    Conv: linear,
    ConvTranspose: linear,
    CumSum: accumulated,
    Div: divides,
    Dropout: passThrough,
    Einsum: refuse,
    Elu: passThrough,
    Erf: passThrough,
    Exp: passThrough,
    Expand: repeated,
    Flatten: reshapeAdjoint,
    GRU: refuse,
    Gather: gatherRelevance,
    Gelu: passThrough,
    Gemm: linear,
    GlobalAveragePool: averaged,
    GlobalMaxPool: maxPoolAdjoint,
    HardSigmoid: passThrough,
    HardSwish: passThrough,
    Identity: passThrough,
    LRN: passThrough,
    LSTM: refuse,
    LayerNormalization: layerNormalised,
    LeakyRelu: passThrough,
    // The score before the softmax is explained: relevance starts at the logit.
    LogSoftmax: passThrough,
    MatMul: (context, node, messages) => (context.layer(node) ? linear : multiplied)(context, node, messages),
    Max: extremeRelevance,
    MaxPool: maxPoolAdjoint,
    Mean: shared,
    Min: extremeRelevance,
    Mul: gated,
    PRelu: passThrough,
    Pad: padAdjoint,
    RNN: refuse,
    Pow: divides,
    ReduceLogSumExp: softlyLargest,
    ReduceMax: reducedToWinners,
    ReduceMean: averaged,
    ReduceMin: reducedToWinners,
    ReduceProd: equalShares,
    ReduceSum: summedRelevance,
    Relu: passThrough,
    Mod: refuse,
    Range: stop,
    Reshape: reshapeAdjoint,
    Resize: resized,
    Shape: stop,
    Sigmoid: passThrough,
    Size: stop,
    Slice: sliceAdjoint,
    Softmax: softmaxRelevance,
    Split: splitAdjoint,
    Sqrt: passThrough,
    Squeeze: reshapeAdjoint,
    Sub: (context, node, [message]) => message && share(context, node, message, 'Neg'),
    Sum: shared,
    Tanh: passThrough,
    Tile: tileAdjoint,
    Transpose: transposeAdjoint,
    Unsqueeze: reshapeAdjoint,
    Where: chosen,
  };
}

/** Sums and means: each addend takes its share of the sum. */
const shared: BackwardRule = (context, node, [message]) => message && share(context, node, message, '');

function share(context: BackwardContext, node: Node, message: BackwardMessage, second: '' | 'Neg'): void {
  const output = node.outputs[0] as string;
  const whole = divided(context, message, output, DEFAULT_EPSILON);
  const s =
    node.op === 'Mean'
      ? context.builder.node('Mul', [whole, context.builder.scalar(1 / node.inputs.length)], {}, 'share')
      : whole;
  node.inputs.forEach((input, i) => {
    if (!context.wanted(input)) return;
    const signed = i === 1 && second === 'Neg' ? context.builder.node('Neg', [s], {}, 'minus') : s;
    context.send(input, {
      value: broadcastAdjoint(context, signed, input, output),
      base: input,
      zeroWhere: undefined,
    });
  });
}

/** Linear maps by their adjoint: every input takes its share of what it was mapped to. */
function byContribution(
  adjoint: (context: BackwardContext, node: Node, value: string) => string,
): BackwardRule {
  return (context, node, [message]) => {
    if (!message) return;
    const input = node.inputs[0] as string;
    const s = divided(context, message, node.outputs[0] as string, DEFAULT_EPSILON);
    context.send(input, { value: adjoint(context, node, s), base: input, zeroWhere: undefined });
  };
}

const summedRelevance = byContribution(sumAdjoint);
const accumulated = byContribution(cumulativeAdjoint);
const interpolated = byContribution(resizeAdjoint);

/** Resize: copies add up; interpolation shares by contribution. */
const resized: BackwardRule = (context, node, messages) =>
  (isCopying(node) ? copiesAddUp : interpolated)(context, node, messages);

const averaged: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const input = node.inputs[0] as string;
  const s = divided(context, message, node.outputs[0] as string, DEFAULT_EPSILON);
  context.send(input, { value: averagePoolAdjoint(context, node, s), base: input, zeroWhere: undefined });
};

/** A batch normalisation that could not be merged is a scale and a bias for each channel: epsilon rule. */
const normalised: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const s = divided(context, message, node.outputs[0] as string, DEFAULT_EPSILON);
  const value = context.builder.node('Mul', [s, batchNormScale(context, node)], {}, 'scaled');
  context.send(node.inputs[0] as string, { value, base: node.inputs[0], zeroWhere: undefined });
};

/** A product of two computed values: half to either factor. */
const multiplied = productRelevance((context, message, z) => divided(context, message, z, DEFAULT_EPSILON));

/** Layer normalisation: the identity rule (Achtibat et al., ICML 2024, proposition 3.4). */
const layerNormalised: BackwardRule = (context, node, messages) => {
  const [message, ...statistics] = messages;
  if (statistics.some(Boolean)) return refuse(context, node, messages);
  if (message) takeAll(context, node, message, node.inputs[0] as string);
};

/** Copies: their messages add up. */
const repeated: BackwardRule = (context, node, [message]) => {
  if (message) takeAll(context, node, message, node.inputs[0] as string);
};

/**
 * Products: a constant factor passes relevance on; of two computed factors the signal takes all (Arras et al., 2017).
 */
const gated: BackwardRule = (context, node, [message]) => {
  const [a, b] = node.inputs as [string, string];
  if (message) takeAll(context, node, message, gateLevel(context, a) > gateLevel(context, b) ? b : a);
};

/** Quotients: the numerator takes all; with a constant numerator, the denominator does. Powers alike, by their base. */
const divides: BackwardRule = (context, node, [message]) => {
  const [a, b] = node.inputs as [string, string];
  if (message) takeAll(context, node, message, context.graph.constants.has(a) ? b : a);
};

function takeAll(context: BackwardContext, node: Node, message: BackwardMessage, signal: string): void {
  const value = broadcastAdjoint(context, context.materialise(message), signal, node.outputs[0] as string);
  context.send(signal, { value, base: undefined, zeroWhere: undefined });
}
