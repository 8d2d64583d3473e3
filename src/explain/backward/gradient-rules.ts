// Derivatives: the same backward pass with the chain rule of each operator.
import type { Constant } from '../../onnx/index.ts';
import {
  ARGUMENT_OPS,
  applyTransposedLayer,
  COMPARISON_OPS,
  constantInput,
  ELEM,
  entries,
  FUNCTION_OPS,
  floatAttribute,
  floatConstant,
  int,
  intAttribute,
  LOGIC_OPS,
  type OpTable,
  REDUCTION_OPS,
  STEP_OPS,
  stringAttribute,
  TEST_OPS,
} from '../../onnx/internal.ts';
import { Tools } from './arithmetic.ts';
import { batchNormScale } from './batch-norm.ts';
import type { BackwardContext, BackwardRule } from './context.ts';
import { type Derivative, FUNCTION_DERIVATIVES } from './function-derivatives.ts';
import { gatherAdjoint } from './gather-adjoint.ts';
import { chosen, extremeGradient, sendTo } from './operand-rules.ts';
import { averagePoolAdjoint } from './pool-adjoint.ts';
import { layerNormGradient, productGradient } from './product-adjoints.ts';
import { productOfOthers, reducedToWinners, softlyLargest, summed } from './reduce-rules.ts';
import { cumulativeGradient, tileAdjoint } from './repeat-adjoints.ts';
import { resizeGradient } from './resize-adjoint.ts';
import {
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
} from './shape-adjoints.ts';
import { MADE_OF_OTHERS } from './simpler-operators.ts';

/** The chain rule of an elementwise function. */
function elementwise(derivative: Derivative): BackwardRule {
  return (context, node, [message]) => {
    if (!message) return;
    const input = node.inputs[0] as string;
    const slope = derivative(new Tools(context), input, node.outputs[0] as string, node);
    const value = context.builder.node('Mul', [context.materialise(message), slope], {}, 'gradient');
    context.send(input, { value, base: undefined, zeroWhere: undefined });
  };
}

const linear: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const layer = context.layer(node);
  if (!layer) return refuse(context, node, []);
  const terms = [{ s: context.materialise(message), weight: layer.weight }];
  const value = applyTransposedLayer(context.builder, layer, terms, `${layer.name}_back`);
  context.send(layer.input, { value, base: undefined, zeroWhere: undefined });
};

const relu: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const open = builder.node('Greater', [node.outputs[0] as string, builder.scalar(0)], {}, 'open');
  const value = builder.node(
    'Where',
    [open, context.materialise(message), builder.scalar(0)],
    {},
    'gradient',
  );
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

const clip: Derivative = (tools, x, _y, node) => {
  const lowest = bound(constantInput(tools.context.graph, node, 1)) ?? floatAttribute(node, 'min', -3.4e38);
  const highest = bound(constantInput(tools.context.graph, node, 2)) ?? floatAttribute(node, 'max', 3.4e38);
  return tools.op(
    'Where',
    tools.op('And', tools.op('Greater', x, lowest), tools.op('Less', x, highest)),
    1,
    0,
  );
};

const bound = (constant: Constant | undefined): number | undefined =>
  constant?.type === 'float32' ? constant.data[0] : undefined;

const averaged: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const value = averagePoolAdjoint(context, node, context.materialise(message));
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

/** Softmax along one axis: y * (G - sum(G y)). */
const softmax: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const y = node.outputs[0] as string;
  const product = builder.node('Mul', [context.materialise(message), y], {}, 'gy');
  const total = builder.node(
    'ReduceSum',
    [product, builder.ints([intAttribute(node, 'axis', -1)])],
    {},
    'total',
  );
  const value = builder.node('Sub', [product, builder.node('Mul', [y, total], {}, 'gy')], {}, 'gradient');
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

const logSoftmax: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const g = context.materialise(message);
  const total = builder.node('ReduceSum', [g, builder.ints([intAttribute(node, 'axis', -1)])], {}, 'total');
  const y = builder.node('Exp', [node.outputs[0] as string], {}, 'probability');
  const value = builder.node('Sub', [g, builder.node('Mul', [y, total], {}, 'py')], {}, 'gradient');
  context.send(node.inputs[0] as string, { value, base: undefined, zeroWhere: undefined });
};

/**
 * Local response normalisation: y_i = x_i D_i^-beta with D_i = bias + alpha/size * sum of x_j^2 over neighbouring
 * channels.
 */
