// Splits recurrent layers that run in both directions into two layers of one direction each, so that each direction's
// hidden units are channels of their own.
import { GraphBuilder } from '../builder.ts';
import { type Attribute, cloneNode, consumers, int, ints, type Model, type Node, string } from '../graph.ts';
import { intAttribute, intsAttribute, intsParameter, opOf } from '../ops.ts';
import { integersOf } from '../shapes/known.ts';
import { sliceAxis } from '../surgery.ts';
import { directionsOf, RECURRENT_INPUTS, type RecurrentLayer, recurrentLayer } from './recurrent-layer.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Axis of the directions of each output. */
const DIRECTION_AXES = [1, 0, 0] as const;

/**
 * Splits every layer of both directions, in place.
 * @param shapes of all values, at a batch that tells the batch from other axes
 * @param pinned values whose names must stay
 */
export function splitDirections(model: Model, shapes: Shapes, pinned: ReadonlySet<string>): void {
  const { graph } = model;
  const readers = consumers(graph);
  const nodes = graph.nodes;
  graph.nodes = [];
  const builder = new GraphBuilder({ ...graph, nodes });
  builder.graph.nodes = graph.nodes;
  const gone = new Set<Node>();
  const opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
  for (const node of nodes) {
    if (gone.has(node)) continue;
    const layer = directionsOf(node) === 2 ? recurrentLayer(graph, node) : undefined;
    if (!layer || layer.batchFirst) {
      graph.nodes.push(node);
      continue;
    }
    const [forward, reverse] = [0, 1].map((direction) =>
      oneDirection({ builder, opset }, layer, direction),
    ) as [Node, Node];
    graph.nodes.push(forward, reverse);
    node.outputs.forEach((value, index) => {
      if (!value) return;
      const parts = [forward.outputs[index] as string, reverse.outputs[index] as string] as const;
      const axis = DIRECTION_AXES[index] as number;
      const walk = { builder, opset, shapes, pinned, readers, gone, parts, axis };
      const left = (readers.get(value) ?? []).filter((reader) => !readApart(walk, reader, value));
      if (left.length > 0 || pinned.has(value))
        place(builder, 'Concat', parts, value, { axis: int(walk.axis) });
    });
  }
}

/** One direction as a layer of its own, with fresh outputs. */
function oneDirection(
  walk: Pick<Walk, 'builder' | 'opset'>,
  { node, op, directions }: RecurrentLayer,
  direction: number,
): Node {
  const { builder } = walk;
  const { constants } = builder.graph;
  const word = direction === 0 ? 'forward' : 'reverse';
  const part = cloneNode(node);
  part.name = builder.fresh(`${node.name || (node.outputs.find(Boolean) ?? op)}/${word}`);
  part.attributes.set('direction', string(word));
  for (const name of ['activations', 'activation_alpha', 'activation_beta'])
    halve(part, name, direction, directions);
  const at = RECURRENT_INPUTS;
  part.inputs = node.inputs.map((name, index) => {
    if (!name || index === at.data || index === at.lengths) return name;
    const constant = constants.get(name);
    if (constant?.type === 'float32')
      return builder.constant(sliceAxis(constant, 0, [direction]), `${name}_${word}`);
    return oneOf(walk, name, direction, `${name}_${word}`);
  });
  part.outputs = node.outputs.map((name) => (name ? builder.fresh(`${name}_${word}`) : ''));
  return part;
}

/** Keeps the part of a list that belongs to a direction. */
function halve(node: Node, name: string, direction: number, directions: number): void {
  const given = node.attributes.get(name);
  if (given?.type === 'floats') {
    const size = given.value.length / directions;
    node.attributes.set(name, {
      ...given,
      value: given.value.slice(direction * size, (direction + 1) * size),
    });
  } else if (given?.type === 'other') {
    const strings = given.carried.strings;
    const size = strings.length / directions;
    const carried = { ...given.carried, strings: strings.slice(direction * size, (direction + 1) * size) };
    node.attributes.set(name, { type: 'other', carried });
  }
}

interface Walk {
  readonly builder: GraphBuilder;
  readonly opset: number;
  readonly shapes: Shapes;
  readonly pinned: ReadonlySet<string>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  /** Nodes that were replaced. */
  readonly gone: Set<Node>;
  readonly parts: readonly [string, string];
  readonly axis: number;
}

/** Lets a reader read the two layers, if it takes the directions apart or puts them side by side. */
function readApart(walk: Walk, reader: Node, value: string): boolean {
  if (reader.inputs[0] !== value || reader.inputs.lastIndexOf(value) !== 0) return false;
  switch (opOf(reader)) {
    case 'Gather':
      return picksOne(walk, reader);
    case 'Slice':
      return slicesOne(walk, reader, value);
    case 'Split':
      return splitsBoth(walk, reader, value);
    case 'Transpose':
      return joinsBoth(walk, reader, value);
    default:
      return false;
  }
}

