// DeepLIFT's rescale rule (Shrikumar et al., ICML 2017). Multipliers flow back: contribution over difference from the
// reference. Linear operators pass them like gradients; an elementwise function multiplies by dy / dx between reference
// and input. Contributions add up to the difference of the explained score.
import {
  COMPARISON_OPS,
  cloneNode,
  entries,
  FUNCTION_OPS,
  type Node,
  type OpTable,
  STEP_OPS,
} from '../../onnx/internal.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import {
  comparison,
  conjunction,
  difference,
  disjunction,
  extreme,
  multiplier,
  negation,
  power,
  reducedExtreme,
  selection,
  softlyLargest,
} from './deeplift-choices.ts';
import { GRADIENT_RULES } from './gradient-rules.ts';
import { sendTo } from './operand-rules.ts';
import { spreadLike } from './reference-pass.ts';
import { refuse, toWinners } from './shape-adjoints.ts';

/** Elementwise functions: m_in = m_out * dy / dx. */
const rescale: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const [input, output] = [node.inputs[0] as string, node.outputs[0] as string];
  const contribution = context.builder.node(
    'Mul',
    [context.materialise(message), difference(context, output)],
    {},
    'contribution',
  );
  context.send(input, {
    value: multiplier(context, contribution, input),
    base: undefined,
    zeroWhere: undefined,
  });
};

/**
 * Max pools: a rise is credited to the winner on the input, a fall to the winner on the reference. So |dx| at the
 * credited position is never below |dy|, and multipliers of single windows stay within [0, 1].
 */
const pooled: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const [input, output] = [node.inputs[0] as string, node.outputs[0] as string];
  const dy = difference(context, output);
  const rise = builder.node('Relu', [dy], {}, 'rise');
  const fall = builder.node('Sub', [dy, rise], {}, 'fall');
  const m = context.materialise(message);
  const credited = (part: string, from: string, to: string): string =>
    toWinners(context, node, builder.node('Mul', [m, part], {}, 'credit'), from, to);
  const up = credited(rise, input, output);
  const [before, pool] = referencePool(context, node);
  const down = credited(fall, before, pool);
  const contribution = builder.node('Add', [up, down], {}, 'contribution');
  context.send(input, {
    value: multiplier(context, contribution, input),
    base: undefined,
    zeroWhere: undefined,
  });
};

/** The pool on the reference once more, with a row for each sample: its winners are positions in the whole batch. */
function referencePool(context: BackwardContext, node: Node): [input: string, output: string] {
  const { builder } = context;
  const input = node.inputs[0] as string;
  const before = spreadLike(builder, context.reference(input), input);
  const output = builder.fresh('reference_pool');
  builder.graph.nodes.push({ ...cloneNode(node), name: output, inputs: [before], outputs: [output] });
  return [before, output];
}

/** A product of two computed factors: d(ab) = da * mean(b) + db * mean(a). */
const product: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const [a, b] = node.inputs as [string, string];
  const m = context.materialise(message);
  const times = (other: string): string => {
    const mean = builder.node(
      'Mul',
      [builder.node('Add', [other, context.reference(other)], {}, 'both'), builder.scalar(0.5)],
      {},
      'mean',
    );
    return builder.node('Mul', [m, mean], {}, 'multiplier');
  };
  if (context.wanted(a)) sendTo(context, node, a, times(b));
  if (context.wanted(b)) sendTo(context, node, b, times(a));
};

/** A quotient is the product with 1/b, whose multiplier is d(1/b) / db = -1 / (b b0). */
const quotient: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const [a, b] = node.inputs as [string, string];
  const m = context.materialise(message);
  const op = (name: string, x: string, y: string): string => builder.node(name, [x, y], {}, 'multiplier');
  const half = builder.scalar(0.5);
  const [a0, b0] = [context.reference(a), context.reference(b)];
  if (context.wanted(a)) {
    const inverses = op('Add', op('Div', half, b), op('Div', half, b0));
    sendTo(context, node, a, op('Mul', m, inverses));
  }
  if (context.wanted(b)) {
    const mean = op('Mul', op('Add', a, a0), half);
    const slope = op('Div', builder.node('Neg', [mean], {}, 'multiplier'), op('Mul', b, b0));
    sendTo(context, node, b, op('Mul', m, slope));
  }
};

const NONLINEAR = [
  ...FUNCTION_OPS,
  ...STEP_OPS,
  'Clip',
  'Elu',
  'Erf',
  'Exp',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'LRN',
  'LeakyRelu',
  'LogSoftmax',
  'PRelu',
  'Relu',
  'Sigmoid',
  'Softmax',
  'Sqrt',
  'Tanh',
] as const;

/** The multiplier rule of every operator. */
export const DEEPLIFT_RULES: OpTable<BackwardRule> = {
  ...GRADIENT_RULES,
  ...(Object.fromEntries(NONLINEAR.map((op) => [op, rescale])) as Record<
    (typeof NONLINEAR)[number],
    BackwardRule
  >),
  ...entries(COMPARISON_OPS, comparison),
  And: conjunction,
  Div: quotient,
  GlobalMaxPool: pooled,
  // A product of two computed values, and a normalisation, have no multipliers here.
  LayerNormalization: refuse,
  MatMul: (context, node, messages) =>
    (context.layer(node) ? GRADIENT_RULES.MatMul : refuse)(context, node, messages),
  Max: extreme,
  MaxPool: pooled,
  Min: extreme,
  Mul: product,
  Not: negation,
  Or: disjunction,
  Pow: power,
  ReduceLogSumExp: softlyLargest,
  ReduceMax: reducedExtreme,
  ReduceMin: reducedExtreme,
  ReduceProd: refuse,
  Where: selection,
  Xor: refuse,
};