const localResponse: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const { builder } = context;
  const tools = new Tools(context);
  const x = node.inputs[0] as string;
  const channels = context.shape(x)[1] as number;
  const spatial = context.shape(x).length - 2;
  const size = intAttribute(node, 'size', 1);
  const [alpha, beta, bias] = [
    floatAttribute(node, 'alpha', 1e-4),
    floatAttribute(node, 'beta', 0.75),
    floatAttribute(node, 'bias', 1),
  ];
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const band = (low: number, high: number): string => {
    const weight = new Float32Array(channels * channels);
    for (let i = 0; i < channels; i++) {
      for (let j = Math.max(0, i - low); j <= Math.min(channels - 1, i + high); j++)
        weight[i * channels + j] = 1;
    }
    return builder.constant(
      floatConstant(weight, [channels, channels, ...new Array<number>(spatial).fill(1)]),
      'band',
    );
  };
  const near = tools.op('Conv', tools.op('Mul', x, x), band(before, after));
  const d = tools.op('Add', tools.op('Mul', near, alpha / size), bias);
  const g = context.materialise(message);
  const direct = tools.op('Mul', g, tools.op('Pow', d, -beta));
  const inner = tools.op('Mul', tools.op('Mul', g, x), tools.op('Pow', d, -beta - 1));
  const spread = tools.op('Conv', inner, band(after, before));
  const indirect = tools.op('Mul', tools.op('Mul', x, spread), (2 * alpha * beta) / size);
  context.send(x, { value: tools.op('Sub', direct, indirect), base: undefined, zeroWhere: undefined });
};

const gelu: Derivative = (tools, x, _y, node) => {
  if (stringAttribute(node, 'approximate', 'none') === 'tanh') {
    const inner = tools.op(
      'Mul',
      tools.op('Add', x, tools.op('Mul', tools.op('Pow', x, 3), 0.044715)),
      Math.sqrt(2 / Math.PI),
    );
    const t = tools.op('Tanh', inner);
    const slope = tools.op(
      'Add',
      tools.op('Mul', tools.op('Mul', x, x), 3 * 0.044715 * Math.sqrt(2 / Math.PI)),
      Math.sqrt(2 / Math.PI),
    );
    const bell = tools.op('Mul', tools.op('Mul', x, slope), tools.op('Sub', 1, tools.op('Mul', t, t)));
    return tools.op('Mul', tools.op('Add', tools.op('Add', t, 1), bell), 0.5);
  }
  const cumulative = tools.op(
    'Mul',
    tools.op('Add', tools.op('Erf', tools.op('Mul', x, Math.SQRT1_2)), 1),
    0.5,
  );
  const density = tools.op(
    'Mul',
    tools.op('Exp', tools.op('Mul', tools.op('Mul', x, x), -0.5)),
    1 / Math.sqrt(2 * Math.PI),
  );
  return tools.op('Add', cumulative, tools.op('Mul', x, density));
};

/** A sum: the same to each addend. */
const toEach: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const g = context.materialise(message);
  for (const input of node.inputs) if (context.wanted(input)) sendTo(context, node, input, g);
};

/** a^b: b a^(b-1) for the base, zero where that is infinite; a^b ln a for the exponent. */
const power: BackwardRule = (context, node, [message]) => {
  if (!message) return;
  const [a, exponent] = node.inputs as [string, string];
  const tools = new Tools(context);
  const g = context.materialise(message);
  const b = exponentOf(context, exponent);
  if (context.wanted(a)) {
    const infinite = tools.op('And', tools.op('Equal', a, 0), tools.op('Less', b, 1));
    const slope = tools.op('Mul', tools.op('Pow', a, tools.op('Sub', b, 1)), b);
    sendTo(context, node, a, tools.op('Mul', g, tools.op('Where', infinite, 0, slope)));
  }
  if (context.wanted(exponent)) {
    const slope = tools.op('Mul', node.outputs[0] as string, tools.op('Log', a));
    sendTo(context, node, exponent, tools.op('Mul', g, slope));
  }
};

/** An exponent may be of another type than its base. */
function exponentOf({ builder, graph }: BackwardContext, name: string): string {
  const constant = graph.constants.get(name);
  return constant && constant.type !== 'float32'
    ? builder.node('Cast', [name], { to: int(ELEM.float32) })
    : name;
}

