// One ONNX graph with the forward pass and a backward pass over it. What flows back (relevance or gradient) is a
// message per value; a table with one rule per operator says how a node turns its output's message into its inputs'.

import type { WeightedLayer } from '../../onnx/index.ts';
import {
  type BatchAxis,
  type BatchPlace,
  batchAxes,
  batchAxisOf,
  describeNode,
  fixedBatchOf,
  type Graph,
  GraphBuilder,
  inferShapes,
  int,
  isBatchFirst,
  type Model,
  type Node,
  type OpTable,
  opOf,
  producers,
  readsOf,
  soleInput,
} from '../../onnx/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { biasedLayers } from './bias.ts';
import { nonNegativeValues } from './non-negative.ts';
import { shapeUnknown } from './unknown-shape.ts';

/**
 * What arrives at a value: `value`, or `base * value` when a base is named (both broadcast to the value's shape).
 * Keeping the factor apart saves multiplications, since most rules divide it out or pass it on.
 */
export interface BackwardMessage {
  readonly value: string;
  readonly base: string | undefined;
  /** What arrives is zero wherever this non-negative value is zero. */
  readonly zeroWhere: string | undefined;
}

/** What a rule works with. */
export interface BackwardContext {
  readonly builder: GraphBuilder;
  readonly graph: Graph;
  /** Shapes for a batch of one. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly nonNegative: ReadonlySet<string>;
  /** The weighted layer a node is, if it is one. */
  layer(node: Node): WeightedLayer | undefined;
  /** Where a weighted layer stands in execution order: 0 the first, 1 the last. */
  depth(layer: WeightedLayer): number;
  /** Whether anything above this value is asked for. */
  wanted(value: string): boolean;
  /** Adds to what arrives at a value. */
  send(value: string, message: BackwardMessage): void;
  /** The message as one tensor. */
  materialise(message: BackwardMessage): string;
  /** The node that makes a value; undefined for inputs and constants. */
  maker(value: string): Node | undefined;
  /** A value's positive and negative parts, made once. */
  parts(value: string): { readonly positive: string; readonly negative: string };
  shape(value: string): readonly number[];
  /** Along which axis a value's samples lie; E_UNSUPPORTED where nobody knows. */
  batchAxis(value: string): BatchAxis;
  /** A value's shape (or one like it) as a Reshape takes it at any batch size: -1 on the axis of its samples. */
  openShape(value: string, shape?: readonly number[]): number[];
  /** The same value on the reference input, of one row or one for each sample; only in passes that have one. */
  reference(value: string): string;
}

/** Turns the message at a node's first output (others rarely carry any) into messages at its inputs. */
export type BackwardRule = (
  context: BackwardContext,
  node: Node,
  messages: readonly (BackwardMessage | undefined)[],
) => void;

/** What is read out of the backward pass at each weighted layer's output. */
export type Readout = (context: BackwardContext, layer: WeightedLayer, message: BackwardMessage) => string;

/** What to build. */
export interface BackwardOptions {
  readonly rules: OpTable<BackwardRule>;
  readonly readout: Readout;
  /** Names of the weighted layers to read out; all by default. */
  readonly layers?: readonly string[];
  /** Also output what arrives at the model's input, in full. */
  readonly wantInput?: boolean;
  /**
   * Where the pass starts, at the logits (before a final Softmax): `input`: a second graph input `start`
   * `[batch, classes]`; `predicted`: one-hot at the largest; `loss`: the gradient of the cross-entropy against the
   * target distribution in `start`.
   */
  readonly start: 'input' | 'predicted' | 'loss';
  /** Adds a third input `reference` `[1 or batch, ...sample]` and a forward pass over it. */
  readonly withReference?: boolean;
}

/** The graph and the names to run it by. */
export interface BackwardGraph {
  readonly model: Model;
  readonly inputName: string;
  /** The start's input name, or undefined with `start: 'predicted'`. */
  readonly startName: string | undefined;
  readonly referenceName: string | undefined;
  readonly logitsName: string;
  /** Per read-out layer, in execution order: its name, channels and output value `[batch, channels]`. */
  readonly layers: readonly { readonly name: string; readonly channels: number; readonly output: string }[];
  readonly inputRelevanceName: string | undefined;
}

/**
 * Builds the graph from a canonical model at operator set 16 or later.
 * @throws BedsideError E_UNSUPPORTED when the pass would have to cross an operator without a rule, E_USAGE for a layer
 * that the model does not have
 */
