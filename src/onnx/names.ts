// Names that a graph may still be given: the one place that hands out new ones.

import type { GraphProto, NodeProto } from './codec/onnx_pb.ts';
import type { Graph } from './graph.ts';
import { graphsOf, outerSubgraphs } from './subgraphs.ts';

/**
 * Every name in a graph, of values and of nodes, at any depth of its subgraphs, or in the data carried beside it
 * (sparse initializers, declared shapes). Values and nodes share one set, since a node is often named after its output.
 */
export function namesIn(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const value of graph.inputs) names.add(value.name);
  for (const value of graph.outputs) names.add(value.name);
  for (const name of graph.constants.keys()) names.add(name);
  for (const node of graph.nodes) {
    names.add(node.name);
    for (const name of node.inputs) names.add(name);
    for (const name of node.outputs) names.add(name);
  }
  addInner(names, outerSubgraphs(graph));
  for (const value of graph.carried?.valueInfo ?? []) names.add(value.name ?? '');
  for (const value of graph.carried?.input ?? []) names.add(value.name ?? '');
  for (const sparse of graph.carried?.sparseInitializer ?? []) names.add(sparse.values?.name ?? '');
  return names;
}

/** Adds the names of subgraphs and of those inside them; a list instead of recursion, so that depth costs no stack. */
function addInner(names: Set<string>, waiting: GraphProto[]): void {
  for (let graph = waiting.pop(); graph; graph = waiting.pop()) {
    for (const values of [graph.input, graph.output, graph.valueInfo]) {
      for (const { name } of values) names.add(name ?? '');
    }
    for (const tensor of graph.initializer) names.add(tensor.name ?? '');
    for (const sparse of graph.sparseInitializer) names.add(sparse.values?.name ?? '');
    for (const node of graph.node) {
      addNode(names, node);
      for (const inner of graphsOf(node.attribute)) waiting.push(inner);
    }
  }
}

function addNode(names: Set<string>, node: NodeProto): void {
  names.add(node.name ?? '');
  for (const name of node.input) names.add(name);
  for (const name of node.output) names.add(name);
}

/** Hands out names that no other value or node of a graph has. */
export class NameAllocator {
  readonly #taken: Set<string>;
  /** For each hint, the number to try next, so that many names of one hint take linear time. */
  readonly #next = new Map<string, number>();

  constructor(taken: Set<string>) {
    this.#taken = taken;
  }

  /** One for a graph as it is now. */
  static of(graph: Graph): NameAllocator {
    return new NameAllocator(namesIn(graph));
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** Takes a name that was given elsewhere. */
  take(name: string): void {
    this.#taken.add(name);
  }

  /** The hint, or the hint with the first number that makes it new. */
  fresh(hint: string): string {
    let name = hint;
    let number = this.#next.get(hint) ?? 1;
    for (; this.#taken.has(name) || name === ''; number++) name = `${hint}_${number}`;
    this.#next.set(hint, number);
    this.#taken.add(name);
    return name;
  }
}
