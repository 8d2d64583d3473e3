// Layer normalisation that exporters write out (mean, difference, square, mean, epsilon, root, quotient, scale, bias)
// becomes one LayerNormalization again, so that every pass sees what it is.

import { cloneModel, float, floatConstant, int, ints, type Model, type Node, sizeOf } from '../graph.ts';
import { intAttribute, intsParameter, opOf } from '../ops.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { floatData, forgetShapes, removeDead } from '../surgery.ts';
import { upgradeOpset } from '../upgrade/upgrade.ts';
import { Uses } from './fold-batch-norm.ts';

/** The operator set that has LayerNormalization. */
const NORM_OPSET = 17;

/** A normalisation found in a graph. */
interface Found {
  /** The nodes behind the quotient that belong to it, the last one first. */
  readonly last: Node;
  readonly x: string;
  /** Normalised axes, ascending. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly scale: Float32Array | undefined;
  readonly bias: Float32Array | undefined;
}

/**
 * A canonical model with every written-out normalisation over its last axes, or over one other axis, as one node (over
 * another axis between two Transposes). The model is then of operator set 17 at least. A model without any is returned
 * as it is, and so is one that cannot be written in that operator set. Outputs are equal up to rounding.
 */
export function fuseLayerNorm(model: Model): Model {
  if (!model.graph.nodes.some((node) => opOf(node) === 'ReduceMean')) return model;
  const shapes = inferShapes(model, 1);
  if (findAll(model, shapes).length === 0) return model;
  const result = atNormOpset(model, shapes);
  if (!result) return model;
  const { graph } = result;
  const uses = new Uses(graph);
  for (const found of findAll(result, shapes)) {
    const rank = shapes.get(found.x)?.length ?? 0;
    const axis = found.axes[0] as number;
    const widths = found.axes.map((at) => shapes.get(found.x)?.[at] ?? 0);
    const name = uses.names.fresh(`${found.last.name}_norm`);
    const constant = (hint: string, data: Float32Array): string => {
      const at = uses.names.fresh(`${name}_${hint}`);
      graph.constants.set(at, floatConstant(data, widths));
      return at;
    };
    const scale = found.scale ?? new Float32Array(sizeOf(widths)).fill(1);
    const parameters = [constant('scale', scale), ...(found.bias ? [constant('bias', found.bias)] : [])];
    const outer = axis + found.axes.length < rank;
    const order = Array.from({ length: rank }, (_, at) => at);
    const turned = [...order.filter((at) => at !== axis), axis];
    const [inside, outside] = [uses.names.fresh(`${name}_last`), uses.names.fresh(`${name}_norm`)];
    const [output = ''] = found.last.outputs;
    const node = (op: string, inputs: string[], to: string, attributes: Node['attributes']): Node => ({
      name: uses.names.fresh(`${name}_${op}`),
      op,
      domain: '',
      inputs,
      outputs: [to],
      attributes,
    });
    const attributes: Node['attributes'] = new Map([
      ['axis', int(outer ? rank - 1 : axis)],
      ['epsilon', float(found.epsilon)],
    ]);
    const back = order.map((at) => turned.indexOf(at));
    const made = outer
      ? [
          node('Transpose', [found.x], inside, new Map([['perm', ints(turned)]])),
          node('LayerNormalization', [inside, ...parameters], outside, attributes),
          node('Transpose', [outside], output, new Map([['perm', ints(back)]])),
        ]
      : [node('LayerNormalization', [found.x, ...parameters], output, attributes)];
    graph.nodes.splice(graph.nodes.indexOf(found.last), 1, ...made);
  }
  removeDead(graph);
  forgetShapes(graph, new Set(graph.nodes.flatMap(({ outputs }) => outputs)));
  return result;
}

/** A copy at operator set 17 at least, or undefined where some node cannot be written so. */
function atNormOpset(model: Model, shapes: ReadonlyMap<string, readonly number[]>): Model | undefined {
  try {
    const upgraded = cloneModel(upgradeOpset(model, (value) => shapes.get(value)));
    const version = upgraded.opsets.get('') ?? upgraded.opsets.get('ai.onnx') ?? 0;
    if (version >= NORM_OPSET) return upgraded;
    upgraded.opsets.delete('ai.onnx');
    upgraded.opsets.set('', NORM_OPSET);
    upgraded.irVersion = Math.max(upgraded.irVersion, 8);
    return upgraded;
  } catch {
    return undefined;
  }
}

function findAll(model: Model, shapes: ReadonlyMap<string, readonly number[]>): Found[] {
  const uses = new Uses(model.graph);
  return model.graph.nodes.flatMap((node) => find(uses, node, shapes) ?? []);
}

/** The normalisation whose quotient a node is. */
function find(uses: Uses, quotient: Node, shapes: ReadonlyMap<string, readonly number[]>): Found | undefined {
  if (opOf(quotient) !== 'Div') return undefined;
  const maker = (name: string | undefined): Node | undefined => uses.makers.get(name ?? '');
  const centred = maker(quotient.inputs[0]);
  const deviation = rootOf(uses, maker(quotient.inputs[1]));
  if (!centred || opOf(centred) !== 'Sub' || !deviation) return undefined;
  const [x = '', mean = ''] = centred.inputs;
  const rank = shapes.get(x)?.length ?? 0;
  const axes = meanAxes(uses, maker(mean), rank);
  if (!axes || maker(mean)?.inputs[0] !== x) return undefined;
  const variance = maker(deviation.variance);
  const square = maker(variance?.inputs[0]);
  const own = squareOf(uses, square);
  const base = maker(own);
  const same =
    base && opOf(base) === 'Sub' && base.inputs[0] === x && isMean(uses, base.inputs[1], x, axes, rank);
  if (!same || meanAxes(uses, variance, rank)?.join() !== axes.join()) return undefined;
  const ends = axes.every((axis, i) => axis === rank - axes.length + i);
  if (!ends && axes.length > 1) return undefined;
  const widths = shapes.get(x) ?? [];
  let last = quotient;
  const take = (op: 'Mul' | 'Add'): Float32Array | undefined => {
    const reader = uses.onlyReader(last.outputs[0] ?? '');
    if (!reader || opOf(reader) !== op) return undefined;
    const other = reader.inputs.find((name) => name !== last.outputs[0]);
    const constant = floatData(uses.graph, other);
    if (!constant || constant.dims.length > rank) return undefined;
    const lead = rank - constant.dims.length;
    const fits = widths.every(
      (size, axis) => (constant.dims[axis - lead] ?? 1) === (axes.includes(axis) ? size : 1),
    );
    if (!fits) return undefined;
    last = reader;
    return Float32Array.from(constant.data);
  };
  const scale = take('Mul');
  const bias = take('Add');
  return { last, x, axes, epsilon: deviation.epsilon, scale, bias };
}

/** sqrt(variance + epsilon), as a root or as a power of one half. */
function rootOf(uses: Uses, node: Node | undefined): { variance: string; epsilon: number } | undefined {
  if (!node) return undefined;
  const half = opOf(node) === 'Pow' && scalarOf(uses, node.inputs[1]) === 0.5;
  if (opOf(node) !== 'Sqrt' && !half) return undefined;
  const sum = uses.makers.get(node.inputs[0] ?? '');
  if (!sum || opOf(sum) !== 'Add') return undefined;
  const at = sum.inputs.findIndex((name) => uses.graph.constants.has(name));
  const epsilon = scalarOf(uses, sum.inputs[at]);
  return at < 0 || epsilon === undefined ? undefined : { variance: sum.inputs[1 - at] as string, epsilon };
}

/** The value whose square a node gives. */
function squareOf(uses: Uses, node: Node | undefined): string | undefined {
  if (!node) return undefined;
  const [a, b] = node.inputs;
  if (opOf(node) === 'Mul') return a === b ? a : undefined;
  return opOf(node) === 'Pow' && scalarOf(uses, b) === 2 ? a : undefined;
}

function isMean(
  uses: Uses,
  name: string | undefined,
  x: string,
  axes: readonly number[],
  rank: number,
): boolean {
  const node = uses.makers.get(name ?? '');
  return node?.inputs[0] === x && meanAxes(uses, node, rank)?.join() === axes.join();
}

/** The axes, ascending, of a mean that keeps them as 1. */
function meanAxes({ graph }: Uses, node: Node | undefined, rank: number): number[] | undefined {
  if (!node || opOf(node) !== 'ReduceMean' || intAttribute(node, 'keepdims', 1) === 0) return undefined;
  const given = node.inputs[1];
  if (given && !graph.constants.has(given)) return undefined;
  const axes = intsParameter(graph, node, 1, 'axes')?.map((axis) => (axis < 0 ? axis + rank : axis));
  return axes?.length ? axes.sort((a, b) => a - b) : undefined;
}

function scalarOf({ graph }: Uses, name: string | undefined): number | undefined {
  const data = floatData(graph, name)?.data;
  return data?.length === 1 ? data[0] : undefined;
}
