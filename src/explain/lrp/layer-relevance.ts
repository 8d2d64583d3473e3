// Relevance at a weighted layer's output, split over its inputs by the branches of a rule. Convolutions are nearly all
// of the cost, so denominators are made of as few as possible: of the layer's own output z, and of the contributions
// that raise it (z+) or lower it (z-), where z = z+ + z-.
import { applyLayer, applyTransposedLayer, float, type WeightedLayer } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import type { BackwardContext, BackwardMessage } from '../backward/context.ts';
import type { Branch, LrpRule } from './rules.ts';

/** `R / stabilised(z)` for the message at `z`; no sign is needed where relevance is known to vanish for z <= 0. */
export function divided(
  context: BackwardContext,
  message: BackwardMessage,
  z: string,
  epsilon: number,
): string {
  const { builder } = context;
  const zero = message.zeroWhere ?? message.base;
  let denominator: string;
  if (zero !== undefined && rectifies(context, zero, z)) {
    denominator = builder.node('Add', [zero, builder.scalar(epsilon)], {}, 'stable');
  } else if (context.nonNegative.has(z)) {
    denominator = builder.node('Add', [z, builder.scalar(epsilon)], {}, 'stable');
  } else {
    const sign = builder.node('GreaterOrEqual', [z, builder.scalar(0)], {}, 'sign');
    const shift = builder.node(
      'Where',
      [sign, builder.scalar(epsilon), builder.scalar(-epsilon)],
      {},
      'shift',
    );
    denominator = builder.node('Add', [z, shift], {}, 'stable');
  }
  return builder.node('Div', [context.materialise(message), denominator], {}, 's');
}

/** Whether `y` is Relu(z). */
function rectifies(context: BackwardContext, y: string, z: string): boolean {
  return context.maker(y)?.op === 'Relu' && context.maker(y)?.inputs[0] === z;
}

/** What the relevance of one layer is made of. */
interface Split {
  readonly context: BackwardContext;
  readonly layer: WeightedLayer;
  readonly rule: LrpRule;
  readonly relevance: BackwardMessage;
}

/** A branch's quotient at the layer's output, with the sign that its weights take. */
interface Quotient {
  readonly s: string;
  readonly branch: Branch;
  readonly negated?: boolean;
}

/** Splits relevance at a weighted layer's output over its inputs. */
export function layerRelevance(
  context: BackwardContext,
  layer: WeightedLayer,
  rule: LrpRule,
  message: BackwardMessage,
): void {
  const { builder } = context;
  const zero = message.zeroWhere ?? message.base;
  const vanishes = zero !== undefined && rectifies(context, zero, layer.output);
  const relevance = { value: context.materialise(message), base: undefined, zeroWhere: zero };
  const split = { context, layer, rule, relevance };
  const quotients = quotientsOf(split, vanishes);

  const handedBack = (sign: 1 | -1): string => {
    const terms = quotients.map(({ s, branch, negated }) => {
      const weight = branchWeight(layer.weight, branch, sign);
      return { s, weight: negated ? weight.map((w) => -w) : weight };
    });
    return applyTransposedLayer(builder, layer, terms, `${layer.name}_back`);
  };
  if (
    context.nonNegative.has(layer.input) ||
    quotients.every(({ branch }) => branch.raising === branch.lowering)
  ) {
    context.send(layer.input, { value: handedBack(1), base: layer.input, zeroWhere: undefined });
    return;
  }
  const parts = context.parts(layer.input);
  const up = builder.node('Mul', [parts.positive, handedBack(1)], {}, 'up');
  const down = builder.node('Mul', [parts.negative, handedBack(-1)], {}, 'down');
  const value = builder.node('Add', [up, down], {}, 'relevance');
  context.send(layer.input, { value, base: undefined, zeroWhere: undefined });
}

/** `coefficient * R / stabilised(z_branch)` of each branch, zero where it does not apply. */
function quotientsOf(split: Split, vanishes: boolean): Quotient[] {
  const { rule } = split;
  const branches = rule.branches.filter(({ outputs }) => !(vanishes && outputs === 'negative'));
  const [first, second] = branches;
  if (branches.length === 2 && first && second) {
    if (isMirrored(first, second)) return bySign(split, first, second);
    if (isHalf(first, 1) && isHalf(second, -1)) return byHalves(split, first, second);
  }
  return branches.map((branch) => ({ branch, s: quotient(split, branch, vanishes) }));
}

function quotient(split: Split, branch: Branch, vanishes: boolean): string {
  const { context, layer, rule, relevance } = split;
  const { builder } = context;
  if (branch.raising === 1 && branch.lowering === 1 && (branch.outputs === 'all' || vanishes)) {
    return scaled(context, divided(context, relevance, layer.output, rule.epsilon), branch);
  }
  const z = denominator(split, branch);
  if (branch.outputs === 'all') return over(split, branch, z);
  const shift = builder.scalar(signOf(split, branch) * rule.epsilon);
  const bounds = branch.sign === 1 ? [shift] : ['', shift];
  // Clip fuses into the convolution.
  const s = over(split, branch, builder.node('Clip', [z, ...bounds], {}, 'bounded'));
  if (vanishes) return s;
  const above = branch.outputs === 'positive';
  const applies = builder.node(above ? 'Greater' : 'Less', [layer.output, builder.scalar(0)], {}, 'applies');
  return builder.node('Where', [applies, s, builder.scalar(0)], {}, 's');
}

