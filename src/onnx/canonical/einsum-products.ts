// An Einsum of two operands that is a plain matrix product becomes a MatMul between moves of axes, so that every pass
// sees a layer with weights, or the scores and sums of attention.

import { cloneModel, floatConstant, intConstant, ints, type Model, type Node, sizeOf } from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { opOf, stringAttribute } from '../ops.ts';
import { parseEquation } from '../shapes/einsum.ts';
import { inferShapes, symbolicShapes } from '../shapes/shapes.ts';
import { floatData, forgetShapes, removeDead } from '../surgery.ts';

/** The labels of an equation by the part that they play in a product. */
interface Parts {
  /** In both operands and the result. */
  readonly batch: readonly string[];
  readonly rows: readonly string[];
  readonly summed: readonly string[];
  readonly columns: readonly string[];
}

/**
 * A canonical model with such Einsums written as MatMul: both operands computed and one label each of rows, columns and
 * sums, or a constant on the right and any number of them. Others stay. Outputs are equal up to rounding.
 */
export function einsumProducts(model: Model): Model {
  if (!model.graph.nodes.some((node) => opOf(node) === 'Einsum')) return model;
  const result = cloneModel(model);
  const writer = new Writer(result, model);
  result.graph.nodes = model.graph.nodes.flatMap(
    (node) => (opOf(node) === 'Einsum' && writer.write(node)) || [node],
  );
  removeDead(result.graph);
  forgetShapes(result.graph, new Set(result.graph.nodes.flatMap(({ outputs }) => outputs)));
  return result;
}

class Writer {
  readonly #result: Model;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #open: ReturnType<typeof symbolicShapes>;
  readonly #names: NameAllocator;

  constructor(result: Model, model: Model) {
    this.#result = result;
    this.#shapes = inferShapes(model, 1);
    this.#open = symbolicShapes(model);
    this.#names = NameAllocator.of(result.graph);
  }

  /** The nodes in place of an Einsum, or undefined where it is no plain product. */
  write(node: Node): Node[] | undefined {
    const shapes = node.inputs.map((name) => this.#shapes.get(name));
    if (shapes.length !== 2 || !shapes.every((shape) => shape !== undefined)) return undefined;
    const equation = parseEquation(
      stringAttribute(node, 'equation', ''),
      shapes.map(({ length }) => length),
    );
    const [left, right] = equation?.operands ?? [];
    const parts = equation && left && right && partsOf(left, right, equation.result);
    if (!parts || !left || !right) return undefined;
    const [a = '', b = ''] = node.inputs;
    const weights = floatData(this.#result.graph, b);
    const single = [parts.rows, parts.summed, parts.columns].every(({ length }) => length === 1);
    if (weights ? parts.batch.length > 0 || parts.summed.length === 0 || parts.rows.length === 0 : !single) {
      return undefined;
    }
    const sizes = new Map<string, number>();
    left.forEach((label, axis) => {
      const size = this.#open.get(a)?.[axis];
      sizes.set(label, typeof size === 'number' ? size : -1);
    });
    right.forEach((label, axis) => {
      if (!left.includes(label)) sizes.set(label, shapes[1]?.[axis] as number);
    });
    const list = (labels: readonly string[]): number[] => labels.map((label) => sizes.get(label) as number);
    const nodes: Node[] = [];
    const add = (op: string, inputs: string[], attributes: Node['attributes'] = new Map()): string => {
      const output = this.#names.fresh(`${node.name}_${op}`);
      nodes.push({ name: output, op, domain: '', inputs, outputs: [output], attributes });
      return output;
    };
    const moved = (value: string, from: readonly string[], to: readonly string[]): string => {
      const perm = to.map((label) => from.indexOf(label));
      return perm.every((at, i) => at === i)
        ? value
        : add('Transpose', [value], new Map([['perm', ints(perm)]]));
    };
    const shaped = (value: string, target: readonly number[]): string =>
      add('Reshape', [value, this.#constant(node, intConstant(target))]);
    const { batch, rows, summed, columns } = parts;
    let x = moved(a, left, [...batch, ...rows, ...summed]);
    const open = [...list(rows), sizeOf(list(summed))];
    if (weights && (open.filter((size) => size === -1).length > 1 || list(summed).includes(-1)))
      return undefined;
    if (summed.length > 1) x = shaped(x, open);
    const y = weights
      ? this.#constant(
          node,
          permuted(weights, right, [...summed, ...columns], [sizeOf(list(summed)), sizeOf(list(columns))]),
        )
      : moved(b, right, [...batch, ...summed, ...columns]);
    // The product bears the Einsum's name: it is the layer.
    const product = this.#names.fresh(`${node.name}_product`);
    nodes.push({ ...node, op: 'MatMul', inputs: [x, y], outputs: [product], attributes: new Map() });
    const apart = columns.length === 1 ? product : shaped(product, [...list(rows), ...list(columns)]);
    moved(apart, [...batch, ...rows, ...columns], equation.result);
    (nodes.at(-1) as Node).outputs = [...node.outputs];
    return nodes;
  }

  #constant(node: Node, constant: Parameters<Model['graph']['constants']['set']>[1]): string {
    const name = this.#names.fresh(`${node.name}_constant`);
    this.#result.graph.constants.set(name, constant);
    return name;
  }
}

/** Undefined where a label repeats in an operand, or stands in one operand alone and not in the result. */
function partsOf(
  left: readonly string[],
  right: readonly string[],
  result: readonly string[],
): Parts | undefined {
  if ([left, right, result].some((labels) => new Set(labels).size < labels.length)) return undefined;
  const both = left.filter((label) => right.includes(label));
  const rows = left.filter((label) => !right.includes(label));
  const columns = right.filter((label) => !left.includes(label));
  if (![...rows, ...columns].every((label) => result.includes(label))) return undefined;
  return {
    batch: both.filter((label) => result.includes(label)),
    summed: both.filter((label) => !result.includes(label)),
    rows,
    columns,
  };
}

/** A constant with its axes in another order, and then of another shape. */
function permuted(
  { dims, data }: { readonly dims: readonly number[]; readonly data: Float32Array },
  from: readonly string[],
  to: readonly string[],
  shape: readonly number[],
): ReturnType<typeof floatConstant> {
  const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
  const sizes = to.map((label) => dims[from.indexOf(label)] as number);
  const steps = to.map((label) => strides[from.indexOf(label)] as number);
  const result = new Float32Array(data.length);
  for (let at = 0; at < result.length; at++) {
    let [rest, source] = [at, 0];
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      source += (rest % (sizes[axis] as number)) * (steps[axis] as number);
      rest = Math.floor(rest / (sizes[axis] as number));
    }
    result[at] = data[source] as number;
  }
  return floatConstant(result, shape);
}
