// The state of one cut: the positions that stay of every value, and constants that are replaced without changing other
// readers.
import type { Constant } from '../onnx/index.ts';
import {
  type Graph,
  GraphBuilder,
  integersLike,
  ints,
  type Node,
  readsOf,
  sliceAxis,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { Grouping, ValueChannels } from './groups.ts';

/** Workspace of cutting rules. The graph is the copy that is being cut. */
export class Cut {
  readonly graph: Graph;
  readonly opset: number;
  /** Positions that stay on a value's channel axis, in their new order; undefined when nothing changes. */
  readonly positions: (value: string) => number[] | undefined;
  readonly #grouping: Grouping;
  readonly #builder: GraphBuilder;
  readonly #uses = new Map<string, number>();
  readonly #made = new Map<string, string>();

  constructor(
    graph: Graph,
    opset: number,
    grouping: Grouping,
    positions: (value: string) => number[] | undefined,
  ) {
    this.graph = graph;
    this.opset = opset;
    this.positions = positions;
    this.#grouping = grouping;
    this.#builder = new GraphBuilder(graph);
    for (const output of graph.outputs) this.#use(output.name, 1);
    for (const node of graph.nodes) for (const name of readsOf(node)) this.#use(name, 1);
  }

  channels(value: string | undefined): ValueChannels | undefined {
    return value ? this.#grouping.values.get(value) : undefined;
  }

  /** The shape of a value before the cut, for one sample. */
  shape(value: string | undefined): readonly number[] | undefined {
    return value ? this.#grouping.shapes.get(value) : undefined;
  }

  /** The positions that stay, listed even where all do. */
  allPositions(value: string): number[] {
    const size = this.channels(value)?.group.length ?? 0;
    return this.positions(value) ?? Array.from({ length: size }, (_, i) => i);
  }

  /** Keeps only some positions of axes of the constant at an input; `undefined` keeps an axis whole. */
  slice(node: Node, input: number, axes: Readonly<Record<number, readonly number[] | undefined>>): void {
    const cuts = Object.entries(axes).filter(([, positions]) => positions !== undefined);
    if (cuts.length === 0) return;
    const key = cuts.map(([axis, positions]) => `${axis}:${positions?.join()}`).join(';');
    this.#replace(node, input, key, (old) =>
      cuts.reduce((tensor, [axis, positions]) => sliceAxis(tensor, Number(axis), positions ?? []), old),
    );
  }

  /** Writes integers where the node has them: into a constant input or an attribute. */
  setInts(node: Node, input: number, attribute: string, values: readonly number[]): void {
    if (node.inputs[input]) {
      this.#replace(node, input, `=${values.join()}`, (old) => integersLike(old, values, old.dims));
    } else {
      node.attributes.set(attribute, ints(values));
    }
  }

  /** Replaces the constant at an input by a list of indices of another length. */
  setIndices(node: Node, input: number, indices: readonly number[]): void {
    this.#replace(node, input, `=${indices.join()}`, (old) => integersLike(old, indices));
  }

  /** Adds an int64 constant as one more input. */
  addInts(node: Node, input: number, values: readonly number[]): void {
    while (node.inputs.length < input) node.inputs.push('');
    node.inputs[input] = this.#builder.ints(values);
    this.#use(node.inputs[input], 1);
  }

  /** Replaces a constant with a single reader under its name. A shared one is copied, once for each result. */
  #replace(node: Node, input: number, key: string, make: (old: Constant) => Constant): void {
    const name = node.inputs[input] ?? '';
    const old = must(this.graph.constants.get(name), `'${name}' is no constant`);
    let copy = this.#made.get(`${name}|${key}`);
    if (copy === undefined && this.#uses.get(name) === 1) {
      this.graph.constants.set(name, make(old));
      return;
    }
    copy ??= this.#builder.constant(make(old), name);
    this.#made.set(`${name}|${key}`, copy);
    node.inputs[input] = copy;
    this.#use(copy, 1);
    this.#use(name, -1);
    if (this.#uses.get(name) === 0) this.graph.constants.delete(name);
  }

  #use(name: string, by: number): void {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + by);
  }
}
