// Checks that every value of a graph is made exactly once, and puts nodes in execution order.
import { BedsideError } from '../util/index.ts';
import type { GraphProto } from './codec/onnx_pb.ts';
import type { Graph, Node } from './graph.ts';
import { describeNode } from './ops.ts';
import { graphsOf } from './subgraphs.ts';

/** Every value a node reads: its inputs, and outer values read inside its subgraphs (If, Loop, Scan). */
export function readsOf(node: Node): string[] {
  const reads = node.inputs.filter((name) => name !== '');
  for (const attribute of node.attributes.values()) {
    if (attribute.type !== 'other') continue;
    for (const graph of graphsOf([attribute.carried])) for (const name of outerReads(graph)) reads.push(name);
  }
  return reads;
}

/** Names that the graph gives a value without a node: inputs, constants and sparse initializers. */
export function givenNames(graph: Graph): Set<string> {
  const names = new Set(graph.constants.keys());
  for (const input of graph.inputs) names.add(input.name);
  for (const sparse of graph.carried?.sparseInitializer ?? []) {
    if (sparse.values?.name) names.add(sparse.values.name);
  }
  return names;
}

/**
 * Puts the nodes in execution order (stable: an order that works is kept).
 * @throws BedsideError E_MODEL when a value is made twice, read but never made, or made from itself
 */
export function sortNodes(graph: Graph, model: string): void {
  const made = new Map<string, number>();
  const given = givenNames(graph);
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) {
      if (!name) continue;
      if (made.has(name) || given.has(name)) throw broken(`${model}: value '${name}' is made more than once`);
      made.set(name, index);
    }
  });
  const waiting: number[] = [];
  const readers = new Map<number, number[]>();
  graph.nodes.forEach((node, index) => {
    const sources = new Set<number>();
    for (const name of readsOf(node)) {
      if (given.has(name)) continue;
      const source = made.get(name);
      if (source === undefined) {
        throw broken(`${model}: ${describeNode(node)} reads '${name}', which nothing makes`);
      }
      sources.add(source);
    }
    waiting[index] = sources.size;
    for (const source of sources) {
      const list = readers.get(source);
      if (list) list.push(index);
      else readers.set(source, [index]);
    }
  });
  for (const output of graph.outputs) {
    if (!made.has(output.name) && !given.has(output.name)) {
      throw broken(`${model}: graph output '${output.name}' is made by no node`);
    }
  }
  const order = schedule(waiting, readers);
  const stuck = graph.nodes[waiting.findIndex((count) => count > 0)];
  if (order.length < graph.nodes.length && stuck) {
    throw broken(`${model}: ${describeNode(stuck)} depends on its own output`);
  }
  graph.nodes = order.map((index) => graph.nodes[index] as Node);
}

/** Node indices in execution order, always the smallest ready one first; `waiting` counts down. */
function schedule(waiting: number[], readers: ReadonlyMap<number, readonly number[]>): number[] {
  const order: number[] = [];
  const ready = new Set<number>();
  // In file order; a node freed after its turn has passed waits in `ready`, which is served first.
  for (let next = 0; next < waiting.length; next++) {
    if (waiting[next] === 0) visit(next);
  }
  return order;

  function visit(first: number): void {
    ready.add(first);
    for (const index of ready) {
      ready.delete(index);
      order.push(index);
      for (const reader of readers.get(index) ?? []) {
        const left = (waiting[reader] ?? 0) - 1;
        waiting[reader] = left;
        if (left === 0 && reader < first) ready.add(reader);
      }
    }
  }
}

/** Values of the enclosing graph that a subgraph reads, also from further inside; recursion is as deep as the file. */
function outerReads(graph: GraphProto): string[] {
  const inner = new Set<string>();
  for (const value of graph.input) inner.add(value.name ?? '');
  for (const tensor of graph.initializer) inner.add(tensor.name ?? '');
  for (const sparse of graph.sparseInitializer) inner.add(sparse.values?.name ?? '');
  for (const node of graph.node) for (const name of node.output) inner.add(name);
  const reads = new Set<string>();
  const add = (name: string | undefined): void => {
    if (name && !inner.has(name)) reads.add(name);
  };
  for (const value of graph.output) add(value.name);
  for (const node of graph.node) {
    for (const name of node.input) add(name);
    for (const nested of graphsOf(node.attribute)) for (const name of outerReads(nested)) add(name);
  }
  return [...reads];
}

function broken(message: string): BedsideError {
  return new BedsideError('E_MODEL', message, {
    hint: 'check the model with onnx.checker and export it again',
  });
}
