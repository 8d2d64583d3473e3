// Rewrites a graph of an older operator set in the terms of operator set 16, so that new nodes can be added to it.
// Only operators that changed between 7 and 16 are touched (`table.ts`); the values stay the same.
import { GraphBuilder } from '../builder.ts';
import type { AttributeProto, GraphProto, NodeProto } from '../codec/onnx_pb.ts';
import { readNode } from '../codec/read.ts';
import { writeNode } from '../codec/write.ts';
import { type Attribute, cloneModel, type Model } from '../graph.ts';
import { constantsOf } from '../subgraphs.ts';
import { cannotCarry, carryAcross, isAffected, type UpgradeScope } from './table.ts';

/** The operator set that `upgradeOpset` reaches. */
export const UPGRADED_OPSET = 16;

/**
 * The same model at operator set 16, or unchanged if it is there or beyond. Nodes inside subgraphs are rewritten too.
 * @param shapeOf shape of a value, needed for old Softmax, whose axis meant "this and all later ones"
 * @throws BedsideError E_UNSUPPORTED naming the node whose meaning would change and cannot be written otherwise
 */
export function upgradeOpset(model: Model, shapeOf: (value: string) => readonly number[] | undefined): Model {
  const version = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0;
  if (version >= UPGRADED_OPSET) return model;
  const upgraded = cloneModel(model);
  upgraded.opsets.delete('ai.onnx');
  upgraded.opsets.set('', UPGRADED_OPSET);
  upgraded.irVersion = Math.max(upgraded.irVersion, 8);
  const { graph } = upgraded;
  const builder = new GraphBuilder(graph);
  const scope: UpgradeScope = {
    builder,
    version,
    shapeOf,
    constantOf: (name) => graph.constants.get(name),
    isRead: readNames(upgraded),
  };
  for (const node of graph.nodes) {
    carryAcross(scope, node);
    for (const [name, attribute] of node.attributes) {
      const inner = upgradeAttribute(scope, attribute);
      if (inner) node.attributes.set(name, inner);
    }
  }
  for (const { name = '', node } of model.carried?.functions ?? []) refuseInFunction(scope, name, node);
  return upgraded;
}

/** Whether anything reads a value; values read inside subgraphs count. */
function readNames(model: Model): (name: string) => boolean {
  const read = new Set(model.graph.outputs.map((value) => value.name));
  for (const node of model.graph.nodes) for (const name of node.inputs) read.add(name);
  const waiting: AttributeProto[] = model.graph.nodes.flatMap((node) =>
    [...node.attributes.values()].flatMap((attribute) =>
      attribute.type === 'other' ? [attribute.carried] : [],
    ),
  );
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for (const graph of next.g ? [next.g, ...next.graphs] : next.graphs) {
      for (const { name = '' } of graph.output) read.add(name);
      for (const node of graph.node) {
        for (const name of node.input) read.add(name);
        for (const attribute of node.attribute) waiting.push(attribute);
      }
    }
  }
  return (name) => read.has(name);
}

/** The attribute with the nodes of its graphs carried across, or undefined where nothing changes. */
function upgradeAttribute(scope: UpgradeScope, attribute: Attribute): Attribute | undefined {
  if (attribute.type !== 'other') return undefined;
  const carried = upgradeGraphs(scope, attribute.carried);
  return carried === attribute.carried ? undefined : { type: 'other', carried };
}

function upgradeGraphs(scope: UpgradeScope, proto: AttributeProto): AttributeProto {
  const result = { ...proto };
  let changed = false;
  if (proto.g) {
    const inner = upgradeGraph(scope, proto.g);
    if (inner !== proto.g) [result.g, changed] = [inner, true];
  }
  const graphs = proto.graphs.map((graph) => upgradeGraph(scope, graph));
  if (graphs.some((graph, i) => graph !== proto.graphs[i])) [result.graphs, changed] = [graphs, true];
  return changed ? result : proto;
}

/** New constants go to the enclosing graph, which a subgraph sees. */
function upgradeGraph(outer: UpgradeScope, graph: GraphProto): GraphProto {
  const constantOf = constantsOf(graph.initializer, graph.node, outer.constantOf);
  const scope: UpgradeScope = { ...outer, constantOf, shapeOf: () => undefined };
  const nodes = graph.node.map((proto): NodeProto => {
    const attribute = proto.attribute.map((entry) => upgradeGraphs(scope, entry));
    const isSame = attribute.every((entry, i) => entry === proto.attribute[i]);
    const inner = isSame ? proto : { ...proto, attribute };
    if (!isAffected(inner.opType ?? '', inner.domain ?? '', scope.version)) return inner;
    // Reading consumes a message and its tensors, so it is given copies.
    const copies = inner.attribute.map((entry) => (entry.t ? { ...entry, t: { ...entry.t } } : { ...entry }));
    const { input, output } = inner;
    const copy = { ...inner, attribute: copies, input: [...input], output: [...output] };
    const node = readNode(copy, 'subgraph');
    carryAcross(scope, node);
    return writeNode(node);
  });
  return nodes.every((node, i) => node === graph.node[i]) ? graph : { ...graph, node: nodes };
}

/** A function of the model has an operator set of its own, which must mean the same as the model's. */
function refuseInFunction(scope: UpgradeScope, name: string, nodes: readonly NodeProto[]): void {
  for (const node of nodes) {
    const op = node.opType ?? '';
    if (!isAffected(op, node.domain ?? '', scope.version)) continue;
    throw cannotCarry(`${op} in the function '${name}'`, scope.version);
  }
}