/** The chain rule of every operator. */
export const GRADIENT_RULES: OpTable<BackwardRule> = {
  ...(Object.fromEntries(
    FUNCTION_OPS.map((op) => [op, elementwise(FUNCTION_DERIVATIVES[op])]),
  ) as unknown as Record<(typeof FUNCTION_OPS)[number], BackwardRule>),
  ...entries(STEP_OPS, stop),
  ...entries(TEST_OPS, stop),
  ...entries(COMPARISON_OPS, stop),
  ...entries(LOGIC_OPS, stop),
  ...entries(REDUCTION_OPS, lowered),
  ...entries(ARGUMENT_OPS, stop),
  ...entries(MADE_OF_OTHERS, lowered),
  Add: toEach,
  AveragePool: averaged,
  BatchNormalization: elementwise((tools, _x, _y, node) => batchNormScale(tools.context, node)),
  Cast: passThrough,
  Clip: elementwise(clip),
  Concat: concatAdjoint,
  Constant: stop,
  ConstantOfShape: stop,
  Conv: linear,
  ConvTranspose: linear,
  CumSum: cumulativeGradient,
  Div: (context, node, [message]) => {
    if (!message) return;
    const [a, b] = node.inputs as [string, string];
    const tools = new Tools(context);
    const quotient = tools.op('Div', context.materialise(message), b);
    if (context.wanted(a)) sendTo(context, node, a, quotient);
    if (context.wanted(b)) {
      sendTo(context, node, b, tools.op('Neg', tools.op('Mul', quotient, node.outputs[0] as string)));
    }
  },
  Dropout: passThrough,
  Einsum: refuse,
  Elu: elementwise((tools, x, y, node) =>
    tools.op('Where', tools.op('Greater', x, 0), 1, tools.op('Add', y, floatAttribute(node, 'alpha', 1))),
  ),
  Erf: elementwise((tools, x) =>
    tools.op('Mul', tools.op('Exp', tools.op('Neg', tools.op('Mul', x, x))), 2 / Math.sqrt(Math.PI)),
  ),
  Exp: elementwise((_tools, _x, y) => y),
  Expand: (context, node, [message]) => {
    if (message) sendTo(context, node, node.inputs[0] as string, context.materialise(message));
  },
  Flatten: reshapeAdjoint,
  GRU: refuse,
  Gather: gatherAdjoint,
  Gelu: elementwise(gelu),
  Gemm: linear,
  GlobalAveragePool: averaged,
  GlobalMaxPool: maxPoolAdjoint,
  HardSigmoid: elementwise((tools, _x, y, node) =>
    tools.op(
      'Where',
      tools.op('And', tools.op('Greater', y, 0), tools.op('Less', y, 1)),
      floatAttribute(node, 'alpha', 0.2),
      0,
    ),
  ),
  HardSwish: elementwise((tools, x) => {
    const middle = tools.op('Add', tools.op('Mul', x, 1 / 3), 0.5);
    return tools.op(
      'Where',
      tools.op('Greater', x, 3),
      1,
      tools.op('Where', tools.op('Less', x, -3), 0, middle),
    );
  }),
  Identity: passThrough,
  LRN: localResponse,
  LSTM: refuse,
  LayerNormalization: layerNormGradient,
  LeakyRelu: elementwise((tools, x, _y, node) =>
    tools.op('Where', tools.op('Greater', x, 0), 1, floatAttribute(node, 'alpha', 0.01)),
  ),
  LogSoftmax: logSoftmax,
  MatMul: (context, node, messages) =>
    (context.layer(node) ? linear : productGradient)(context, node, messages),
  Max: extremeGradient,
  MaxPool: maxPoolAdjoint,
  Mean: (context, node, [message]) => {
    if (!message) return;
    const g = new Tools(context).op('Div', context.materialise(message), node.inputs.length);
    for (const input of node.inputs) if (context.wanted(input)) sendTo(context, node, input, g);
  },
  Min: extremeGradient,
  Mul: (context, node, [message]) => {
    if (!message) return;
    const [a, b] = node.inputs as [string, string];
    const g = context.materialise(message);
    const times = (other: string): string => context.builder.node('Mul', [g, other], {}, 'gradient');
    if (context.wanted(a)) sendTo(context, node, a, times(b));
    if (context.wanted(b)) sendTo(context, node, b, times(a));
  },
  PRelu: elementwise((tools, x, _y, node) =>
    tools.op('Where', tools.op('Greater', x, 0), 1, node.inputs[1] as string),
  ),
  Pad: padAdjoint,
  RNN: refuse,
  Pow: power,
  ReduceLogSumExp: softlyLargest,
  ReduceMax: reducedToWinners,
  ReduceMean: averaged,
  ReduceMin: reducedToWinners,
  ReduceProd: productOfOthers,
  ReduceSum: summed,
  Relu: relu,
  Mod: stop,
  Range: stop,
  Reshape: reshapeAdjoint,
  Resize: resizeGradient,
  Shape: stop,
  Size: stop,
  Sigmoid: elementwise((tools, _x, y) => tools.op('Mul', y, tools.op('Sub', 1, y))),
  Slice: sliceAdjoint,
  Softmax: softmax,
  Split: splitAdjoint,
  // Zero where the slope is infinite.
  Sqrt: elementwise((tools, _x, y) => tools.where(tools.op('Greater', y, 0), tools.op('Div', 0.5, y))),
  Squeeze: reshapeAdjoint,
  Sub: (context, node, [message]) => {
    if (!message) return;
    const [a, b] = node.inputs as [string, string];
    const g = context.materialise(message);
    if (context.wanted(a)) sendTo(context, node, a, g);
    if (context.wanted(b)) sendTo(context, node, b, context.builder.node('Neg', [g], {}, 'minus'));
  },
  Sum: toEach,
  Tile: tileAdjoint,
  Tanh: elementwise((tools, _x, y) => tools.op('Sub', 1, tools.op('Mul', y, y))),
  Transpose: transposeAdjoint,
  Unsqueeze: reshapeAdjoint,
  Where: chosen,
};
