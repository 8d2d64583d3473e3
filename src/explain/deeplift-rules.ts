// DeepLIFT's rescale rule (Shrikumar et al., ICML 2017): what flows back are multipliers, contribution over difference
// from the reference. Linear operators pass them like gradients; an elementwise function multiplies by dy / dx taken
// between reference and input. Contributions add up to the difference of the explained score.
import type { OpTable } from '../onnx/index.ts';
import type { BackwardContext, BackwardRule } from './backward.ts';
import { GRADIENT_RULES, sendTo } from './gradient-rules.ts';
import { refuse, toWinners } from './structure.ts';

/** Below this size of dx the quotient is numerically void and the contribution is as small: it counts as zero. */
const TINY = 1e-7;

/** `value - reference(value)`. */
export function difference(context: BackwardContext, value: string): string {
  return context.builder.node('Sub', [value, context.reference(value)], {}, 'difference');
}

/** `contribution / dx`, zero where dx is tiny. */
function multiplier(context: BackwardContext, contribution: string, input: string): string {
  const { builder } = context;
  const dx = difference(context, input);
  const solid = builder.node(
    'Greater',
    [builder.node('Abs', [dx], {}, 'size'), builder.scalar(TINY)],
    {},
    'solid',
  );
  const safe = builder.node('Where', [solid, dx, builder.scalar(1)], {}, 'safe');
  const quotient = builder.node('Div', [contribution, safe], {}, 'multiplier');
  return builder.node('Where', [solid, quotient, builder.scalar(0)], {}, 'multiplier');
}

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
 * Max pools: a rise is credited to the winner on the input, a fall to the winner on the reference; so |dx| of the
 * credited place is never below |dy|, and multipliers of single windows stay within [0, 1].
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
  const down = credited(fall, context.reference(input), context.reference(output));
  const contribution = builder.node('Add', [up, down], {}, 'contribution');
  context.send(input, {
    value: multiplier(context, contribution, input),
    base: undefined,
    zeroWhere: undefined,
  });
};

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

/** A quotient by a constant is linear; by a computed value it has no rule. */
const quotient: BackwardRule = (context, node, messages) => {
  const divisor = node.inputs[1] as string;
  if (context.graph.constants.has(divisor)) GRADIENT_RULES.Div(context, node, messages);
  else refuse(context, node, messages);
};

const NONLINEAR = [
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
  Div: quotient,
  GlobalMaxPool: pooled,
  MaxPool: pooled,
  Mul: product,
};
