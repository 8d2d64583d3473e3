// Recurrent layers in the one form that the rest of the code works on: steps first, one direction a node, and no initial
// state where it is zero. Same outputs.
import { GraphBuilder } from '../builder.ts';
import { cloneModel, type Graph, ints, type Model, type Node, producers, sizeOf } from '../graph.ts';
import { intAttribute, opOf } from '../ops.ts';
import { knownOf } from '../shapes/known.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { pinnedValues } from '../surgery.ts';
import { splitDirections } from './directions.ts';
import { directionsOf, RECURRENT_INPUTS, recurrentLayer, recurrentOp } from './recurrent-layer.ts';

/** Whether a graph has recurrent layers. */
export function hasRecurrent({ nodes }: Graph): boolean {
  return nodes.some((node) => recurrentOp(node) !== undefined);
}

/**
 * The same computation, where every recurrent layer: takes steps first (`layout` 0); reads no initial state that is zero
 * and no lengths that are those of all steps; and, where its weights are constants, runs in one direction. What read
 * both directions side by side reads the two layers; anything else reads them joined. What computed unread states is
 * left in the graph.
 * @throws BedsideError as `inferShapes`
 */
export function simplifyRecurrent(model: Model): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const makers = producers(graph);
  const shapes = inferShapes(model, OPEN_BATCH);
  for (const node of graph.nodes) {
    if (!recurrentOp(node)) continue;
    const at = RECURRENT_INPUTS;
    for (const index of [at.state, at.cell]) {
      if (isZero(graph, makers, node.inputs[index])) node.inputs[index] = '';
    }
    if (coversAll(graph, node, shapes)) node.inputs[at.lengths] = '';
    while (node.inputs.at(-1) === '') node.inputs.pop();
  }
  const pinned = pinnedValues(graph);
  const nodes = graph.nodes;
  graph.nodes = [];
  const builder = new GraphBuilder({ ...graph, nodes });
  builder.graph.nodes = graph.nodes;
  for (const node of nodes) stepsFirst(builder, node);
  if (!graph.nodes.some((node) => directionsOf(node) === 2 && recurrentLayer(graph, node))) return result;
  splitDirections(result, inferShapes(result, OPEN_BATCH), pinned);
  return result;
}

/** A batch that no other axis is likely to have. */
const OPEN_BATCH = 11;

/** Appends a node, between transposes where its samples come before its steps. */
function stepsFirst(builder: GraphBuilder, node: Node): void {
  if (!recurrentOp(node) || intAttribute(node, 'layout', 0) === 0) {
    builder.graph.nodes.push(node);
    return;
  }
  const turned = (name: string | undefined): string =>
    name ? builder.node('Transpose', [name], { perm: ints([1, 0, 2]) }, `${name}_steps_first`) : '';
  const at = RECURRENT_INPUTS;
  node.attributes.delete('layout');
  for (const index of [at.data, at.state, at.cell]) {
    if (node.inputs[index]) node.inputs[index] = turned(node.inputs[index]);
  }
  const given = [...node.outputs];
  node.outputs = given.map((name) => (name ? builder.fresh(`${name}_steps_first`) : ''));
  builder.graph.nodes.push(node);
  given.forEach((name, index) => {
    if (!name) return;
    const perm = index === 0 ? [2, 0, 1, 3] : [1, 0, 2];
    builder.graph.nodes.push({
      name: builder.fresh(`${name}_samples_first`),
      op: 'Transpose',
      domain: '',
      inputs: [node.outputs[index] as string],
      outputs: [name],
      attributes: new Map([['perm', ints(perm)]]),
    });
  });
}

/** Operators that give only elements of their first input. */
const REARRANGES: ReadonlySet<string> = new Set(
  'Cast Expand Flatten Gather Identity Reshape Slice Squeeze Tile Transpose Unsqueeze'.split(' '),
);

/** Whether a value is zero for every input: a constant, a filled tensor, or such values rearranged. */
function isZero(graph: Graph, makers: ReadonlyMap<string, Node>, name: string | undefined): boolean {
  if (!name) return false;
  const constant = graph.constants.get(name);
  if (constant) {
    return (
      sizeOf(constant.dims) <= MOST_ZEROS && knownOf(constant)?.data.every((value) => value === 0) === true
    );
  }
  const node = makers.get(name);
  if (!node || node.outputs[0] !== name) return false;
  if (opOf(node) === 'ConstantOfShape') {
    const value = node.attributes.get('value');
    if (!value) return true;
    return value.type === 'tensor' && knownOf(value.value)?.data.every((entry) => entry === 0) === true;
  }
  if (node.domain !== '' && node.domain !== 'ai.onnx') return false;
  if (node.op === 'Concat') return node.inputs.every((input) => isZero(graph, makers, input));
  return REARRANGES.has(node.op) && isZero(graph, makers, node.inputs[0]);
}

const MOST_ZEROS = 2 ** 20;

/** Whether the lengths given to a layer are constants that leave no step out. */
function coversAll(graph: Graph, node: Node, shapes: ReadonlyMap<string, readonly number[]>): boolean {
  const lengths = graph.constants.get(node.inputs[RECURRENT_INPUTS.lengths] ?? '');
  const steps = shapes.get(node.inputs[0] ?? '')?.[intAttribute(node, 'layout', 0) === 0 ? 0 : 1];
  return (
    lengths !== undefined && steps !== undefined && knownOf(lengths)?.data.every((n) => n === steps) === true
  );
}
