// Builds one ONNX graph with the forward pass and a backward pass over it. Relevance or gradients flow back as one
// message for each value. A table with one rule for each operator says how a node turns the message at its output into
// messages at its inputs.

import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  type BatchPlace,
  batchAxes,
  batchAxisOf,
  describeNode,
  type Graph,
  GraphBuilder,
  isBatchFirst,
  type Node,
  type OpTable,
  opOf,
  sizeOf,
  soleInput,
  type WeightedLayer,
} from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { ScoreForm } from '../../util/internal.ts';
import { biasedLayers } from './bias.ts';
import { type BackwardContext, type BackwardMessage, type BackwardRule, openPass } from './context.ts';
import { addReference } from './reference-pass.ts';
import {
  type Explained,
  explainedValue,
  flattened,
  lossStart,
  oneHotOfLargest,
  type Scores,
  shaped,
} from './score-start.ts';
import { withSimplerOperators } from './simpler-operators.ts';
import { StateMessages } from './state-messages.ts';
import { type UnrolledLayer, unrollRecurrent } from './unroll-recurrent.ts';

/** The read-out of the backward pass at each weighted layer's output. */
export type Readout = (context: BackwardContext, layer: WeightedLayer, message: BackwardMessage) => string;

/** Options of the graph. */
export interface BackwardOptions {
  readonly rules: OpTable<BackwardRule>;
  readonly readout: Readout;
  /** Names of the weighted layers to read out; all by default. */
  readonly layers?: readonly string[];
  /** Also outputs the whole message at the model's input. */
  readonly wantInput?: boolean;
  /**
   * The start of the pass at the scores, flattened to `[batch, scores]`, before a final Softmax (and Sigmoid, for other
   * tasks than a single label). `input`: a second graph input `start` `[batch, scores]`; `times-score`: the same, each
   * weight times its score, so that the pass starts from the weighted sum of scores; `predicted`: one-hot at the
   * largest; `loss`: the gradient of the task's loss against the targets in `start`.
   */
  readonly start: 'input' | 'times-score' | 'predicted' | 'loss';
  /** What the scores are for; default one of several classes. */
  readonly form?: ScoreForm | undefined;
  /** Adds a third input `reference` `[1 or batch, ...sample]` and a forward pass over it. */
  readonly withReference?: boolean;
}

/** The graph and the names of its inputs and outputs. */
export interface BackwardGraph {
  readonly model: Model;
  readonly inputName: string;
  /** Name of the start's input; undefined with `start: 'predicted'`. */
  readonly startName: string | undefined;
  readonly referenceName: string | undefined;
  readonly logitsName: string;
  /** For each layer with a read-out, in execution order: its name, channels and output value `[batch, channels]`. */
  readonly layers: readonly { readonly name: string; readonly channels: number; readonly output: string }[];
  readonly inputRelevanceName: string | undefined;
}

/**
 * Builds the graph from a canonical model at operator set 16 or later.
 * @throws BedsideError E_UNSUPPORTED when the pass would have to cross an operator without a rule, E_USAGE for a layer
 * that the model does not have
 */
export function buildBackward(given: Model, options: BackwardOptions): BackwardGraph {
  const { model: unrolled, owners, recurrent } = unrollRecurrent(given);
  const model = withSimplerOperators(unrolled);
  const shapes = inferShapes(model, 1);
  const places = batchAxes(model);
  const input = soleInput(model);
  const logits = model.graph.outputs[0]?.name ?? '';
  const scores: Scores = { ...scoresOf(logits, shapes, places), form: options.form };
  const forward = model.graph;
  const graph: Graph = {
    name: forward.name,
    inputs: [...forward.inputs],
    outputs: [],
    nodes: [...forward.nodes],
    constants: new Map(forward.constants),
    ...(forward.carried && { carried: { ...forward.carried, valueInfo: [] } }), // sparse tensors among them
  };
  const builder = new GraphBuilder(graph);
  const reference = options.withReference ? addReference(builder, forward, input, shapes, places) : undefined;
  const { layers, biases } = biasedLayers(forward, shapes);
  const units = new Map(recurrent.map((layer) => [layer.name, layer]));
  const names = [...new Set([...layers.keys()].map((name) => owners.get(name) ?? name))];
  const asked = new Set(options.layers ?? names);
  for (const name of asked) if (!names.includes(name)) throw unknownLayer(name, names);
  const parts = [...layers.keys()].filter((name) => asked.has(owners.get(name) ?? name));
  const wanted = reachable(forward, new Set(parts), options.wantInput ? input : undefined);
  const { context, arrived } = openPass({
    builder,
    forward,
    opset: model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0,
    shapes,
    places,
    layers,
    owners,
    wanted,
    reference: reference?.names,
  });
  const explained = explainedValue(scores, context.maker, context.shape);
  const start = addStart(builder, options.start, scores, explained);
  wanted.add(explained.name);
  context.send(explained.name, { value: start.value, base: undefined, zeroWhere: undefined });
  const readouts = passBackward(context, arrived, options, { asked, biases, recurrent });
  const outputs: BackwardGraph['layers'][number][] = [];
  for (const name of names) {
    if (!asked.has(name)) continue;
    const channels = units.get(name)?.units ?? (layers.get(name) as WeightedLayer).channels;
    // A layer whose output never reaches the logits is explained by zero.
    const output = readouts.get(name) ?? zerosLike(builder, scores, channels);
    builder.output(output, ['rows', channels]);
    outputs.push({ name, channels, output });
  }
  const inputRelevanceName = options.wantInput
    ? addInputRelevance(context, arrived(input), input)
    : undefined;
  builder.output(logits, ['batch', ...scores.shape]);
  return {
    model: { ...model, irVersion: Math.max(model.irVersion, 8), opsets: new Map(model.opsets), graph },
    inputName: input,
    startName: start.inputName,
    referenceName: reference?.inputName,
    logitsName: logits,
    layers: outputs,
    inputRelevanceName,
  };
}

