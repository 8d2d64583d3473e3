// The slow twin of the relevance pass: a forward and a backward interpreter in double precision, node by node, with
// every rule written from its formula in the literature over single contributions c = x w of inputs to outputs.
import type { Model } from '../../onnx/index.ts';
import type { Node } from '../../onnx/internal.ts';
import { attentionBack, attentionOutput, isAttention } from './attention-twin.ts';
import { floatOf } from './attributes.ts';
import { linearOutputs } from './linear-ops.ts';
import { broadcastDims, broadcastPosition, type Doubles, flatOf, positions, zeros } from './positions.ts';
import type { Linear, Term } from './terms.ts';

/** A rule of weighted layers, by its formula. */
export type TwinRule =
  /** Bach et al., 2015, eq. 58: c / (z + epsilon sign z). */
  | { readonly kind: 'epsilon'; readonly epsilon: number }
  /** Anders et al., 2021: c + gamma max(c, 0) where z > 0 and c + gamma min(c, 0) where z < 0, over its sum. */
  | { readonly kind: 'gamma'; readonly gamma: number; readonly epsilon: number }
  /** Bach et al., 2015, eq. 60: alpha c+ / sum c+ - beta c- / sum c-; z+ is alpha 1, beta 0. */
  | { readonly kind: 'alpha-beta'; readonly alpha: number; readonly beta: number; readonly epsilon: number };

/** A forward pass: every value, constants included, and the terms of every linear node's outputs. */
export interface Trace {
  readonly values: ReadonlyMap<string, Doubles>;
  readonly linear: ReadonlyMap<Node, readonly Linear[]>;
}

const STABILISER = 1e-6;
const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
const SHARING = new Set([
  'Add',
  'Sub',
  'AveragePool',
  'GlobalAveragePool',
  'ReduceMean',
  'BatchNormalization',
]);

/** Runs a model in double precision. */
export function forward(model: Model, samples: Doubles): Trace {
  const linear = new Map<Node, readonly Linear[]>();
  const values = new Map<string, Doubles>([[model.graph.inputs[0]?.name ?? '', samples]]);
  for (const [name, constant] of model.graph.constants) {
    if (constant.type === 'other') throw new Error(`constant ${name} is neither float32 nor int64`);
    values.set(name, {
      dims: constant.dims,
      data: Float64Array.from(constant.data as ArrayLike<number | bigint>, Number),
    });
  }
  for (const node of model.graph.nodes) {
    const operands = node.inputs.filter((name) => name !== '').map((name) => valueAt(values, name));
    if (isAttention(model, node)) {
      values.set(node.outputs[0] as string, attentionOutput(node, operands));
      continue;
    }
    const terms = linearOutputs({ model, node, inputs: operands });
    if (terms) linear.set(node, terms);
    const outputs = terms?.map((output) => evaluate(output, operands)) ?? [nonlinear(node, operands)];
    outputs.forEach((output, i) => {
      const name = node.outputs[i];
      if (name) values.set(name, output);
    });
  }
  return { values, linear };
}

/** What arrives at every value when `start` leaves the logits. */
export function relevance(
  model: Model,
  { values, linear }: Trace,
  start: Float64Array,
  ruleOf: (node: Node) => TwinRule,
): Map<string, Float64Array> {
  const arrived = new Map<string, Float64Array>([[model.graph.outputs[0]?.name ?? '', start]]);
  const add = (name: string, at: number, amount: number): void => {
    let held = arrived.get(name);
    if (!held) {
      held = new Float64Array(valueAt(values, name).data.length);
      arrived.set(name, held);
    }
    held[at] = (held[at] as number) + amount;
  };
  for (const node of [...model.graph.nodes].reverse()) {
    const terms = linear.get(node);
    node.outputs.forEach((output, i) => {
      const r = arrived.get(output);
      if (!r) return;
      if (isAttention(model, node)) {
        const operands = node.inputs.map((name) => valueAt(values, name));
        attentionBack(node, operands, valueAt(values, output), r, (input, at, amount) => {
          add(node.inputs[input] as string, at, amount);
        });
        return;
      }
      if (!terms) {
        nonlinearBack(model, node, values, r, add);
        return;
      }
      const rule = WEIGHTED.has(node.op)
        ? ruleOf(node)
        : SHARING.has(node.op)
          ? ({ kind: 'epsilon', epsilon: STABILISER } as const)
          : undefined;
      propagate(terms[i] as Linear, node, values, r, rule, add);
    });
  }
  return arrived;
}

type Values = ReadonlyMap<string, Doubles>;
type AddTo = (name: string, at: number, amount: number) => void;

/** Hands the relevance of each output element to the terms of its sum. Without a rule, all of it moves along. */
function propagate(
  linear: Linear,
  node: Node,
  values: Values,
  r: Float64Array,
  rule: TwinRule | undefined,
  add: AddTo,
) {
  const byOutput: Term[][] = Array.from(r, () => []);
  for (const term of linear.terms) (byOutput[term.out] as Term[]).push(term);
  byOutput.forEach((terms, out) => {
    const contributions = terms.map(
      ({ operand, at, weight }) =>
        weight * (valueAt(values, node.inputs[operand] as string).data[at] as number),
    );
    const shares = rule ? sharesOf(rule, contributions, linear.bias(out)) : terms.map(() => 1);
    terms.forEach(({ operand, at }, k) => {
      add(node.inputs[operand] as string, at, (shares[k] as number) * (r[out] as number));
    });
  });
}

