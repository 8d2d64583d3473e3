// Derivatives of elementwise functions. Specification: https://onnx.ai/onnx/operators/
import { type FUNCTION_OPS, floatAttribute, type Node } from '../../onnx/internal.ts';
import type { Tools } from './arithmetic.ts';

/** The derivative of an elementwise function as values in the graph. */
export type Derivative = (tools: Tools, x: string, y: string, node: Node) => string;

/** `1 / sqrt(x^2 + c)`, or of `c - x^2` where `sign` is -1. */
const inverseRoot =
  (sign: 1 | -1, c: number, factor = 1): Derivative =>
  (tools, x) =>
    tools.op('Div', factor, tools.op('Sqrt', tools.op('Add', tools.op('Mul', square(tools, x), sign), c)));

function square(tools: Tools, x: string): string {
  return tools.op('Mul', x, x);
}

/** Selu's default constants: https://onnx.ai/onnx/operators/onnx__Selu.html */
const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

/** The derivative of every function of `FUNCTION_OPS`; at a kink, the one from below. */
export const FUNCTION_DERIVATIVES: Readonly<Record<(typeof FUNCTION_OPS)[number], Derivative>> = {
  Abs: (tools, x) => tools.op('Sign', x),
  Acos: inverseRoot(-1, 1, -1),
  Acosh: inverseRoot(1, -1),
  Asin: inverseRoot(-1, 1),
  Asinh: inverseRoot(1, 1),
  Atan: (tools, x) => tools.op('Div', 1, tools.op('Add', square(tools, x), 1)),
  Atanh: (tools, x) => tools.op('Div', 1, tools.op('Sub', 1, square(tools, x))),
  Celu: (tools, x, _y, node) => {
    const below = tools.op('Exp', tools.op('Div', tools.op('Min', x, 0), floatAttribute(node, 'alpha', 1)));
    return tools.op('Where', tools.op('Greater', x, 0), 1, below);
  },
  Cos: (tools, x) => tools.op('Neg', tools.op('Sin', x)),
  Cosh: (tools, x) => tools.op('Sinh', x),
  Log: (tools, x) => tools.op('Div', 1, x),
  // With t = tanh(softplus(x)): t + x sigmoid(x) (1 - t^2).
  Mish: (tools, x) => {
    const t = tools.op('Tanh', tools.op('Softplus', x));
    const slope = tools.op(
      'Mul',
      tools.op('Mul', x, tools.op('Sigmoid', x)),
      tools.op('Sub', 1, square(tools, t)),
    );
    return tools.op('Add', t, slope);
  },
  Neg: (tools, x) => tools.op('Add', tools.op('Mul', x, 0), -1),
  Reciprocal: (tools, _x, y) => tools.op('Neg', square(tools, y)),
  Selu: (tools, x, y, node) => {
    const [alpha, gamma] = [
      floatAttribute(node, 'alpha', SELU_ALPHA),
      floatAttribute(node, 'gamma', SELU_GAMMA),
    ];
    return tools.op('Where', tools.op('Greater', x, 0), gamma, tools.op('Add', y, alpha * gamma));
  },
  Shrink: (tools, x, _y, node) =>
    tools.number(tools.op('Greater', tools.op('Abs', x), floatAttribute(node, 'lambd', 0.5))),
  Sin: (tools, x) => tools.op('Cos', x),
  Sinh: (tools, x) => tools.op('Cosh', x),
  Softplus: (tools, x) => tools.op('Sigmoid', x),
  Softsign: (tools, x) => {
    const size = tools.op('Add', tools.op('Abs', x), 1);
    return tools.op('Div', 1, square(tools, size));
  },
  // With s = sigmoid(alpha x): s + alpha x s (1 - s).
  Swish: (tools, x, _y, node) => {
    const scaled = tools.op('Mul', x, floatAttribute(node, 'alpha', 1));
    const s = tools.op('Sigmoid', scaled);
    return tools.op('Mul', s, tools.op('Add', tools.op('Mul', scaled, tools.op('Sub', 1, s)), 1));
  },
  Tan: (tools, _x, y) => tools.op('Add', square(tools, y), 1),
  ThresholdedRelu: (tools, x, _y, node) =>
    tools.number(tools.op('Greater', x, floatAttribute(node, 'alpha', 1))),
};