/** Visits the nodes in reverse and applies their rules; returns the read-outs by layer. */
function passBackward(
  context: BackwardContext,
  arrived: (value: string) => BackwardMessage | undefined,
  options: BackwardOptions,
  { asked, biases, recurrent }: Parts,
): Map<string, string> {
  const readouts = new Map<string, string>();
  const states = new StateMessages(
    context,
    recurrent.filter(({ name }) => asked.has(name)),
  );
  for (const node of [...context.graph.nodes].reverse()) {
    // A message behind a bias is taken up at the layer of that bias.
    if (biases.has(node)) continue;
    const layer = context.layer(node);
    const messages = (layer ? [layer.output] : node.outputs).map(arrived);
    if (messages.every((message) => message === undefined)) continue;
    messages[0] = states.take(node.outputs[0] ?? '', messages[0]);
    if (layer && messages[0] && asked.has(node.name)) {
      const whole: BackwardMessage = {
        value: context.materialise(messages[0]),
        base: undefined,
        zeroWhere: messages[0].zeroWhere ?? messages[0].base,
      };
      readouts.set(node.name, options.readout(context, layer, whole));
      messages[0] = whole;
    }
    if (!node.inputs.some((name) => context.wanted(name))) continue;
    ruleOf(options.rules, node)(context, node, messages);
  }
  for (const { layer, message } of states.finish()) {
    readouts.set(layer.name, options.readout(context, layer, message));
  }
  return readouts;
}

/** What the pass reads out beside dense layers and convolutions, and where biases are. */
interface Parts {
  readonly asked: ReadonlySet<string>;
  readonly biases: ReadonlySet<Node>;
  readonly recurrent: readonly UnrolledLayer[];
}

function addInputRelevance(
  { builder, materialise }: BackwardContext,
  message: BackwardMessage | undefined,
  input: string,
): string {
  if (!message) throw new BedsideError('E_UNSUPPORTED', `the output does not depend on input '${input}'`);
  const name = builder.node('Identity', [materialise(message)], {}, 'input_relevance');
  builder.output(name, undefined);
  return name;
}

/** One sample's scores; they must have one row for each sample. */
function scoresOf(
  name: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  places: ReadonlyMap<string, BatchPlace>,
): Pick<Scores, 'name' | 'shape' | 'size'> {
  const known = shapes.get(name);
  if (known && known.length > 0 && isBatchFirst(batchAxisOf(places, name))) {
    const shape = known.slice(1);
    return { name, shape, size: sizeOf(shape) };
  }
  throw new BedsideError('E_UNSUPPORTED', `output '${name}' does not have one row for each sample`, {
    hint: 'explain works on networks whose first output is [batch, ...]',
  });
}

function unknownLayer(name: string, known: readonly string[]): BedsideError {
  return new BedsideError('E_USAGE', `there is no weighted layer '${name}'`, {
    hint: `weighted layers of this model: ${known.join(', ')}`,
  });
}

function ruleOf(rules: OpTable<BackwardRule>, node: Node): BackwardRule {
  const op = opOf(node);
  if (op) return rules[op];
  throw new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: relevance cannot cross this operator`, {
    hint: 'criteria that read weights or activations (l1, l2, activation, apoz, random) still work',
  });
}

/** Values at or below the output of a requested layer (or the input): the pass need not go further. */
function reachable(graph: Graph, asked: ReadonlySet<string>, input: string | undefined): Set<string> {
  const values = new Set<string>(input === undefined ? [] : [input]);
  for (const node of graph.nodes) {
    const carries = node.inputs.some((name) => values.has(name)) || asked.has(node.name);
    if (carries) for (const name of node.outputs) values.add(name);
  }
  return values;
}

function addStart(
  builder: GraphBuilder,
  kind: BackwardOptions['start'],
  scores: Scores,
  explained: Explained,
) {
  if (kind === 'predicted') {
    const rows = flattened(builder, scores.name, scores.shape, scores.size);
    const start = oneHotOfLargest(builder, rows, scores.size);
    return { value: shaped(builder, start, explained.shape), inputName: undefined };
  }
  const inputName = builder.input('start', ['batch', scores.size]);
  if (kind === 'loss') return { value: lossStart(builder, scores, explained, inputName), inputName };
  const value = shaped(builder, inputName, explained.shape);
  if (kind === 'input') return { value, inputName };
  return { value: builder.node('Mul', [value, explained.name], {}, 'start'), inputName };
}

function zerosLike(builder: GraphBuilder, { name, shape, size }: Scores, channels: number): string {
  const rows = flattened(builder, name, shape, size);
  const column = builder.node('ReduceSum', [rows, builder.ints([1])], {}, 'zero');
  const zero = builder.node('Mul', [column, builder.scalar(0)], {}, 'zero');
  return builder.node(
    'Add',
    [zero, builder.constant({ type: 'float32', dims: [channels], data: new Float32Array(channels) })],
    {},
    'zero',
  );
}