/** The share of an output's relevance that each contribution takes. */
export function sharesOf(rule: TwinRule, contributions: readonly number[], bias: number): number[] {
  const total = (map: (c: number) => number): number =>
    contributions.reduce((sum, c) => sum + map(c), map(bias));
  const up = (c: number): number => Math.max(c, 0);
  const down = (c: number): number => Math.min(c, 0);
  const z = total((c) => c);
  switch (rule.kind) {
    case 'epsilon':
      return contributions.map((c) => c / (z + (z >= 0 ? rule.epsilon : -rule.epsilon)));
    case 'gamma': {
      if (z === 0) return contributions.map(() => 0);
      const favoured = z > 0 ? up : down;
      const tilted = (c: number): number => c + rule.gamma * favoured(c);
      const denominator = total(tilted) + Math.sign(z) * rule.epsilon;
      return contributions.map((c) => tilted(c) / denominator);
    }
    case 'alpha-beta': {
      const [raised, lowered] = [total(up) + rule.epsilon, total(down) - rule.epsilon];
      return contributions.map((c) => (rule.alpha * up(c)) / raised - (rule.beta * down(c)) / lowered);
    }
  }
}

function evaluate(linear: Linear, operands: readonly Doubles[]): Doubles {
  const result = zeros(linear.dims);
  for (let out = 0; out < result.data.length; out++) result.data[out] = linear.bias(out);
  for (const { out, operand, at, weight } of linear.terms) {
    result.data[out] = (result.data[out] as number) + weight * (operands[operand]?.data[at] as number);
  }
  return result;
}

function nonlinear(node: Node, [x, y]: readonly Doubles[]): Doubles {
  const input = x as Doubles;
  const each = (f: (value: number) => number): Doubles => ({ dims: input.dims, data: input.data.map(f) });
  switch (node.op) {
    case 'Relu':
      return each((value) => Math.max(0, value));
    case 'LeakyRelu':
      return each((value) => (value > 0 ? value : floatOf(node, 'alpha', 0.01) * value));
    case 'Sigmoid':
      return each((value) => 1 / (1 + Math.exp(-value)));
    case 'Exp':
      return each(Math.exp);
    case 'Tanh':
      return each(Math.tanh);
    case 'Clip':
      return each((value) => Math.min(6, Math.max(0, value)));
    case 'Mul':
    case 'Div': {
      const other = y as Doubles;
      const dims = broadcastDims(input.dims, other.dims);
      const data = positions(dims).map(
        (p) =>
          (input.data[flatOf(broadcastPosition(p, input.dims), input.dims)] as number) *
          (other.data[flatOf(broadcastPosition(p, other.dims), other.dims)] as number) **
            (node.op === 'Mul' ? 1 : -1),
      );
      return { dims, data: Float64Array.from(data) };
    }
    default:
      throw new Error(`the reference does not know ${node.op}`);
  }
}

/**
 * Activations hand all of it on. A product gives it to the signal, not to a constant or a gate (Arras et al., 2017);
 * tanh is the signal of a sigmoid, and the gate of anything else. A quotient gives it to what is not constant.
 */
function nonlinearBack(model: Model, node: Node, values: Values, r: Float64Array, add: AddTo): void {
  const [first, second] = node.inputs as [string, string];
  if (node.op !== 'Mul' && node.op !== 'Div') {
    r.forEach((amount, at) => {
      add(first, at, amount);
    });
    return;
  }
  const signal = takesAll(model, node.op, first, second) ? first : second;
  const { dims } = valueAt(values, signal);
  positions(valueAt(values, node.outputs[0] as string).dims).forEach((p, out) => {
    add(signal, flatOf(broadcastPosition(p, dims), dims), r[out] as number);
  });
}

/** The operator that shapes a factor, seen through constant factors and changes of shape. */
function squashedBy(graph: Model['graph'], name: string): string {
  const maker = graph.nodes.find(({ outputs }) => outputs.includes(name));
  const computed = maker?.inputs.filter((input) => !graph.constants.has(input)) ?? [];
  const scales = (maker?.op === 'Mul' || maker?.op === 'Div') && computed.length === 1;
  const dividesConstant = maker?.op === 'Div' && computed[0] !== maker.inputs[0];
  const reshapes = ['Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Expand', 'Cast'].includes(
    maker?.op ?? '',
  );
  return (scales && !dividesConstant) || reshapes
    ? squashedBy(graph, computed[0] as string)
    : (maker?.op ?? '');
}

/** Whether the first of two factors takes all. */
function takesAll({ graph }: Model, op: 'Mul' | 'Div', first: string, second: string): boolean {
  if (graph.constants.has(first)) return false;
  if (graph.constants.has(second) || op === 'Div') return true;
  const [a, b] = [first, second].map((name) => squashedBy(graph, name));
  const squashes = (maker = ''): boolean => ['Sigmoid', 'HardSigmoid', 'Softmax', 'Clip'].includes(maker);
  if (squashes(a)) return squashes(b);
  return a !== 'Tanh' || squashes(b) || b === 'Tanh';
}

function valueAt(values: Values, name: string): Doubles {
  const value = values.get(name);
  if (!value) throw new Error(`no value ${name}`);
  return value;
}
