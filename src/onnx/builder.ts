// Adds nodes and constants to a graph under fresh names.
import {
  type Attribute,
  type Constant,
  type Dim,
  ELEM,
  floatConstant,
  type Graph,
  intConstant,
  type Model,
  type Value,
} from './graph.ts';
import { NameAllocator } from './names.ts';

/** Appends to a graph; every method that makes a value returns its name. */
export class GraphBuilder {
  readonly graph: Graph;
  readonly #names: NameAllocator;
  readonly #shared = new Map<string, string>();
  readonly #weights = new Map<Float32Array, { readonly name: string; readonly dims: readonly number[] }[]>();

  /** Starts from `graph` (which is changed in place), or from an empty one. */
  constructor(graph: Graph = { name: 'bedside', inputs: [], outputs: [], nodes: [], constants: new Map() }) {
    this.graph = graph;
    this.#names = NameAllocator.of(graph);
  }

  /** A name that no value and no node of the graph has, at any depth. */
  fresh(hint: string): string {
    return this.#names.fresh(hint);
  }

  /** Adds an input, float32 unless said otherwise; its name is changed if it is taken. */
  input(hint: string, dims: readonly Dim[], elemType: number = ELEM.float32): string {
    const name = this.fresh(hint);
    this.graph.inputs.push({ name, elemType, dims });
    return name;
  }

  /** Declares an existing value as a graph output. */
  output(name: string, dims: readonly Dim[] | undefined, elemType: number = ELEM.float32): Value {
    const value: Value = { name, elemType, dims };
    this.graph.outputs.push(value);
    return value;
  }

  /** Adds a constant. */
  constant(constant: Constant, hint = 'const'): string {
    const name = this.fresh(hint);
    this.graph.constants.set(name, constant);
    return name;
  }

  /** A float constant that is added once for an array: layers of unrolled steps apply the same weights. */
  weights(data: Float32Array, dims: readonly number[], hint: string): string {
    const known = this.#weights.get(data)?.find((one) => one.dims.join() === dims.join());
    if (known) return known.name;
    const name = this.constant(floatConstant(data, dims), hint);
    this.#weights.set(data, [...(this.#weights.get(data) ?? []), { name, dims }]);
    return name;
  }

  /** A scalar (rank 0) float constant, shared between uses. */
  scalar(value: number): string {
    return this.#share(`f:${value}`, () => this.constant(floatConstant([value], []), 'scalar'));
  }

  /** A one-axis int64 constant, shared between uses. */
  ints(values: readonly number[]): string {
    return this.#share(`i:${values.join()}`, () => this.constant(intConstant(values), 'ints'));
  }

  /** Adds a node with one output. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    hint = op.toLowerCase(),
  ): string {
    return this.nodes(op, inputs, attributes, [hint])[0] as string;
  }

  /** Adds a node with several outputs, one for each hint. */
  nodes(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    hints: readonly string[],
  ): string[] {
    const outputs = hints.map((hint) => this.fresh(hint));
    this.graph.nodes.push({
      name: outputs[0] ?? '',
      op,
      domain: '',
      inputs: [...inputs],
      outputs: [...outputs],
      attributes: new Map(Object.entries(attributes)),
    });
    return outputs;
  }

  /** The finished model. */
  model(opset = 17, irVersion = 8): Model {
    return { irVersion, opsets: new Map([['', opset]]), graph: this.graph };
  }

  #share(key: string, make: () => string): string {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.#shared.set(key, name);
    return name;
  }
}