function over({ context, relevance }: Split, branch: Branch, z: string): string {
  return scaled(context, context.builder.node('Div', [relevance.value, z], {}, 's'), branch);
}

function scaled({ builder }: BackwardContext, s: string, { coefficient }: Branch): string {
  return coefficient === 1 ? s : builder.node('Mul', [s, builder.scalar(coefficient)], {}, 's');
}

/** Whether a branch counts the contributions of one sign alone, at all outputs. */
function isHalf({ outputs, raising, lowering }: Branch, sign: 1 | -1): boolean {
  return (
    outputs === 'all' && (sign === 1 ? raising : lowering) === 1 && (sign === 1 ? lowering : raising) === 0
  );
}

/**
 * Quotients of a branch of raising and one of lowering contributions. Their denominators add up to the layer's own
 * output, which is then made of them (the stabilisers cancel), so that its own map need not be computed.
 */
function byHalves(split: Split, raising: Branch, lowering: Branch): Quotient[] {
  const { context, layer } = split;
  const make = () => [denominator(split, raising), denominator(split, lowering)] as const;
  const inPlace = context.nonNegative.has(layer.input) && layer.node.outputs[0] === layer.output;
  const [up, down] = inPlace ? context.asSum(layer.node, make) : make();
  return [
    { branch: raising, s: over(split, raising, up) },
    { branch: lowering, s: over(split, lowering, down) },
  ];
}

/** Whether two branches favour contributions of the output's sign alike, above zero and below. */
function isMirrored(above: Branch, below: Branch): boolean {
  return (
    above.outputs === 'positive' &&
    below.outputs === 'negative' &&
    [above.coefficient, below.coefficient, above.lowering, below.raising].every((factor) => factor === 1) &&
    above.raising === below.lowering
  );
}

/**
 * Quotients of mirrored branches. Both denominators come from one map of the raising contributions, z+:
 *   z + g z+ above zero, and -(z + g z-) = (1 + g) |z| + g z+ below.
 */
function bySign(split: Split, positive: Branch, negative: Branch): Quotient[] {
  const { context, layer, relevance } = split;
  const { builder } = context;
  const gamma = positive.raising - 1;
  const favoured: Branch = { ...positive, raising: gamma, lowering: 0 };
  const extra = denominator(split, favoured);
  const size = builder.node('LeakyRelu', [layer.output], { alpha: float(-1 - gamma) }, 'size');
  const whole = builder.node('Add', [size, extra], {}, 'stable');
  const s = builder.node('Div', [relevance.value, whole], {}, 's');
  const applies = builder.node('Greater', [layer.output, builder.scalar(0)], {}, 'applies');
  const above = builder.node('Where', [applies, s, builder.scalar(0)], {}, 's');
  const below = builder.node('Sub', [s, above], {}, 's');
  return [
    { s: above, branch: positive },
    { s: below, branch: negative, negated: true },
  ];
}

/** The layer's map by the weights of a branch, with the stabiliser in its bias. */
function denominator(split: Split, branch: Branch): string {
  const { context, layer, rule } = split;
  const { builder } = context;
  const shift = signOf(split, branch) * rule.epsilon;
  const bias = Float32Array.from(
    { length: layer.channels },
    (_, c) => weighed(layer.bias?.[c] ?? 0, branch, 1) + shift,
  );
  const hint = `${layer.name}_z`;
  const forPositive = { weight: branchWeight(layer.weight, branch, 1), bias };
  if (context.nonNegative.has(layer.input)) return applyLayer(builder, layer, layer.input, forPositive, hint);
  const parts = context.parts(layer.input);
  const forNegative = { weight: branchWeight(layer.weight, branch, -1), bias: undefined };
  const up = applyLayer(builder, layer, parts.positive, forPositive, hint);
  const down = applyLayer(builder, layer, parts.negative, forNegative, hint);
  return builder.node('Add', [up, down], {}, hint);
}

function signOf({ rule }: Split, branch: Branch): 1 | -1 {
  return must(branch.sign, `rule ${rule.name} has a branch whose denominator has no known sign`);
}

/** The weights of a branch for inputs of a sign. */
function branchWeight(weight: Float32Array, branch: Branch, sign: 1 | -1): Float32Array {
  if (branch.raising === 1 && branch.lowering === 1) return weight;
  // A plain loop: networks have millions of weights, and `map` with a function of its own takes several times as long.
  const weighted = new Float32Array(weight.length);
  for (let i = 0; i < weight.length; i++) weighted[i] = weighed(weight[i] as number, branch, sign);
  return weighted;
}

/** A weight by the factor of its contributions to inputs of a sign. */
function weighed(w: number, { raising, lowering }: Branch, sign: 1 | -1): number {
  return w * sign > 0 ? w * raising : w * lowering;
}
