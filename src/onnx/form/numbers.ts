// A float32 model in the numbers of its file: weights stored in fewer bits, or all of it computed in another type.

import { roundTo } from '../codec/tensor-values.ts';
import { type Constant, cloneModel, ELEM, type Graph, int, type Model, type Node } from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { intAttribute } from '../ops.ts';
import { constantOfKnown } from '../shapes/known.ts';
import { inferValues } from '../shapes/shapes.ts';
import { outerSubgraphs } from '../subgraphs.ts';
import { WEIGHTED } from './float32.ts';
import type { FormNumbers, FormOutput } from './form.ts';

/** Why a model cannot be written in the numbers of its file. */
export class NotRestored extends Error {}

/** Inputs that are float32 whatever else a node computes with. */
const FLOAT_ONLY: ReadonlyMap<string, readonly number[]> = new Map([
  ['Resize', [1, 2]],
  ['Upsample', [1]],
]);
/** Operators that have no half numbers. */
const WIDE_OPERATORS: ReadonlySet<string> = new Set(['Range']);

/**
 * The model in the numbers of its file.
 * @param types element types of the file's inputs and outputs by name
 * @throws NotRestored with the reason
 */
export function inOwnNumbers(
  model: Model,
  numbers: FormNumbers,
  types: { readonly inputs: ReadonlyMap<string, number>; readonly outputs: readonly FormOutput[] },
): Model {
  const result = cloneModel(model);
  if (numbers.computes) new Narrowing(result, numbers).run(types);
  else storeNarrow(result.graph, numbers);
  return result;
}

/** Weights of layers are stored in the other type, and a cast in front of the layer makes them float32. */
function storeNarrow(graph: Graph, { elemType, stores }: FormNumbers): void {
  if (!stores.matrices) throw new NotRestored('only some of its weights were');
  const names = NameAllocator.of(graph);
  const casts: Node[] = [];
  const cast = new Map<string, string>();
  for (const node of graph.nodes) {
    const first = WEIGHTED.get(node.op);
    if (first === undefined) continue;
    node.inputs = node.inputs.map((name, i) => {
      const constant = i < first ? undefined : graph.constants.get(name);
      if (constant?.type !== 'float32' || (constant.dims.length < 2 && !stores.vectors)) return name;
      const known = cast.get(name);
      if (known !== undefined) return known;
      const stored = names.fresh(`${name}_stored`);
      graph.constants.set(stored, narrowed(constant, elemType, name));
      casts.push(castNode(names, stored, name, ELEM.float32));
      cast.set(name, name);
      return name;
    });
  }
  for (const name of cast.keys()) graph.constants.delete(name);
  graph.nodes.unshift(...casts);
}

function narrowed({ dims, data }: Constant & { type: 'float32' }, elemType: number, name: string): Constant {
  const rounded = Float64Array.from(data, (value) => roundTo(elemType, value));
  const lost = rounded.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(data[i]));
  if (lost >= 0) throw new NotRestored(`'${name}' holds ${data[lost]}, which is beyond its range`);
  const constant = constantOfKnown({ elemType, dims, data: rounded });
  if (!constant) throw new NotRestored(`'${name}' cannot be stored so`);
  return constant;
}

function castNode(names: NameAllocator, from: string, to: string, elemType: number): Node {
  return {
    name: names.fresh(`${to}_cast`),
    op: 'Cast',
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: new Map([['to', int(elemType)]]),
  };
}

/** Writes every node in the file's type, with casts where a value is of another one than its reader wants. */
class Narrowing {
  readonly #graph: Graph;
  readonly #numbers: FormNumbers;
  readonly #names: NameAllocator;
  /** Element types in the float32 model. */
  readonly #types: ReadonlyMap<string, number>;
  /** The present type of values with fractions. */
  readonly #now = new Map<string, number>();
  readonly #copies = new Map<string, string>();
  readonly #nodes: Node[] = [];

