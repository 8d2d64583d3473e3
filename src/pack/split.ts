// Decides how a stage may be spread over devices. Unless the parts clearly add up to the whole, the answer is `none`.
import type { BundleStage } from '../bundle/internal.ts';
import type { Grouping } from '../channels/index.ts';
import type { Model } from '../onnx/index.ts';
import {
  constantInput,
  FUNCTION_OPS,
  isDepthwise,
  isWeighted,
  type LayerLayout,
  layerLayout,
  type Node,
  type OpName,
  opOf,
  pinnedValues,
  readsOf,
  STEP_OPS,
  type Stage,
} from '../onnx/internal.ts';

/**
 * How a stage may be split. `outputs`: the stage is one weighted layer, followed only by nodes that work on each
 * channel alone. `partial-sums`: the stage is a first layer, then per-channel nodes (depthwise layers included), then a
 * second layer that alone reads their result; only nodes affine in its output follow. Let F(A) be the stage's output
 * when only the inner channels A exist. Then F(A) + F(B) - F(none) = F(A and B), so one device adds the second bias and
 * the other branch of a residual sum.
 */
export function splitOf(
  model: Model,
  grouping: Grouping,
  stage: Pick<Stage, 'nodes' | 'output'>,
): Pick<BundleStage, 'split' | 'splitGroup'> {
  const walk = new Walk(model, grouping, stage);
  const weighted = walk.nodes.filter((node) => isWeighted(model.graph, node));
  const layers = weighted.flatMap((node) => walk.layer(node) ?? []);
  const [first, second] = [layers[0], layers.at(-1)];
  if (layers.length !== weighted.length || !first || !second) return { split: 'none' };
  if (first.layout.groups !== 1 || second.layout.groups !== 1) return { split: 'none' };
  if (layers.length === 1) {
    const apart = unitsAreChannels(grouping, first.output) && mergesAlongFirst(walk, first, stage.output);
    return { split: apart && walk.leads(first.output, stage.output, perChannel) ? 'outputs' : 'none' };
  }
  const splitGroup = innerGroup(grouping, first, second, layers);
  if (splitGroup === undefined) return { split: 'none' };
  const between = layers.slice(1, -1).map(({ node }) => node);
  const inside: Step = (at, node, value) => between.includes(node) || perChannel(at, node, value);
  const summed = walk.leads(first.output, second.input, inside) && walk.reads(second.input, second.node);
  if (!summed || !walk.leads(second.output, stage.output, affine)) return { split: 'none' };
  return { split: 'partial-sums', splitGroup };
}

interface Layer {
  readonly node: Node;
  readonly layout: LayerLayout;
  readonly input: string;
  readonly output: string;
}

/** Whether a node that reads `value` may be part of the chain. */
type Step = (at: Walk, node: Node, value: string) => boolean;

/** The nodes of a stage, and which nodes read which values. */
class Walk {
  readonly nodes: readonly Node[];
  readonly model: Model;
  readonly grouping: Grouping;
  readonly #readers = new Map<string, Node[]>();
  readonly #pinned: ReadonlySet<string>;

  constructor(model: Model, grouping: Grouping, stage: Pick<Stage, 'nodes'>) {
    const { graph } = model;
    const own = new Set(stage.nodes);
    this.model = model;
    this.grouping = grouping;
    this.nodes = graph.nodes.filter((node) => own.has(node.name));
    this.#pinned = pinnedValues(graph);
    for (const node of graph.nodes) {
      for (const name of readsOf(node)) this.#readers.set(name, [...(this.#readers.get(name) ?? []), node]);
    }
  }

  layer(node: Node): Layer | undefined {
    const layout = layerLayout(this.model.graph, node, (name) => this.shape(name));
    return layout && { node, layout, input: node.inputs[layout.data] ?? '', output: node.outputs[0] ?? '' };
  }

  shape(value: string | undefined): readonly number[] | undefined {
    return this.grouping.shapes.get(value ?? '');
  }

  axis(value: string | undefined): number | undefined {
    return this.grouping.values.get(value ?? '')?.axis;
  }

  /** Whether a node is the only reader of a value. */
  reads(value: string, node: Node): boolean {
    const readers = this.#readers.get(value);
    return readers?.length === 1 && readers[0] === node && !this.#pinned.has(value);
  }

