// Values that are computed from shapes and constants alone: what exporters write where a size was not known to them.
import type { Graph, Node } from '../graph.ts';
import { readsOf } from '../order.ts';

/** Operators whose result differs from run to run. */
const RANDOM: ReadonlySet<string> = new Set([
  ...['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Bernoulli', 'Multinomial'],
]);

/**
 * Computed values that follow from shapes and constants alone and are read by nodes that compute with samples. Graph
 * outputs are not among them, nor what control flow or an operator of another domain makes.
 */
export function valuesOfShapes(graph: Graph): string[] {
  const sizes = new Set<string>();
  const isGiven = (name: string): boolean => name === '' || graph.constants.has(name) || sizes.has(name);
  const found = new Set<string>();
  for (const node of graph.nodes) {
    if (isOfSizes(node, isGiven)) {
      for (const name of node.outputs) if (name) sizes.add(name);
    } else for (const name of readsOf(node)) if (sizes.has(name)) found.add(name);
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return [...found].filter((name) => !outputs.has(name));
}

function isOfSizes(node: Node, isGiven: (name: string) => boolean): boolean {
  if (node.domain !== '' && node.domain !== 'ai.onnx') return false;
  if (node.op === 'Shape' || node.op === 'Size') return true;
  if (RANDOM.has(node.op)) return false;
  const hasGraph = [...node.attributes.values()].some(
    (attribute) => attribute.type === 'other' && (attribute.carried.g || attribute.carried.graphs.length > 0),
  );
  return !hasGraph && readsOf(node).every(isGiven);
}
