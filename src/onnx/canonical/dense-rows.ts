// Dense layers over tokens in networks with layer normalisation: MatMul of more than two axes and the Add behind it
// become one Gemm over rows. The layer then has its bias in one node, so that repair, tables and corrections refit it.

import { cloneModel, floatConstant, intConstant, type Model, type Node } from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { opOf } from '../ops.ts';
import { inferShapes, symbolicShapes } from '../shapes/shapes.ts';
import { floatData, forgetShapes, removeDead } from '../surgery.ts';
import { biasBehind, viewOf } from './fold-bias.ts';

/**
 * A canonical model in which every MatMul with a constant of two axes on the right and a bias behind it, over more than
 * two axes, is a Reshape to rows, a Gemm under the MatMul's name, and a Reshape back. Only where the model has a
 * LayerNormalization; other models are returned as they are. Outputs are equal up to rounding.
 */
export function denseRows(model: Model): Model {
  if (!model.graph.nodes.some((node) => opOf(node) === 'LayerNormalization')) return model;
  const result = cloneModel(model);
  const { graph } = result;
  const shapes = inferShapes(model, 1);
  const view = viewOf(graph, shapes);
  const open = symbolicShapes(model);
  const names = NameAllocator.of(graph);
  const constant = (hint: string, sizes: readonly number[]): string => {
    const name = names.fresh(hint);
    graph.constants.set(name, intConstant(sizes));
    return name;
  };
  const biases = new Set<Node>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (biases.has(node)) continue;
    const [x = '', w = ''] = node.inputs;
    const behind = (shapes.get(x)?.length ?? 0) > 2 ? biasBehind(graph, node, view) : undefined;
    const weight = behind && floatData(graph, w);
    // One axis at most follows the batch; the others are written out.
    const sizes = open
      .get(behind?.node.outputs[0] ?? '')
      ?.map((size) => (typeof size === 'number' ? size : -1));
    const isOpen = sizes !== undefined && sizes.filter((size) => size === -1).length <= 1;
    if (!behind || !weight || !sizes || !isOpen || sizes.includes(0)) {
      nodes.push(node);
      continue;
    }
    const [rows, product] = [names.fresh(`${node.name}_rows`), names.fresh(`${node.name}_gemm`)];
    const bias = names.fresh(`${node.name}_bias`);
    graph.constants.set(bias, floatConstant(behind.bias));
    const reshape = (name: string, input: string, target: readonly number[], output: string): Node => ({
      name: names.fresh(name),
      op: 'Reshape',
      domain: '',
      inputs: [input, constant(`${name}_shape`, target)],
      outputs: [output],
      attributes: new Map(),
    });
    nodes.push(
      reshape(`${node.name}_to_rows`, x, [-1, weight.dims[0] as number], rows),
      { ...node, op: 'Gemm', inputs: [rows, w, bias], outputs: [product], attributes: new Map() },
      reshape(`${node.name}_from_rows`, product, sizes, behind.node.outputs[0] as string),
    );
    biases.add(behind.node);
  }
  if (biases.size === 0) return model;
  graph.nodes = nodes;
  removeDead(graph);
  const made = new Set<string>();
  for (const node of graph.nodes) for (const name of node.outputs) made.add(name);
  forgetShapes(graph, made);
  return result;
}
