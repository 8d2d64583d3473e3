// Nodes inside subgraphs (If, Loop, Scan) and functions of a model, which are carried as messages.

import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './codec/onnx_pb.ts';
import { readTensor } from './codec/tensor-read.ts';
import type { Constant, Graph, Model } from './graph.ts';

/** A node inside a subgraph or function. */
export interface InnerNode {
  readonly node: NodeProto;
  /** The constant behind a name: of its own or an enclosing graph, or from a Constant node. */
  readonly constant: (name: string) => Constant | undefined;
}

/** The graphs in a node's attributes. */
export function graphsOf(attributes: Iterable<AttributeProto>): GraphProto[] {
  const found: GraphProto[] = [];
  for (const { g, graphs } of attributes) {
    if (g) found.push(g);
    for (const graph of graphs) found.push(graph);
  }
  return found;
}

/** The subgraphs that nodes of a graph hold directly. */
export function outerSubgraphs(graph: Graph): GraphProto[] {
  const found: GraphProto[] = [];
  for (const node of graph.nodes) {
    for (const attribute of node.attributes.values()) {
      if (attribute.type === 'other') for (const inner of graphsOf([attribute.carried])) found.push(inner);
    }
  }
  return found;
}

/** Every node inside a subgraph, at any depth, or inside a function of the model. */
export function* innerNodes(model: Model): Generator<InnerNode> {
  const outer = (name: string): Constant | undefined => model.graph.constants.get(name);
  const waiting = outerSubgraphs(model.graph).map((graph) => ({ graph, outer }));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const constant = constantsOf(next.graph.initializer, next.graph.node, next.outer);
    for (const node of next.graph.node) {
      yield { node, constant };
      for (const graph of graphsOf(node.attribute)) waiting.push({ graph, outer: constant });
    }
  }
  for (const { node: nodes } of model.carried?.functions ?? []) {
    const constant = constantsOf([], nodes, () => undefined);
    for (const node of nodes) yield { node, constant };
  }
}

/**
 * The constants that names refer to inside a graph: its initializers, its Constant nodes, otherwise those of enclosing
 * graphs.
 */
export function constantsOf(
  initializers: readonly TensorProto[],
  nodes: readonly NodeProto[],
  outer: (name: string) => Constant | undefined,
): (name: string) => Constant | undefined {
  const tensors = new Map(initializers.map((tensor) => [tensor.name ?? '', tensor]));
  for (const node of nodes) {
    const value =
      node.opType === 'Constant' ? node.attribute.find(({ name }) => name === 'value')?.t : undefined;
    if (value) tensors.set(node.output[0] ?? '', value);
  }
  return (name) => {
    const tensor = tensors.get(name);
    // A shallow copy, as reading strips the message.
    return tensor ? readTensor({ ...tensor }, `tensor '${name}'`) : outer(name);
  };
}
