// DeepLIFT's multipliers of operators that compare and choose. A condition counts as the number 1 or 0: its change is
// passed on to what it compares, so that contributions stay complete.
import { constantInput, type Node, opOf } from '../../onnx/internal.ts';
import { Tools } from './arithmetic.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { sendTo, winners } from './operand-rules.ts';
import { keptLike, toReducedWinners } from './reduce-rules.ts';
import { broadcastAdjoint, refuse } from './shape-adjoints.ts';

/**
 * Below this size of dx the quotient is numerical noise and the contribution is just as small, so it counts as zero.
 */
const TINY = 1e-7;

/** `value - reference(value)`. */
export function difference(context: BackwardContext, value: string): string {
  return context.builder.node('Sub', [value, context.reference(value)], {}, 'difference');
}

/** `contribution / dx`, zero where dx is tiny. */
export function multiplier(context: BackwardContext, contribution: string, input: string): string {
  return overDifference(context, contribution, difference(context, input));
}

function overDifference(context: BackwardContext, contribution: string, dx: string): string {
  const { builder } = context;
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

/** Sends a contribution, summed to the shape of an operand, as that operand's multiplier. */
function sendContribution(context: BackwardContext, node: Node, input: string, contribution: string): void {
  const own = broadcastAdjoint(context, contribution, input, node.outputs[0] as string);
  context.send(input, { value: multiplier(context, own, input), base: undefined, zeroWhere: undefined });
}

/**
 * Max and Min. A rise of a maximum goes to the winner on the input and a fall to the winner on the reference; of a
 * minimum the other way round. So |dx| at the credited operand is never below |dy|.
 */
export const extreme: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const m = context.materialise(message);
  const dy = difference(context, node.outputs[0] as string);
  const [rise, fall] = [tools.op('Max', dy, 0), tools.op('Min', dy, 0)];
  const [onInput, onReference] = opOf(node) === 'Max' ? [rise, fall] : [fall, rise];
  const now = winners(context, node, node.inputs);
  const before = winners(context, node, node.inputs.map(context.reference));
  node.inputs.forEach((input, i) => {
    if (!context.wanted(input)) return;
    const credit = tools.op(
      'Add',
      tools.where(now[i] as string, onInput),
      tools.where(before[i] as string, onReference),
    );
    sendContribution(context, node, input, tools.op('Mul', m, credit));
  });
};

/** ReduceMax and ReduceMin: as `extreme`. */
export const reducedExtreme: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const [input, output] = [node.inputs[0] as string, node.outputs[0] as string];
  const m = context.materialise(message);
  const dy = difference(context, output);
  const [rise, fall] = [tools.op('Max', dy, 0), tools.op('Min', dy, 0)];
  const [onInput, onReference] = opOf(node) === 'ReduceMax' ? [rise, fall] : [fall, rise];
  const credited = (part: string, from: string, to: string): string =>
    toReducedWinners(context, node, tools.op('Mul', m, part), from, to);
  const contribution = tools.op(
    'Add',
    credited(onInput, input, output),
    credited(onReference, context.reference(input), context.reference(output)),
  );
  context.send(input, {
    value: multiplier(context, contribution, input),
    base: undefined,
    zeroWhere: undefined,
  });
};

/** ReduceLogSumExp: the rescale rule of the logarithm, then of every exponential, all divided by e^y. */
export const softlyLargest: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const [input, output] = [node.inputs[0] as string, node.outputs[0] as string];
  const dy = difference(context, output);
  const du = tools.op('Sub', 1, tools.op('Exp', tools.op('Neg', dy)));
  const m = tools.op('Mul', context.materialise(message), overDifference(context, dy, du));
  const kept = keptLike(context, node, output);
  const exponential = (value: string): string => tools.op('Exp', tools.op('Sub', value, kept));
  const change = tools.op('Sub', exponential(input), exponential(context.reference(input)));
  const contribution = tools.op('Mul', keptLike(context, node, m), change);
  context.send(input, {
    value: multiplier(context, contribution, input),
    base: undefined,
    zeroWhere: undefined,
  });
};

/** A power by a constant is a function of its base; any other is refused. */
export const power: BackwardRule = (context, node, messages) => {
  const [message] = messages;
  if (!message) return;
  const input = node.inputs[0] as string;
  if (!constantInput(context.graph, node, 1)) return refuse(context, node, messages);
  const dy = difference(context, node.outputs[0] as string);
  sendContribution(context, node, input, new Tools(context).op('Mul', context.materialise(message), dy));
};

/** `y = c a + (1 - c) b`: each product by the mean of its other factor. */
export const selection: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const [condition, yes, no] = node.inputs as [string, string, string];
  const m = context.materialise(message);
  const both = (name: string): string => tools.op('Mul', tools.op('Add', name, context.reference(name)), 0.5);
  const share = meanOf(context, condition);
  if (context.wanted(yes)) sendTo(context, node, yes, tools.op('Mul', m, share));
  if (context.wanted(no)) sendTo(context, node, no, tools.op('Mul', m, tools.op('Sub', 1, share)));
  if (context.wanted(condition)) {
    sendTo(context, node, condition, tools.op('Mul', m, tools.op('Sub', both(yes), both(no))));
  }
};

/** Comparisons depend on the difference of their operands: rescale rule. */
export const comparison: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const [a, b] = node.inputs as [string, string];
  const output = node.outputs[0] as string;
  const dy = tools.op('Sub', tools.number(output), tools.number(context.reference(output)));
  const apart = tools.op(
    'Sub',
    tools.op('Sub', a, b),
    tools.op('Sub', context.reference(a), context.reference(b)),
  );
  const m = overDifference(context, tools.op('Mul', context.materialise(message), dy), apart);
  if (context.wanted(a)) sendTo(context, node, a, m);
  if (context.wanted(b)) sendTo(context, node, b, tools.op('Neg', m));
};

/** Not: 1 - c. */
export const negation: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  sendTo(context, node, node.inputs[0] as string, new Tools(context).op('Neg', context.materialise(message)));
};

/** And: the product of two conditions. */
export const conjunction: BackwardRule = (context, node, [message]) => {
  if (message) sendBoth(context, node, context.materialise(message), (mean) => mean);
};

/** Or: 1 - (1 - a)(1 - b). */
export const disjunction: BackwardRule = (context, node, [message]) => {
  if (message)
    sendBoth(context, node, context.materialise(message), (mean) => new Tools(context).op('Sub', 1, mean));
};

function sendBoth(
  context: BackwardContext,
  node: Node,
  m: string,
  factor: (meanOfOther: string) => string,
): void {
  const tools = new Tools(context);
  const [a, b] = node.inputs as [string, string];
  for (const [to, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (context.wanted(to)) sendTo(context, node, to, tools.op('Mul', m, factor(meanOf(context, other))));
  }
}

/** The mean of a condition on the input and on the reference, as a number. */
function meanOf(context: BackwardContext, condition: string): string {
  const tools = new Tools(context);
  const both = tools.op('Add', tools.number(condition), tools.number(context.reference(condition)));
  return tools.op('Mul', both, 0.5);
}
