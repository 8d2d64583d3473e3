// The workspace in which nodes of eight-bit numbers are written anew in float32.
import { BedsideError } from '../../util/index.ts';
import {
  type Attribute,
  type Constant,
  float,
  floatConstant,
  type Graph,
  type Model,
  type Node,
} from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { describeNode } from '../ops.ts';
import { type Known, knownOf } from '../shapes/known.ts';

/** How a value's integers mean numbers: `(integer - zero) * scale`. */
export interface Quantisation {
  readonly scale: number;
  readonly zero: number;
}

/** Operators that hand on numbers as they are, so that what they mean is the same behind them. */
const MOVING: ReadonlySet<string> = new Set([
  ...[
    'Identity',
    'Reshape',
    'Flatten',
    'Squeeze',
    'Unsqueeze',
    'Transpose',
    'MaxPool',
    'Slice',
    'Gather',
    'Split',
  ],
  ...['Concat', 'Expand', 'Tile', 'DepthToSpace', 'SpaceToDepth', 'Resize', 'Upsample', 'GlobalMaxPool'],
]);

/** The refusal of a node. */
export function noForm(node: Node, name: string, why: string): BedsideError {
  return new BedsideError(
    'E_UNSUPPORTED',
    `${name}: ${describeNode(node)} computes with eight bits: ${why}`,
    {
      hint: 'use the network as it was before it was quantised',
    },
  );
}

/** The workspace: nodes are read in order, and written anew. */
export class Dequantiser {
  readonly #graph: Graph;
  readonly #model: string;
  readonly #names: NameAllocator;
  readonly #opset: number;
  readonly #nodes: Node[] = [];
  readonly #renamed = new Map<string, string>();
  readonly #quantised = new Map<string, Quantisation>();
  readonly #outputs: ReadonlySet<string>;

  constructor({ graph, opsets }: Model, name: string) {
    this.#graph = graph;
    this.#model = name;
    this.#names = NameAllocator.of(graph);
    this.#opset = opsets.get('') ?? opsets.get('ai.onnx') ?? 0;
    this.#outputs = new Set(graph.outputs.map((value) => value.name));
  }

  /** Converts every node, by its operator's entry or as one of plain numbers. */
  run(converters: ReadonlyMap<string, (scope: Dequantiser, node: Node) => void>): void {
    const graph = this.#graph;
    for (const node of graph.nodes) {
      node.inputs = node.inputs.map((name) => this.#renamed.get(name) ?? name);
      const convert = converters.get(node.op);
      if (convert) convert(this, node);
      else this.#other(node);
    }
    graph.nodes = this.#nodes;
    const bad = graph.outputs.find(({ name }) => this.#quantised.has(name));
    if (bad) {
      throw new BedsideError('E_UNSUPPORTED', `${this.#model}: output '${bad.name}' has eight bits`, {
        hint: 'export the network with outputs of float32',
      });
    }
    const read = new Set([...this.#outputs, ...graph.nodes.flatMap((node) => node.inputs)]);
    const inputs = new Set(graph.carried?.input.map((value) => value.name));
    for (const name of [...graph.constants.keys()]) {
      if (!read.has(name) && !inputs.has(name)) graph.constants.delete(name);
    }
    if (graph.carried) graph.carried = { ...graph.carried, valueInfo: [] };
  }

  /** A node of plain numbers; one that moves quantised ones gives quantised ones. */
  #other(node: Node): void {
    const read = node.inputs.filter((name) => this.#quantised.has(name));
    if (read.length > 0) {
      const [first, ...more] = read.map((name) => this.#quantised.get(name) as Quantisation);
      if (!first || !MOVING.has(node.op)) this.refuse(node, 'it reads quantised numbers');
      if (more.some((one) => one.scale !== first.scale || one.zero !== first.zero)) {
        this.refuse(node, 'it joins numbers of several scales');
      }
      for (const output of node.outputs) if (output) this.#quantised.set(output, first);
    }
    this.#nodes.push(node);
  }

  refuse(node: Node, why: string): never {
    throw noForm(node, this.#model, why);
  }

  /** A stored tensor as numbers; undefined where the value is computed. */
  known(name: string | undefined): Known | undefined {
    const constant = name ? this.#graph.constants.get(name) : undefined;
    return constant && knownOf(constant);
  }

  /** The one number of a stored scale or zero point; undefined where it is computed or there are several. */
  number(name: string | undefined, fallback: number): number | undefined {
    if (!name) return fallback;
    const known = this.known(name);
    return known?.data.length === 1 ? known.data[0] : undefined;
  }

  /** What a value's integers mean; undefined for plain numbers. */
  quantisationOf(name: string): Quantisation | undefined {
    return this.#quantised.get(name);
  }

  mark(name: string, quantisation: Quantisation): void {
    this.#quantised.set(name, quantisation);
  }

  constant(constant: Constant, hint: string): string {
    const name = this.#names.fresh(hint);
    this.#graph.constants.set(name, constant);
    return name;
  }

  /** Puts a constant under a name that a node made. */
  define(name: string, constant: Constant): void {
    this.#graph.constants.set(name, constant);
  }

  /** Another name for a value, under which readers and outputs find it. */
  alias(name: string, value: string): void {
    if (this.#outputs.has(name)) this.add('Identity', [value], name);
    else this.#renamed.set(name, value);
  }

  /** Adds a node that makes `output`, and returns it. */
  add(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Iterable<[string, Attribute]> = [],
  ): string {
    const node = { name: this.#names.fresh(`${output}_${op.toLowerCase()}`), op, domain: '' };
    this.#nodes.push({ ...node, inputs: [...inputs], outputs: [output], attributes: new Map(attributes) });
    return output;
  }

  fresh(hint: string): string {
    return this.#names.fresh(hint);
  }

  /** Keeps a value within what integers of a type can mean. */
  clip(
    value: string,
    output: string,
    { scale, zero }: Quantisation,
    [least, most]: readonly [number, number],
  ): void {
    const [low, high] = [(least - zero) * scale, (most - zero) * scale].map(Math.fround) as [number, number];
    if (this.#opset < 11) {
      this.add('Clip', [value], output, [
        ['min', float(low)],
        ['max', float(high)],
      ]);
      return;
    }
    const bounds = [low, high].map((bound) => this.constant(floatConstant([bound], []), `${output}_bound`));
    this.add('Clip', [value, ...bounds], output);
  }
}
