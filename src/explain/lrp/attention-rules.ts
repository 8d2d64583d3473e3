// Relevance through attention: AttnLRP (Achtibat et al., ICML 2024). A product of two computed values gives half to each
// factor, softmax follows its Taylor decomposition at its input, and a normalisation passes relevance on.
import { consumers, type Graph, intAttribute, isWeighted, type Node, opOf } from '../../onnx/internal.ts';
import type { BackwardContext, BackwardMessage, BackwardRule } from '../backward/context.ts';
import { arithmetic, factorAdjoints } from '../backward/product-adjoints.ts';
import { passThrough } from '../backward/shape-adjoints.ts';

/** `R / stabilised(z)`, as the rules of weighted layers divide. */
export type Divide = (context: BackwardContext, message: BackwardMessage, z: string) => string;

/**
 * A MatMul of two computed values (equation 13): an output's share of each product goes half to either factor. A factor
 * that does not depend on the input is a weight, and takes nothing.
 */
export function productRelevance(divide: Divide): BackwardRule {
  return (context, node, [message]) => {
    if (!message) return;
    const [a, b] = node.inputs as [string, string];
    const { left, right } = factorAdjoints(context, node);
    const whole = divide(context, message, node.outputs[0] as string);
    const both = dependsOnInput(context, a) && dependsOnInput(context, b);
    const s = both ? context.builder.node('Mul', [whole, context.builder.scalar(0.5)], {}, 's') : whole;
    if (context.wanted(a)) context.send(a, { value: left(s), base: a, zeroWhere: undefined });
    if (context.wanted(b)) context.send(b, { value: right(s), base: b, zeroWhere: undefined });
  };
}

/**
 * Softmax inside a network (proposition 3.1): x (R - y sum R). What its hidden bias takes is not handed on, so this is
 * the one rule of attention that does not conserve. Positions that a mask has shut (y = 0) get nothing. A softmax that
 * no layer follows gives the scores that are explained, and passes relevance on.
 */
export const softmaxRelevance: BackwardRule = (context, node, messages) => {
  const [message] = messages;
  if (!message) return;
  if (!isInside(context.graph, node)) return passThrough(context, node, messages);
  const { builder } = context;
  const op = arithmetic(context, 'softmax');
  const [x, y] = [node.inputs[0] as string, node.outputs[0] as string];
  const r = context.materialise(message);
  const axis = builder.ints([intAttribute(node, 'axis', -1)]);
  const total = builder.node('ReduceSum', [r, axis], {}, 'total');
  const taken = op('Mul', x, op('Sub', r, op('Mul', y, total)));
  const value = op('Where', op('Greater', y, 0), taken, 0);
  context.send(x, { value, base: undefined, zeroWhere: undefined });
};

const INSIDE = new WeakMap<Graph, ReadonlySet<Node>>();

/** Whether a layer with weights, or a product of two values, follows a node. */
function isInside(graph: Graph, node: Node): boolean {
  let known = INSIDE.get(graph);
  if (!known) {
    const readers = consumers(graph);
    const inside = new Set<Node>();
    for (const each of [...graph.nodes].reverse()) {
      const follows = each.outputs.flatMap((name) => readers.get(name) ?? []);
      if (
        follows.some((reader) => inside.has(reader) || isWeighted(graph, reader) || opOf(reader) === 'MatMul')
      )
        inside.add(each);
    }
    known = inside;
    INSIDE.set(graph, known);
  }
  return known.has(node);
}

const DEPENDING = new WeakMap<Graph, ReadonlySet<string>>();

/** Whether a value depends on what the graph reads. */
function dependsOnInput({ graph }: BackwardContext, value: string): boolean {
  let known = DEPENDING.get(graph);
  if (!known) {
    const found = new Set(graph.inputs.map(({ name }) => name));
    for (const node of graph.nodes) {
      if (opOf(node) === 'Shape' || !node.inputs.some((name) => found.has(name))) continue;
      for (const name of node.outputs) found.add(name);
    }
    known = found;
    DEPENDING.set(graph, known);
  }
  return known.has(value);
}
