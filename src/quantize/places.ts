// Which nodes compute with integers and which values are quantised, so that what ONNX Runtime fuses into its integer
// kernels is complete: a node counts only if all that it reads and gives is quantised.
import type { Model } from '../onnx/index.ts';
import {
  consumers,
  describeNode,
  floatAttribute,
  type Graph,
  intAttribute,
  type Node,
  opOf,
  producers,
} from '../onnx/internal.ts';
import { keptReason, movesNumbers, rescalesNumbers } from './operators.ts';

/** The bounds that a Relu or Clip behind a node sets; they become the range of its integers. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** A value that is quantised. */
export interface QuantizedValue {
  readonly name: string;
  /** Whether an integer node gives it; other values are rounded where integer nodes read them. */
  readonly born: boolean;
  /** The value whose scale it has: the first of those that nodes only move. */
  readonly source: string;
  readonly bounds: Bounds | undefined;
}

/** Something that stays in float32, and why. */
export interface KeptFloat {
  readonly name: string;
  readonly reason: string;
}

/** The integer part of a network. */
export interface IntegerPlaces {
  /** Layers with integer weights, by name, in execution order. */
  readonly layers: readonly string[];
  /** All integer nodes. */
  readonly nodes: ReadonlySet<Node>;
  /** In execution order. */
  readonly values: ReadonlyMap<string, QuantizedValue>;
  /** Relu and Clip nodes that became ranges, by the value that they read. */
  readonly folded: ReadonlyMap<string, Node>;
  readonly kept: readonly KeptFloat[];
}

/**
 * Decides what of a canonical model computes with integers.
 * @param keepFloat layers that stay in float32, with the reason
 */
export function integerPlaces(
  model: Model,
  keepFloat: ReadonlyMap<string, string> = new Map(),
): IntegerPlaces {
  return new Search(model, keepFloat).run();
}

class Search {
  readonly #graph: Graph;
  readonly #readers: Map<string, Node[]>;
  readonly #makers: Map<string, Node>;
  readonly #outputs: ReadonlySet<string>;
  readonly #keepFloat: ReadonlyMap<string, string>;
  readonly #folded = new Map<string, Node>();
  readonly #wanted = new Map<string, boolean>();

  constructor({ graph }: Model, keepFloat: ReadonlyMap<string, string>) {
    this.#graph = graph;
    this.#readers = consumers(graph);
    this.#makers = producers(graph);
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#keepFloat = keepFloat;
  }

