// Operators that choose among operands, elementwise: Max, Min and Where. Relevance and gradients share these rules.
import { type Node, opOf } from '../../onnx/internal.ts';
import { Tools } from './arithmetic.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { broadcastAdjoint } from './shape-adjoints.ts';

/** Sends a value of the output's shape to an operand that may be broadcast. */
export function sendTo(context: BackwardContext, node: Node, input: string, value: string): void {
  const output = node.outputs[0] as string;
  context.send(input, {
    value: broadcastAdjoint(context, value, input, output),
    base: undefined,
    zeroWhere: undefined,
  });
}

/** The operands of a node that are not constants. */
export function computedInputs(context: BackwardContext, node: Node): string[] {
  return node.inputs.filter((name) => name && !context.graph.constants.has(name));
}

/**
 * For each operand among `operands` (as values), a condition of the output's shape: it is the first that equals the
 * largest (or smallest) of them.
 */
export function winners(context: BackwardContext, node: Node, operands: readonly string[]): string[] {
  const tools = new Tools(context);
  const best = operands.length === 1 ? (operands[0] as string) : tools.op(opOf(node) ?? '', ...operands);
  let open: string | undefined;
  return operands.map((operand) => {
    const equal = tools.op('Equal', operand, best);
    const wins = open === undefined ? equal : tools.op('And', open, equal);
    const lost = tools.op('Not', equal);
    open = open === undefined ? lost : tools.op('And', open, lost);
    return wins;
  });
}

/** Max and Min, derivative: all to the first winner, also where that is a constant. */
export const extremeGradient: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const g = context.materialise(message);
  winners(context, node, node.inputs).forEach((wins, i) => {
    const input = node.inputs[i] as string;
    if (context.wanted(input)) sendTo(context, node, input, tools.where(wins, g));
  });
};

/** Max and Min, relevance: all to the first winner among the computed operands; a constant one is a mere bound. */
export const extremeRelevance: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const r = context.materialise(message);
  const operands = computedInputs(context, node);
  if (operands.length === 1) return sendTo(context, node, operands[0] as string, r);
  winners(context, node, operands).forEach((wins, i) => {
    const input = operands[i] as string;
    if (context.wanted(input)) sendTo(context, node, input, tools.where(wins, r));
  });
};

/** Where: all to the chosen operand; nothing to the condition. */
export const chosen: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const tools = new Tools(context);
  const [condition, yes, no] = node.inputs as [string, string, string];
  const m = context.materialise(message);
  if (context.wanted(yes)) sendTo(context, node, yes, tools.op('Where', condition, m, 0));
  if (context.wanted(no)) sendTo(context, node, no, tools.op('Where', condition, 0, m));
};