/** `Gather` of one direction by a constant. */
function picksOne(walk: Walk, reader: Node): boolean {
  const { builder, gone, parts, axis } = walk;
  const index = builder.graph.constants.get(reader.inputs[1] ?? '');
  const [picked, ...more] = integersOf(index) ?? [];
  if (picked === undefined || more.length > 0 || index?.dims.length !== 0) return false;
  if (intAttribute(reader, 'axis', 0) !== axis) return false;
  const part = parts[picked < 0 ? picked + 2 : picked];
  if (!part) return false;
  gone.add(reader);
  const { inputs, attributes } = withoutAxis(walk, part);
  place(builder, 'Squeeze', inputs, reader.outputs[0] as string, attributes);
  return true;
}

/** `Slice` of one direction by constants, along no other axis. */
function slicesOne(walk: Walk, reader: Node, value: string): boolean {
  const { builder, gone, parts, axis, shapes } = walk;
  const { graph } = builder;
  const rank = shapes.get(value)?.length ?? 0;
  if (reader.inputs.slice(1).some((name) => name && !integersOf(graph.constants.get(name)))) return false;
  const starts = intsParameter(graph, reader, 1, 'starts') ?? [];
  const ends = intsParameter(graph, reader, 2, 'ends') ?? [];
  const axes = intsParameter(graph, reader, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = intsParameter(graph, reader, 4, 'steps') ?? [1];
  if (axes.length !== 1 || ((axes[0] as number) + rank) % rank !== axis || steps[0] !== 1) return false;
  const [from, to] = [starts[0] as number, ends[0] as number].map((at) => Math.min(at < 0 ? at + 2 : at, 2));
  const part = to === (from as number) + 1 ? parts[from as number] : undefined;
  if (!part) return false;
  gone.add(reader);
  place(builder, 'Identity', [part], reader.outputs[0] as string);
  return true;
}

function splitsBoth({ builder, gone, parts, axis, shapes }: Walk, reader: Node, value: string): boolean {
  const rank = shapes.get(value)?.length ?? 0;
  const own = intAttribute(reader, 'axis', 0);
  if ((own + rank) % rank !== axis || reader.outputs.length !== 2) return false;
  if (reader.outputs.some((name) => shapes.get(name)?.[axis] !== 1)) return false;
  gone.add(reader);
  reader.outputs.forEach((name, index) => {
    if (name) place(builder, 'Identity', [parts[index] as string], name);
  });
  return true;
}

/** `Transpose` that puts directions beside units, then `Reshape` that merges the two: units of both, side by side. */
function joinsBoth(walk: Walk, transpose: Node, value: string): boolean {
  const { builder, shapes, pinned, readers, gone, parts, axis } = walk;
  const rank = shapes.get(value)?.length ?? 0;
  const perm = intsAttribute(transpose, 'perm');
  const turned = transpose.outputs[0] ?? '';
  const merged = readers.get(turned) ?? [];
  if (!perm || perm.at(-1) !== rank - 1 || perm.at(-2) !== axis || pinned.has(turned)) return false;
  const shape = shapes.get(turned);
  const sides = shape && [...shape.slice(0, -2), 2 * (shape.at(-1) as number)].join();
  const allMerge = merged.every(
    (reader) => opOf(reader) === 'Reshape' && shapes.get(reader.outputs[0] ?? '')?.join() === sides,
  );
  if (!sides || merged.length === 0 || !allMerge) return false;
  gone.add(transpose);
  const rest = perm.slice(0, -2).map((from) => (from > axis ? from - 1 : from));
  const order = [...rest, rank - 2];
  const inOrder = order.every((from, to) => from === to);
  const apart = parts.map((part) => {
    const { inputs, attributes } = withoutAxis(walk, part);
    const bare = builder.node('Squeeze', inputs, attributes, `${part}_units`);
    return inOrder ? bare : builder.node('Transpose', [bare], { perm: ints(order) }, `${part}_turned`);
  });
  for (const reader of merged) {
    gone.add(reader);
    place(builder, 'Concat', apart, reader.outputs[0] as string, { axis: int(rank - 2) });
  }
  return true;
}

/** Inputs and attributes of a Squeeze of the direction axis, as the operator set has them. */
function withoutAxis({ builder, opset, axis }: Walk, part: string) {
  return opset >= 13
    ? { inputs: [part, builder.ints([axis])], attributes: {} }
    : { inputs: [part], attributes: { axes: ints([axis]) } };
}

/** One direction of an initial state that is computed. */
function oneOf(
  { builder, opset }: Pick<Walk, 'builder' | 'opset'>,
  name: string,
  direction: number,
  hint: string,
): string {
  const [starts, ends, axes] = [[direction], [direction + 1], [0]] as const;
  if (opset < 10) {
    return builder.node('Slice', [name], { starts: ints(starts), ends: ints(ends), axes: ints(axes) }, hint);
  }
  return builder.node(
    'Slice',
    [name, builder.ints(starts), builder.ints(ends), builder.ints(axes)],
    {},
    hint,
  );
}

/** Adds a node that makes a value of a given name. */
function place(
  builder: GraphBuilder,
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): void {
  builder.graph.nodes.push({
    name: builder.fresh(`${output}_${op.toLowerCase()}`),
    op,
    domain: '',
    inputs: [...inputs],
    outputs: [output],
    attributes: new Map(Object.entries(attributes)),
  });
}
