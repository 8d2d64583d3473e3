// A MatMul of two computed values, and layer normalisation, on the way back.
import { floatAttribute, intAttribute, ints, type Node } from '../../onnx/internal.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { apart, positiveAxis, refuse } from './shape-adjoints.ts';

/** Writes arithmetic into the graph; numbers become constants. */
export function arithmetic(context: BackwardContext, hint: string) {
  const { builder } = context;
  return (op: string, ...inputs: (string | number)[]): string =>
    builder.node(
      op,
      inputs.map((input) => (typeof input === 'number' ? builder.scalar(input) : input)),
      {},
      hint,
    );
}

/**
 * The adjoints of both factors of `A B` (the last two axes multiply, earlier ones broadcast) for a value shaped like
 * the product: `s B^T` and `A^T s`, each summed to the factor's own shape.
 * @throws BedsideError E_UNSUPPORTED for a factor that is a vector
 */
export function factorAdjoints(context: BackwardContext, node: Node) {
  const [a, b] = node.inputs as [string, string];
  if (context.shape(a).length < 2 || context.shape(b).length < 2) refuse(context, node, []);
  const multiply = (x: string, y: string): string => context.builder.node('MatMul', [x, y], {}, 'factor');
  return {
    left: (s: string): string => toFactor(context, node, multiply(s, turned(context, b, b)), a),
    right: (s: string): string => toFactor(context, node, multiply(turned(context, a, a), s), b),
  };
}

/** The last two axes exchanged, of a value with the rank of `like`. */
function turned(context: BackwardContext, value: string, like: string): string {
  const rank = context.shape(like).length;
  const order = Array.from({ length: rank }, (_, axis) => axis);
  order.push(...order.splice(-2).reverse());
  return context.builder.node('Transpose', [value], { perm: ints(order) }, 'turned');
}

/** Sums over the leading axes along which a factor was broadcast. */
function toFactor(context: BackwardContext, node: Node, value: string, factor: string): string {
  const whole = context.shape(node.outputs[0] as string).slice(0, -2);
  const own = context.shape(factor).slice(0, -2);
  const lead = whole.length - own.length;
  const axes = whole.flatMap((size, axis) =>
    axis < lead || (own[axis - lead] === 1 && size !== 1) ? [axis] : [],
  );
  if (axes.length === 0) return value;
  const { builder } = context;
  const kept = builder.node('ReduceSum', [value, builder.ints(axes)], {}, 'unbroadcast');
  if (lead === 0) return kept;
  return builder.node('Reshape', [kept, builder.ints(context.openShape(factor))], {}, 'unbroadcast');
}

/** The chain rule of a MatMul of two computed values. */
export const productGradient: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const [a, b] = node.inputs as [string, string];
  const g = context.materialise(message);
  const { left, right } = factorAdjoints(context, node);
  if (context.wanted(a)) context.send(a, { value: left(g), base: undefined, zeroWhere: undefined });
  if (context.wanted(b)) context.send(b, { value: right(g), base: undefined, zeroWhere: undefined });
};

/**
 * The chain rule of y = scale n + bias with n = (x - mean) / deviation over the axes from `axis` on:
 * (g - mean(g) - n mean(g n)) / deviation, with g the gradient times the scale.
 */
export const layerNormGradient: BackwardRule = (context, node, [message, ...statistics]) => {
  if (statistics.some(Boolean)) return refuse(context, node, []);
  if (!message) return;
  const { builder } = context;
  const [x, scale] = node.inputs as [string, string];
  const shape = context.shape(x);
  const first = positiveAxis(intAttribute(node, 'axis', -1), shape.length);
  const axes = shape.map((_, axis) => axis).slice(first);
  for (const axis of axes) apart(context, node, x, axis);
  const op = arithmetic(context, 'd');
  const count = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  const mean = (value: string): string =>
    op('Mul', builder.node('ReduceSum', [value, builder.ints(axes)], {}, 'total'), 1 / count);
  const centred = op('Sub', x, mean(x));
  const variance = op('Add', mean(op('Mul', centred, centred)), floatAttribute(node, 'epsilon', 1e-5));
  const deviation = op('Sqrt', variance);
  const n = op('Div', centred, deviation);
  const g = op('Mul', context.materialise(message), scale);
  const inner = op('Sub', op('Sub', g, mean(g)), op('Mul', n, mean(op('Mul', g, n))));
  context.send(x, { value: op('Div', inner, deviation), base: undefined, zeroWhere: undefined });
};