export function buildBackward(model: Model, options: BackwardOptions): BackwardGraph {
  const shapes = inferShapes(model, 1);
  const places = batchAxes(model);
  const input = soleInput(model);
  const logits = model.graph.outputs[0]?.name ?? '';
  const classes = classesOf(logits, shapes, places);
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
  const asked = new Set(options.layers ?? layers.keys());
  for (const name of asked) if (!layers.has(name)) throw unknownLayer(name, [...layers.keys()]);
  const wantedValues = reachable(forward, layers, asked, options.wantInput ? input : undefined);
  const pending = new Map<string, BackwardMessage[]>();
  const makers = producers(forward);
  const parts = new Map<string, { positive: string; negative: string }>();

  const context: BackwardContext = {
    builder,
    graph: forward,
    shapes,
    nonNegative: nonNegativeValues(forward),
    layer: (node) => layers.get(node.name),
    depth: (layer) => [...layers.keys()].indexOf(layer.name) / Math.max(1, layers.size - 1),
    wanted: (value) => wantedValues.has(value),
    send(value, message) {
      if (!wantedValues.has(value)) return;
      const list = pending.get(value);
      if (list) list.push(message);
      else pending.set(value, [message]);
    },
    materialise: (message) =>
      message.base === undefined
        ? message.value
        : builder.node('Mul', [message.base, message.value], {}, 'relevance'),
    maker: (value) => makers.get(value),
    parts(value) {
      const known = parts.get(value);
      if (known) return known;
      const positive = builder.node('Relu', [value], {}, 'positive');
      const made = { positive, negative: builder.node('Sub', [value, positive], {}, 'negative') };
      parts.set(value, made);
      return made;
    },
    shape(value) {
      const shape = shapes.get(value);
      if (!shape) throw shapeUnknown(value);
      return shape;
    },
    batchAxis: (value) => batchAxisOf(places, value),
    openShape(value, shape = context.shape(value)) {
      if (places.get(value)?.kind === 'none') return [...shape];
      const { axis } = batchAxisOf(places, value);
      return shape.map((size, at) => (at === axis ? -1 : size));
    },
    reference: (value) => must(reference?.names.get(value), `no reference pass for '${value}'`),
  };

  const { value: start, inputName: startName } = addStart(builder, options.start, logits, classes);
  const explained = beforeSoftmax(makers, logits);
  wantedValues.add(explained);
  context.send(explained, { value: start, base: undefined, zeroWhere: undefined });

  const readouts = new Map<string, string>();
  for (const node of [...forward.nodes].reverse()) {
    // What arrives behind a bias is taken up at its layer.
    if (biases.has(node)) continue;
    const layer = layers.get(node.name);
    const values = layer ? [layer.output] : node.outputs;
    const messages = values.map((name) => collect(context, pending.get(name)));
    if (messages.every((message) => message === undefined)) continue;
    if (layer && messages[0] && asked.has(node.name)) {
      const whole: BackwardMessage = {
        value: context.materialise(messages[0]),
        base: undefined,
        zeroWhere: messages[0].zeroWhere ?? messages[0].base,
      };
      readouts.set(node.name, options.readout(context, layer, whole));
      messages[0] = whole;
    }
    if (!node.inputs.some((name) => wantedValues.has(name))) continue;
    ruleOf(options.rules, node)(context, node, messages);
  }

  const outputs: BackwardGraph['layers'][number][] = [];
  for (const [name, layer] of layers) {
    if (!asked.has(name)) continue;
    // A layer whose output never reaches the logits is explained by zero.
    const output = readouts.get(name) ?? zerosLike(builder, logits, layer.channels);
    builder.output(output, ['rows', layer.channels]);
    outputs.push({ name, channels: layer.channels, output });
  }
  let inputRelevanceName: string | undefined;
  if (options.wantInput) {
    const message = collect(context, pending.get(input));
    if (!message) throw new BedsideError('E_UNSUPPORTED', `the output does not depend on input '${input}'`);
    inputRelevanceName = builder.node('Identity', [context.materialise(message)], {}, 'input_relevance');
    builder.output(inputRelevanceName, undefined);
  }
  builder.output(logits, ['batch', classes]);
  return {
    model: { ...model, irVersion: Math.max(model.irVersion, 8), opsets: new Map(model.opsets), graph },
    inputName: input,
    startName,
    referenceName: reference?.inputName,
    logitsName: logits,
    layers: outputs,
    inputRelevanceName,
  };
}