  /** Whether a chain of such steps leads from one value to another, with no other reader on the way. */
  leads(from: string, to: string, step: Step): boolean {
    for (let value = from; value !== to; ) {
      const [node] = this.#readers.get(value) ?? [];
      if (!node || !this.nodes.includes(node) || !this.reads(value, node) || !step(this, node, value))
        return false;
      const [output, ...others] = node.outputs;
      if (!output || others.some(Boolean)) return false;
      value = output;
    }
    return true;
  }
}

/** Whether every unit of a group is exactly one channel of the value: ranges of units are then ranges of channels. */
function unitsAreChannels(grouping: Grouping, value: string): boolean {
  const channels = grouping.values.get(value);
  if (!channels) return false;
  const units = Array.from(channels.group, (group, at) => `${group}:${channels.unit[at]}`);
  const owned = units.filter((_, at) => (channels.group[at] as number) >= 0);
  return new Set(owned).size === owned.length;
}

/**
 * Whether the parts of a stage can be merged. Inside a network they are merged along the channels, wherever these lie.
 * The network's output is merged along its first axis behind the batch, which must then be the layer's channels.
 */
function mergesAlongFirst(at: Walk, { layout, output: made }: Layer, output: string): boolean {
  if (at.model.graph.outputs[0]?.name !== output) return true;
  return layout.outChannels > 1 && at.axis(made) === 1 && at.shape(output)?.[1] === layout.outChannels;
}

/** The group of all channels between the two layers, if no other layer shares it. */
function innerGroup(
  grouping: Grouping,
  first: Layer,
  second: Layer,
  layers: readonly Layer[],
): number | undefined {
  const id = grouping.values.get(first.output)?.group[0] ?? -1;
  const group = grouping.groups[id];
  const between = layers.slice(1, -1);
  if (!group || group.channels !== first.layout.outChannels || !unitsAreChannels(grouping, first.output))
    return undefined;
  if (between.some(({ layout }) => !isDepthwise(layout) || layout.outChannels !== layout.inChannels))
    return undefined;
  const makers = [first, ...between].map(({ node }) => node.name).join();
  const alone = group.layers.join() === makers && group.readers.join() === second.node.name;
  return alone ? id : undefined;
}

const ELEMENTWISE: ReadonlySet<OpName> = new Set<OpName>([
  ...FUNCTION_OPS,
  ...STEP_OPS,
  'Clip',
  'Dropout',
  'Elu',
  'Erf',
  'Exp',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'LeakyRelu',
  'Relu',
  'Sigmoid',
  'Sqrt',
  'Tanh',
]);
const WITH_CONSTANTS: ReadonlySet<OpName> = new Set(['Add', 'Div', 'Mul', 'PRelu', 'Sub']);
const POOLS: ReadonlySet<OpName> = new Set(['AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'MaxPool']);
const RESHAPES: ReadonlySet<OpName> = new Set(['Flatten', 'Reshape', 'Squeeze', 'Unsqueeze']);

/** Whether each channel of the result comes from one channel of the value, in the same order. */
function perChannel(at: Walk, node: Node, value: string): boolean {
  const op = opOf(node);
  const output = node.outputs[0];
  const [axis, after] = [at.axis(value), at.axis(output)];
  if (op === undefined || axis === undefined || axis !== after || !othersConstant(at, node, value))
    return false;
  if (ELEMENTWISE.has(op)) return true;
  const [before, shape] = [at.shape(value), at.shape(output)];
  if (!before || !shape) return false;
  if (WITH_CONSTANTS.has(op) || op === 'BatchNormalization') return before.join() === shape.join();
  if (axis !== 1) return false;
  if (POOLS.has(op) || op === 'ReduceMean') return before[1] === shape[1];
  // The batch axis is unchanged, so each channel becomes as many neighbours as it has elements.
  return RESHAPES.has(op) && before[0] === shape[0] && (shape[1] ?? 0) % (before[1] ?? Number.NaN) === 0;
}

/** Whether the node is affine: its result for a sum of inputs is the sum of its results, up to a constant. */
function affine(at: Walk, node: Node, value: string): boolean {
  const op = opOf(node);
  if (op === 'Add' || op === 'Sub') return true;
  if (op === undefined || !othersConstant(at, node, value)) return false;
  if (op === 'Div') return node.inputs[0] === value;
  const linear = [
    'AveragePool',
    'BatchNormalization',
    'GlobalAveragePool',
    'Identity',
    'Mul',
    'ReduceMean',
    'Transpose',
  ];
  return RESHAPES.has(op) || linear.includes(op);
}

function othersConstant({ model }: Walk, node: Node, value: string): boolean {
  return node.inputs.every(
    (name, i) => !name || name === value || constantInput(model.graph, node, i) !== undefined,
  );
}