  constructor(model: Model, numbers: FormNumbers) {
    this.#graph = model.graph;
    this.#numbers = numbers;
    this.#names = NameAllocator.of(model.graph);
    if (outerSubgraphs(model.graph).length > 0 && numbers.elemType !== ELEM.float32) {
      throw new NotRestored('it has subgraphs');
    }
    this.#types = inferValues(model, 2).types;
  }

  run({ inputs, outputs }: Parameters<typeof inOwnNumbers>[2]): void {
    const graph = this.#graph;
    for (const value of graph.inputs) {
      const own = inputs.get(value.name) ?? value.elemType;
      value.elemType = own;
      if (this.#types.get(value.name) === ELEM.float32) this.#now.set(value.name, own);
    }
    for (const node of graph.nodes) this.#write(node);
    for (const value of graph.outputs) {
      const wanted = outputs.find(({ name }) => name === value.name)?.elemType ?? value.elemType;
      const now = this.#now.get(value.name);
      value.elemType = wanted;
      if (now !== undefined && now !== wanted) this.#castOutput(value.name, wanted);
    }
    graph.nodes = this.#nodes;
    const read = new Set(graph.nodes.flatMap((node) => node.inputs));
    for (const { name } of graph.outputs) read.add(name);
    for (const name of [...graph.constants.keys()]) if (!read.has(name)) graph.constants.delete(name);
    if (graph.carried) graph.carried = { ...graph.carried, valueInfo: [] };
  }

  #write(node: Node): void {
    const { elemType, wide } = this.#numbers;
    const isWide = wide.includes(node.outputs[0] ?? '') || WIDE_OPERATORS.has(node.op);
    const own = isWide ? ELEM.float32 : elemType;
    node.inputs = node.inputs.map((name, i) => {
      const isFloat = FLOAT_ONLY.get(node.op)?.includes(i) ?? false;
      return name === '' ? '' : this.#as(name, isFloat ? ELEM.float32 : own, node);
    });
    if (node.op === 'Cast' && intAttribute(node, 'to', 0) === ELEM.float32)
      node.attributes.set('to', int(own));
    for (const [key, attribute] of node.attributes) {
      if (attribute.type !== 'tensor' || attribute.value.type !== 'float32' || isWide) continue;
      node.attributes.set(key, { type: 'tensor', value: narrowed(attribute.value, elemType, node.name) });
    }
    for (const name of node.outputs) {
      if (name === '') continue;
      const type = this.#types.get(name);
      if (type === undefined && elemType !== ELEM.float32) {
        throw new NotRestored(`the type of '${name}' is not known`);
      }
      if (type === ELEM.float32) this.#now.set(name, own);
    }
    this.#nodes.push(node);
  }

  /** A value in a type: itself, a copy of a constant, or behind a cast. */
  #as(name: string, wanted: number, reader: Node): string {
    const constant = this.#graph.constants.get(name);
    if (constant && constant.type !== 'float32') return name;
    const now = constant ? ELEM.float32 : this.#now.get(name);
    if (now === undefined || now === wanted) return name;
    // Whatever a Cast reads, it casts.
    if (reader.op === 'Cast' && !constant) return name;
    const key = `${wanted}:${name}`;
    const known = this.#copies.get(key);
    if (known !== undefined) return known;
    const copy = this.#names.fresh(`${name}_${wanted === ELEM.float32 ? 'wide' : 'narrow'}`);
    if (constant) this.#graph.constants.set(copy, narrowed(constant, wanted, name));
    else this.#nodes.push(castNode(this.#names, name, copy, wanted));
    this.#copies.set(key, copy);
    return copy;
  }

  #castOutput(name: string, wanted: number): void {
    const inner = this.#names.fresh(`${name}_inner`);
    const rename = (other: string): string => (other === name ? inner : other);
    for (const node of this.#nodes) {
      node.inputs = node.inputs.map(rename);
      node.outputs = node.outputs.map(rename);
    }
    this.#nodes.push(castNode(this.#names, inner, name, wanted));
  }
}