/** The number of classes, where the logits are one row for each sample. */
function classesOf(
  logits: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  places: ReadonlyMap<string, BatchPlace>,
): number {
  const shape = shapes.get(logits);
  const [, classes] = shape ?? [];
  if (shape?.length === 2 && classes !== undefined && isBatchFirst(batchAxisOf(places, logits)))
    return classes;
  throw new BedsideError('E_UNSUPPORTED', `output '${logits}' is not [batch, classes]`, {
    hint: 'explain works on classifiers whose first output has one score a class',
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

/** Adds up what arrived; equal bases stay factored out. */
function collect(
  context: BackwardContext,
  messages: readonly BackwardMessage[] | undefined,
): BackwardMessage | undefined {
  if (!messages || messages.length === 0) return undefined;
  return messages.reduce((a, b) => {
    const zeroA = a.zeroWhere ?? a.base;
    const zeroWhere = zeroA !== undefined && zeroA === (b.zeroWhere ?? b.base) ? zeroA : undefined;
    if (a.base !== undefined && a.base === b.base) {
      return { value: context.builder.node('Add', [a.value, b.value], {}, 'sum'), base: a.base, zeroWhere };
    }
    const sum = context.builder.node('Add', [context.materialise(a), context.materialise(b)], {}, 'sum');
    return { value: sum, base: undefined, zeroWhere };
  });
}

/** Values at or below an asked-for layer's output (or the input): only there the pass has to go. */
function reachable(
  graph: Graph,
  layers: ReadonlyMap<string, WeightedLayer>,
  asked: ReadonlySet<string>,
  input: string | undefined,
): Set<string> {
  const values = new Set<string>(input === undefined ? [] : [input]);
  for (const node of graph.nodes) {
    const carries =
      node.inputs.some((name) => values.has(name)) || (layers.has(node.name) && asked.has(node.name));
    if (carries) for (const name of node.outputs) values.add(name);
  }
  return values;
}

/** A final Softmax is left out: the score before it is explained. */
function beforeSoftmax(makers: ReadonlyMap<string, Node>, logits: string): string {
  const last = makers.get(logits);
  return last && (opOf(last) === 'Softmax' || opOf(last) === 'LogSoftmax')
    ? (last.inputs[0] as string)
    : logits;
}

function addStart(builder: GraphBuilder, kind: BackwardOptions['start'], logits: string, classes: number) {
  if (kind === 'predicted') return { value: oneHotOfLargest(builder, logits, classes), inputName: undefined };
  const inputName = builder.input('start', ['batch', classes]);
  if (kind === 'input') return { value: inputName, inputName };
  const last = builder.graph.nodes.find((node) => node.outputs.includes(logits));
  const done = last && opOf(last) === 'Softmax';
  const probabilities = done ? logits : builder.node('Softmax', [logits], { axis: int(1) }, 'probabilities');
  return { value: builder.node('Sub', [probabilities, inputName], {}, 'loss'), inputName };
}

/**
 * A second forward pass, over the reference input. One reference for all samples is passed once and broadcast later,
 * unless the model fixes its batch or merges it with another axis: then it is spread over it.
 */
function addReference(
  builder: GraphBuilder,
  forward: Graph,
  input: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  places: ReadonlyMap<string, BatchPlace>,
): { inputName: string; names: Map<string, string> } {
  const inputName = builder.input('reference', ['references', ...(shapes.get(input) ?? []).slice(1)]);
  const merged = [...places.values()].some(
    (place) => place.kind === 'axis' && place.before * place.after > 1,
  );
  const spread =
    fixedBatchOf({ graph: forward }) !== undefined || merged
      ? spreadLike(builder, inputName, input)
      : inputName;
  const names = new Map([...forward.constants.keys()].map((name) => [name, name]));
  names.set(input, spread);
  for (const node of forward.nodes) {
    const outputs = node.outputs.map((name) => (name ? builder.fresh(`${name}_reference`) : ''));
    const captured = readsOf(node).find(
      (name) => !node.inputs.includes(name) && !forward.constants.has(name),
    );
    if (captured !== undefined) {
      throw new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: its subgraph reads '${captured}'`, {
        hint: 'DeepLIFT passes a reference through the network as well; take another criterion',
      });
    }
    builder.graph.nodes.push({
      ...node,
      name: builder.fresh(`${node.name}_reference`),
      inputs: node.inputs.map((name) => names.get(name) ?? name),
      outputs,
    });
    node.outputs.forEach((name, i) => {
      names.set(name, outputs[i] as string);
    });
  }
  return { inputName, names };
}

/** Copies one row for each row of another value, where there is one alone. */
export function spreadLike(builder: GraphBuilder, value: string, like: string): string {
  return builder.node('Expand', [value, builder.node('Shape', [like], {}, 'size')], {}, 'reference');
}

function oneHotOfLargest(builder: GraphBuilder, logits: string, classes: number): string {
  const index = builder.node(
    'ArgMax',
    [logits],
    { axis: { type: 'int', value: 1n }, keepdims: { type: 'int', value: 0n } },
    'predicted',
  );
  const depth = builder.ints([classes]);
  const values = builder.constant({ type: 'float32', dims: [2], data: Float32Array.of(0, 1) }, 'off_on');
  return builder.node('OneHot', [index, depth, values], {}, 'start');
}

function zerosLike(builder: GraphBuilder, logits: string, channels: number): string {
  const column = builder.node('ReduceSum', [logits, builder.ints([1])], {}, 'zero');
  const zero = builder.node('Mul', [column, builder.scalar(0)], {}, 'zero');
  return builder.node(
    'Add',
    [zero, builder.constant({ type: 'float32', dims: [channels], data: new Float32Array(channels) })],
    {},
    'zero',
  );
}