  run(): IntegerPlaces {
    const nodes = new Set<Node>();
    const values = new Map<string, QuantizedValue>();
    const kept: KeptFloat[] = [];
    const layers: string[] = [];
    for (const node of this.#graph.nodes) {
      const reason = this.#keepFloat.get(node.name) ?? keptReason(this.#graph, node);
      if (reason !== undefined) kept.push({ name: node.name, reason });
      if (!this.#isInteger(node, values)) continue;
      nodes.add(node);
      if (this.#isLayer(node)) layers.push(node.name);
      for (const input of this.#dataOf(node)) {
        if (!values.has(input))
          values.set(input, { name: input, born: false, source: input, bounds: undefined });
      }
      const [first = ''] = this.#dataOf(node);
      for (const output of node.outputs.filter(Boolean)) this.#give(node, output, first, values);
    }
    for (const value of this.#folded.keys())
      if (!nodes.has(this.#makers.get(value) as Node)) this.#folded.delete(value);
    return { layers, nodes, values, folded: this.#folded, kept };
  }

  /** Marks what an integer node gives, unless it is better left in float32. */
  #give(node: Node, output: string, input: string, values: Map<string, QuantizedValue>): void {
    if (isDense(node) && !this.#isWanted(output, true)) return;
    const isMoved = movesNumbers(this.#graph, node);
    const from = values.get(input);
    const clamp = this.#clampBehind(output);
    const bounds = clamp && boundsOf(this.#graph, clamp);
    const folds = clamp && (!isMoved || (from !== undefined && this.#isReadOnce(input, from.source)));
    const name = folds ? (clamp.outputs[0] as string) : output;
    if (folds) this.#folded.set(output, clamp);
    if (!isMoved) {
      values.set(name, { name, born: true, source: name, bounds });
      return;
    }
    values.set(name, { name, born: true, source: from?.source ?? input, bounds: undefined });
    // Clamping and moving may change places.
    const origin = folds && from && values.get(from.source);
    if (origin) values.set(origin.name, { ...origin, bounds: within(origin.bounds, bounds) });
  }

  /** Whether nothing else reads a value and those that it was moved from, back to its source. */
  #isReadOnce(value: string, source: string): boolean {
    for (let at = value; ; ) {
      if (this.#readers.get(at)?.length !== 1 || this.#outputs.has(at)) return false;
      if (at === source) return true;
      const maker = this.#makers.get(at);
      const next = maker?.inputs[0];
      if (!next) return false;
      at = next;
    }
  }

  #isLayer(node: Node): boolean {
    return isLayer(this.#graph, node) && !this.#keepFloat.has(node.name);
  }

  #isInteger(node: Node, values: ReadonlyMap<string, QuantizedValue>): boolean {
    if (this.#isLayer(node)) return true;
    if (!this.#isPassage(node)) return false;
    const isBorn = this.#dataOf(node).some((name) => values.get(name)?.born);
    return isBorn && node.outputs.some((name) => name && this.#isWanted(name));
  }

  /** Whether a node could hand integers on. */
  #isPassage(node: Node): boolean {
    return movesNumbers(this.#graph, node) || rescalesNumbers(this.#graph, node);
  }

  #dataOf(node: Node): string[] {
    if (isLayer(this.#graph, node) || movesNumbers(this.#graph, node)) return [node.inputs[0] as string];
    return [...new Set(node.inputs.filter(Boolean))];
  }

  /**
   * Whether integers are read behind a value.
   * @param byAll by all readers, and none else
   */
  #isWanted(value: string, byAll = false): boolean {
    const key = `${byAll}:${value}`;
    const known = this.#wanted.get(key);
    if (known !== undefined) return known;
    this.#wanted.set(key, false);
    const readers = this.#readers.get(value) ?? [];
    const reads = (node: Node): boolean => {
      if (this.#isLayer(node)) return node.inputs[0] === value;
      if (this.#clampBehind(value) === node || this.#isPassage(node)) {
        return node.outputs.some((name) => name && this.#isWanted(name, byAll));
      }
      return false;
    };
    const isPinned = byAll && this.#outputs.has(value);
    const found = byAll ? readers.length > 0 && !isPinned && readers.every(reads) : readers.some(reads);
    this.#wanted.set(key, found);
    return found;
  }

  /** The Relu or Clip that alone reads a value. */
  #clampBehind(value: string): Node | undefined {
    const [node, ...more] = this.#readers.get(value) ?? [];
    if (!node || more.length > 0 || this.#outputs.has(value)) return undefined;
    return isClamp(this.#graph, node) ? node : undefined;
  }
}

/** Whether a node is a layer that has integer kernels. */
export function isLayer(graph: Graph, node: Node): boolean {
  const weight = graph.constants.get(node.inputs[1] ?? '');
  if (weight?.type !== 'float32' || graph.constants.has(node.inputs[0] ?? '')) return false;
  const bias = node.inputs[2];
  if (bias && graph.constants.get(bias)?.type !== 'float32') return false;
  switch (opOf(node)) {
    case 'Conv':
      return true;
    case 'Gemm':
      return intAttribute(node, 'transA', 0) === 0;
    case 'MatMul':
      return weight.dims.length === 2;
    default:
      return false;
  }
}

function isDense(node: Node): boolean {
  return node.op === 'Gemm' || node.op === 'MatMul';
}

function isClamp(graph: Graph, node: Node): boolean {
  return opOf(node) === 'Relu' || (opOf(node) === 'Clip' && boundsOf(graph, node) !== undefined);
}

/** The bounds of a Relu or Clip around 0; undefined where they are computed, or leave out 0. */
export function boundsOf(graph: Graph, node: Node): Bounds | undefined {
  if (opOf(node) === 'Relu') return { low: 0, high: Number.POSITIVE_INFINITY };
  const bound = (index: number, attribute: string, open: number): number | undefined => {
    const name = node.inputs[index];
    if (!name) return floatAttribute(node, attribute, open);
    const constant = graph.constants.get(name);
    return constant?.type === 'float32' && constant.data.length === 1 ? constant.data[0] : undefined;
  };
  const low = bound(1, 'min', Number.NEGATIVE_INFINITY);
  const high = bound(2, 'max', Number.POSITIVE_INFINITY);
  return low !== undefined && high !== undefined && low <= 0 && high >= 0 ? { low, high } : undefined;
}

function within(a: Bounds | undefined, b: Bounds | undefined): Bounds | undefined {
  if (!a || !b) return a ?? b;
  return { low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) };
}

/** How a node is called in messages where it has no name. */
export function nameOf(node: Node): string {
  return node.name || describeNode(node);
}
