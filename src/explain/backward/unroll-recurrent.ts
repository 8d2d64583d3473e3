// Unrolls recurrent layers into elementwise operators and dense layers, one copy for each step, so that the rules of
// those carry relevance, gradients and multipliers through time. In a product, gates are sigmoids: the signal takes all
// (Arras et al., "Explaining recurrent neural network predictions in sentiment analysis", 2017).
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  cloneModel,
  describeNode,
  floatAttribute,
  GraphBuilder,
  int,
  intAttribute,
  ints,
  type Node,
  type RecurrentLayer,
  recurrentLayer,
  recurrentOp,
} from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { cellOf, RecurrentWeights, type Step } from './recurrent-cells.ts';

/** Most steps of all recurrent layers together: beyond, opening the graph takes longer than running it. */
export const MOST_STEPS = 512;

/** A model without recurrent layers, and what they became. */
export interface Unrolled {
  readonly model: Model;
  /** Recurrent layer of each dense layer that stands for a part of it, by their names. */
  readonly owners: ReadonlyMap<string, string>;
  /** The recurrent layers in execution order. */
  readonly recurrent: readonly UnrolledLayer[];
}

/** A recurrent layer that was unrolled. */
export interface UnrolledLayer {
  readonly name: string;
  readonly units: number;
  /** The hidden state `[batch, units]` after each step, in the order of the steps. */
  readonly states: readonly string[];
  /** All of them, `[batch, steps, units]`. */
  readonly all: string;
}

/**
 * The same model with every recurrent layer unrolled; a model without any is returned as it is.
 * @throws BedsideError E_UNSUPPORTED for more than `MOST_STEPS` steps, and for uses of the operators that are not
 * unrolled: other activations, coupled gates, lengths that are computed, weights that are not constant
 */
export function unrollRecurrent(model: Model): Unrolled {
  const owners = new Map<string, string>();
  const recurrent: UnrolledLayer[] = [];
  if (!model.graph.nodes.some((node) => recurrentOp(node))) return { model, owners, recurrent };
  const shapes = inferShapes(model, 1);
  const result = cloneModel(model);
  const { nodes } = result.graph;
  const layers = nodes.flatMap((node) => (recurrentOp(node) ? [unrollable(model, node)] : []));
  const steps = layers.map(({ node }) => stepsOf(node, shapes));
  const total = steps.reduce((sum, count) => sum + count, 0);
  if (total > MOST_STEPS) {
    throw new BedsideError('E_UNSUPPORTED', `the recurrent layers take ${total} steps together`, {
      hint:
        `relevance and gradients are computed over at most ${MOST_STEPS}; shorten the sequence before the layer, or ` +
        'take a criterion of weights or activations (l1, l2, activation, apoz)',
    });
  }
  const builder = new GraphBuilder(result.graph);
  result.graph.nodes = builder.graph.nodes = [];
  for (const node of nodes) {
    const at = layers.findIndex((layer) => layer.node.name === node.name && recurrentOp(node));
    const layer = layers[at];
    if (layer) recurrent.push(unroll(builder, { ...layer, node }, steps[at] as number, owners));
    else builder.graph.nodes.push(node);
  }
  return { model: result, owners, recurrent };
}

function stepsOf(node: Node, shapes: ReadonlyMap<string, readonly number[]>): number {
  const steps = shapes.get(node.inputs[0] ?? '')?.[0];
  if (steps !== undefined) return steps;
  throw refused(node, 'the number of its steps is not known');
}

/** The layer of a node, if it can be unrolled. */
function unrollable({ graph }: Model, node: Node): RecurrentLayer {
  const layer = recurrentLayer(graph, node);
  if (!layer) throw refused(node, 'its weights are computed at run time, or not float32');
  if (layer.batchFirst || layer.directions !== 1) throw refused(node, 'it is not in canonical form');
  if (node.inputs[4]) throw refused(node, 'sequences have lengths of their own');
  if (intAttribute(node, 'input_forget', 0) !== 0)
    throw refused(node, 'its gates are coupled (input_forget)');
  return layer;
}

function refused(node: Node, why: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: relevance cannot cross it: ${why}`, {
    hint: 'criteria that read weights or activations (l1, l2, activation, apoz, random) still work',
  });
}

/** Adds the nodes of all steps, under the names of the layer's outputs. */
function unroll(
  builder: GraphBuilder,
  layer: RecurrentLayer,
  steps: number,
  owners: Map<string, string>,
): UnrolledLayer {
  const { node, hidden } = layer;
  const { name } = node;
  const weights = new RecurrentWeights(builder, layer, (part) => owners.set(part, name));
  const cell = cellOf(layer, floatAttribute(node, 'clip', 0));
  const inputs = stepInputs(builder, layer, steps);
  const start = (index: number): string | undefined =>
    node.inputs[index]
      ? builder.node('Squeeze', [node.inputs[index], builder.ints([0])], {}, `${name}_start`)
      : undefined;
  let state: Step = { hidden: start(5), cell: start(6) };
  const states = new Array<string>(steps);
  const order = isReverse(node) ? [...states.keys()].reverse() : [...states.keys()];
  for (const step of order) {
    state = cell({ builder, weights, hint: `${name}_${step}` }, inputs[step] as string, state);
    states[step] = state.hidden as string;
  }
  const [y, last, lastCell] = node.outputs;
  // Joined along the second axis: where the batch is fixed at 1, the first one stands for the samples.
  const rows =
    steps === 1 ? (states[0] as string) : builder.node('Concat', states, { axis: int(1) }, `${name}_state`);
  const all = builder.node('Reshape', [rows, builder.ints([0, steps, hidden])], {}, `${name}_states`);
  if (y) {
    const turned = builder.node('Transpose', [all], { perm: ints([1, 0, 2]) }, `${name}_turned`);
    builder.graph.nodes.push(named('Unsqueeze', [turned, builder.ints([1])], y, builder));
  }
  if (last)
    builder.graph.nodes.push(named('Unsqueeze', [state.hidden as string, builder.ints([0])], last, builder));
  if (lastCell) {
    builder.graph.nodes.push(
      named('Unsqueeze', [state.cell as string, builder.ints([0])], lastCell, builder),
    );
  }
  return { name, units: hidden, states, all };
}

function isReverse(node: Node): boolean {
  const direction = node.attributes.get('direction');
  return direction?.type === 'string' && direction.value === 'reverse';
}

/** What the layer reads at each step, `[batch, inputs]`: parts of rows that hold all steps. */
function stepInputs(builder: GraphBuilder, { node, inputs }: RecurrentLayer, steps: number): string[] {
  const hint = `${node.name}_input`;
  const turned = builder.node('Transpose', [node.inputs[0] as string], { perm: ints([1, 0, 2]) }, hint);
  const rows = builder.node('Reshape', [turned, builder.ints([0, steps * inputs])], {}, hint);
  if (steps === 1) return [rows];
  const sizes = builder.ints(new Array<number>(steps).fill(inputs));
  return builder.nodes('Split', [rows, sizes], { axis: int(1) }, new Array<string>(steps).fill(hint));
}

function named(
  op: string,
  inputs: readonly string[],
  output: string,
  builder: GraphBuilder,
  attributes: Record<string, ReturnType<typeof int>> = {},
): Node {
  return {
    name: builder.fresh(`${output}_unrolled`),
    op,
    domain: '',
    inputs: [...inputs],
    outputs: [output],
    attributes: new Map(Object.entries(attributes)),
  };
}
