// Reductions along axes: how a value at the result is spread over what was reduced.
import { constantInput, int, intAttribute, ints, intsParameter, type Node } from '../../onnx/internal.ts';
import { Tools } from './arithmetic.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { apart, positiveAxis, refuse } from './shape-adjoints.ts';

/** The axes that a reduction works along, counted from the front; all where none are given. */
export function reducedAxes(context: BackwardContext, node: Node): number[] {
  const rank = context.shape(node.inputs[0] as string).length;
  if (node.inputs[1] && !constantInput(context.graph, node, 1)) refuse(context, node, []);
  const given = intsParameter(context.graph, node, 1, 'axes') ?? [];
  if (given.length > 0) return given.map((axis) => positiveAxis(axis, rank));
  const none = intAttribute(node, 'noop_with_empty_axes', 0) !== 0;
  return none ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

/** A value shaped like the result, with every reduced axis as 1, so that it broadcasts over the input. */
export function keptLike(context: BackwardContext, node: Node, value: string): string {
  if (intAttribute(node, 'keepdims', 1) !== 0) return value;
  const input = node.inputs[0] as string;
  const axes = new Set(reducedAxes(context, node));
  const shape = context.shape(input).map((size, axis) => (axes.has(axis) ? 1 : size));
  return context.builder.node(
    'Reshape',
    [value, context.builder.ints(context.openShape(input, shape, node.outputs[0]))],
    {},
    'kept',
  );
}

/** A value that broadcasts over `like`, in its full shape. */
export function spreadOver(context: BackwardContext, value: string, like: string): string {
  const { builder } = context;
  return builder.node('Expand', [value, builder.node('Shape', [like], {}, 'size')], {}, 'spread');
}

/** Samples must not be reduced together. */
export function eachSampleAlone(context: BackwardContext, node: Node): void {
  for (const axis of reducedAxes(context, node)) apart(context, node, node.inputs[0] as string, axis);
}

/** The adjoint of a sum. */
export function sumAdjoint(context: BackwardContext, node: Node, value: string): string {
  eachSampleAlone(context, node);
  return spreadOver(context, keptLike(context, node, value), node.inputs[0] as string);
}

/** ReduceSum, derivative. */
export const summed: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const value = sumAdjoint(context, node, context.materialise(message));
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

/** Puts a value of a ReduceMax or ReduceMin at the winners of `input`, whose result is `output`, in equal parts. */
export function toReducedWinners(
  context: BackwardContext,
  node: Node,
  value: string,
  input: string,
  output: string,
): string {
  eachSampleAlone(context, node);
  const tools = new Tools(context);
  const { builder } = context;
  const wins = tools.number(tools.op('Equal', input, keptLike(context, node, output)));
  const axes = builder.ints(reducedAxes(context, node));
  const count = builder.node('ReduceSum', [wins, axes], { keepdims: int(1) }, 'count');
  return tools.op('Mul', wins, tools.op('Div', keptLike(context, node, value), count));
}

/** ReduceMax and ReduceMin: all to the winner, in equal parts where several are equal. */
export const reducedToWinners: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const [input, output] = [node.inputs[0] as string, node.outputs[0] as string];
  const value = toReducedWinners(context, node, context.materialise(message), input, output);
  context.send(input, { value, base: undefined, zeroWhere: undefined });
};

/** ReduceLogSumExp, a soft maximum: in proportion to e^(x - y), for relevance and gradients. */
export const softlyLargest: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  eachSampleAlone(context, node);
  const tools = new Tools(context);
  const [input, output] = [node.inputs[0] as string, node.outputs[0] as string];
  const share = tools.op('Exp', tools.op('Sub', input, keptLike(context, node, output)));
  const value = tools.op('Mul', keptLike(context, node, context.materialise(message)), share);
  context.send(input, { value, base: undefined, zeroWhere: undefined });
};

/** ReduceProd, derivative: the product of all other factors, also where some are zero. */
export const productOfOthers: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  eachSampleAlone(context, node);
  const tools = new Tools(context);
  const { builder } = context;
  const input = node.inputs[0] as string;
  const list = reducedAxes(context, node);
  const zero = tools.op('Equal', input, 0);
  const safe = tools.op('Where', zero, 1, input);
  const axes = builder.ints(list);
  const zeros = builder.node('ReduceSum', [tools.number(zero), axes], { keepdims: int(1) }, 'zeros');
  const whole = reduceBy(context, 'ReduceProd', safe, list);
  const noZero = tools.where(tools.op('Less', zeros, 0.5), tools.op('Div', whole, safe));
  const onlyZero = tools.op('Where', tools.op('Less', zeros, 1.5), whole, 0);
  const slope = tools.op('Where', zero, onlyZero, noZero);
  const value = tools.op('Mul', keptLike(context, node, context.materialise(message)), slope);
  context.send(input, { value, base: undefined, zeroWhere: undefined });
};

/** ReduceProd, relevance: the same share to each factor. */
export const equalShares: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const shape = context.shape(node.inputs[0] as string);
  const count = reducedAxes(context, node).reduce((product, axis) => product * (shape[axis] as number), 1);
  const spread = sumAdjoint(context, node, context.materialise(message));
  const value = new Tools(context).op('Mul', spread, 1 / count);
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

/** A reduction that keeps its axes; they are an attribute up to operator set 17 and an input from 18 on. */
export function reduceBy(
  context: BackwardContext,
  op: string,
  value: string,
  axes: readonly number[],
): string {
  const { builder } = context;
  return context.opset >= 18
    ? builder.node(op, [value, builder.ints(axes)], { keepdims: int(1) })
    : builder.node(op, [value], { axes: ints(axes), keepdims: int(1) });
}
