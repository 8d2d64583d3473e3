// The costs of a model for one sample: multiply-accumulates, parameters, activation bytes.
import { samplesOfShapes } from '../batch-axis/fixed-batch.ts';
import type { GraphProto, NodeProto } from '../codec/onnx_pb.ts';
import { rawBytes } from '../codec/proto.ts';
import { type Constant, type Graph, type Model, type Node, sizeOf } from '../graph.ts';
import { describeNode, opOf } from '../ops.ts';
import { readsOf } from '../order.ts';
import type { Inferred } from '../shapes/context.ts';
import { inferValues } from '../shapes/shapes.ts';
import { pinnedValues } from '../surgery.ts';
import { CONTRIB_MACS, FURTHER_MACS, isFree, MACS, type MacRule } from './mac-rules.ts';

/** The costs of one node for one sample. */
export interface NodeCosts {
  readonly name: string;
  readonly op: string;
  /** Multiply-accumulates; 0 where they are not known (see `ModelCosts.uncounted`). */
  readonly macs: number;
  /** Elements of the float constants it reads. */
  readonly parameters: number;
  /** Bytes of its outputs. */
  readonly outputBytes: number;
}

/** The costs of a model for one sample. */
export interface ModelCosts {
  /** Multiply-accumulates of convolutions, matrix products, Einsum, recurrent layers and attention. */
  readonly macs: number;
  /** Elements of the float constants that the outputs depend on; a shared one counts once. */
  readonly parameters: number;
  /** Bytes of all computed values. */
  readonly activationBytes: number;
  /** The most bytes of inputs and computed values alive at once, in execution order. */
  readonly peakBytes: number;
  readonly nodes: readonly NodeCosts[];
  /** Nodes whose multiply-accumulates are not known and count as 0, so that `macs` is too low. */
  readonly uncounted: readonly Uncounted[];
  /** Nodes the size of whose outputs is not known: their bytes count as 0. */
  readonly unknown: readonly string[];
}

/** A node whose multiply-accumulates are not known. */
export interface Uncounted {
  /** The node's name, or its first output where it has none. */
  readonly name: string;
  readonly op: string;
}

/**
 * The costs of a model for one sample. A fixed batch size in the model is divided out.
 * @throws BedsideError as `inferShapes`
 */
export function modelCosts(model: Model): ModelCosts {
  const { graph } = model;
  const inferred = inferValues(model, 1);
  const samples = samplesOfShapes(graph, inferred.shapes);
  const bytes = (name: string): number => (bytesOf(inferred, name) ?? 0) / samples;
  const live = liveNodes(graph);
  const parameters = new Map<string, number>();
  const unknown: string[] = [];
  const uncounted: Uncounted[] = [];
  const nodes = graph.nodes.map((node): NodeCosts => {
    let own = 0;
    for (const name of new Set(readsOf(node))) {
      const size = floatElements(graph.constants.get(name));
      own += size;
      if (live.has(node)) parameters.set(name, size);
    }
    if (node.outputs.some((name) => name && bytesOf(inferred, name) === undefined))
      unknown.push(describeNode(node));
    // A node that no output depends on is never computed.
    const macs = live.has(node) ? macsOf(model, node, inferred) : 0;
    if (macs === undefined) uncounted.push({ name: node.name || (node.outputs[0] ?? ''), op: node.op });
    const outputBytes = node.outputs.reduce((sum, name) => sum + (name ? bytes(name) : 0), 0);
    return {
      name: node.name,
      op: node.op,
      macs: (macs ?? 0) / samples,
      parameters: own,
      outputBytes,
    };
  });
  return {
    macs: nodes.reduce((sum, node) => sum + node.macs, 0),
    parameters: [...parameters.values()].reduce((sum, size) => sum + size, 0),
    activationBytes: nodes.reduce((sum, node) => sum + node.outputBytes, 0),
    peakBytes: peak(graph, bytes),
    nodes,
    uncounted,
    unknown,
  };
}

/** Bytes of a value, or undefined when its shape or width is not known. */
export function bytesOf(inferred: Inferred, name: string): number | undefined {
  const shape = inferred.shapes.get(name);
  return shape && rawBytes(inferred.types.get(name) ?? 0, sizeOf(shape));
}

/** Elements of a constant of a floating-point type; 0 for others. */
export function floatElements(constant: Constant | undefined): number {
  if (!constant || constant.type === 'int64') return 0;
  const isFloat = constant.type === 'float32' || FLOAT_TYPES.has(constant.elemType);
  return isFloat ? sizeOf(constant.dims) : 0;
}

/** float16, double, bfloat16 and the 8-bit floats. */
const FLOAT_TYPES: ReadonlySet<number> = new Set([10, 11, 16, 17, 18, 19, 20]);

/** Multiply-accumulates of a node, or undefined where its operator or a shape that matters is not known. */
function macsOf(model: Model, node: Node, inferred: Inferred): number | undefined {
  const rule = ruleOf(node);
  const shapeOf = (name: string | undefined): readonly number[] | undefined =>
    name ? inferred.shapes.get(name) : undefined;
  if (!rule) return isFreeNode(model, node) ? 0 : undefined;
  return rule({
    graph: model.graph,
    node,
    input: (index) => shapeOf(node.inputs[index]),
    output: (index) => shapeOf(node.outputs[index]),
  });
}

function ruleOf(node: Node): MacRule | undefined {
  const op = opOf(node);
  if (op) return MACS[op];
  if (node.domain === 'com.microsoft') return CONTRIB_MACS[node.op];
  return node.domain === '' || node.domain === 'ai.onnx' ? FURTHER_MACS[node.op] : undefined;
}

/** Whether a node has none for sure: by its operator, or as all it is made of (branches, a function) has none. */
function isFreeNode(model: Model, node: Node): boolean {
  const bodies = [...node.attributes.values()].flatMap((attribute) => {
    if (attribute.type !== 'other') return [];
    const { g, graphs } = attribute.carried;
    return g ? [g, ...graphs] : graphs;
  });
  const functions = model.carried?.functions ?? [];
  const free = (op: string, domain: string, inside: readonly GraphProto[], depth: number): boolean => {
    if (depth > DEEPEST) return false;
    if (isFree(op, domain)) return true;
    const own = functions.find((one) => one.name === op && (one.domain ?? '') === domain);
    const made = own ? [own.node] : inside.map((graph) => graph.node);
    return made.length > 0 && made.every((nodes) => nodes.every((one) => freeProto(one, depth + 1)));
  };
  const freeProto = ({ opType = '', domain = '', attribute }: NodeProto, depth: number): boolean =>
    free(
      opType,
      domain,
      attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs)),
      depth,
    );
  return free(node.op, node.domain, bodies, 0);
}

/** Functions that call each other are looked into so deep. */
const DEEPEST = 8;

function liveNodes(graph: Graph): Set<Node> {
  const needed = new Set(graph.outputs.map((value) => value.name));
  const live = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    live.add(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  return live;
}

function peak(graph: Graph, bytes: (name: string) => number): number {
  const pinned = pinnedValues(graph);
  const lastRead = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of readsOf(node)) lastRead.set(name, index);
  });
  let alive = graph.inputs.reduce((sum, value) => sum + bytes(value.name), 0);
  let most = alive;
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) if (name) alive += bytes(name);
    most = Math.max(most, alive);
    const done = new Set([...readsOf(node), ...node.outputs]);
    for (const name of done) {
      if (!name || graph.constants.has(name) || pinned.has(name)) continue;
      if ((lastRead.get(name) ?? index) === index) alive -= bytes(name);
    }
  });
  return most;
}
