// The workspace of a backward pass: the questions that its rules may ask, and the messages on their way.
import {
  type BatchAxis,
  type BatchPlace,
  batchAxisOf,
  type Graph,
  type GraphBuilder,
  type Node,
  producers,
  type WeightedLayer,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { nonNegativeValues } from './non-negative.ts';
import { shapeUnknown } from './unknown-shape.ts';

/**
 * The message at a value: `value`, or `base * value` when a base is named (both broadcast to the value's shape). The
 * separate factor saves multiplications, since most rules divide it out or pass it on.
 */
export interface BackwardMessage {
  readonly value: string;
  readonly base: string | undefined;
  /** The message is zero wherever this non-negative value is zero. */
  readonly zeroWhere: string | undefined;
}

/** The workspace of a rule. */
export interface BackwardContext {
  readonly builder: GraphBuilder;
  readonly graph: Graph;
  /** The standard operator set; 16 or later. */
  readonly opset: number;
  /** Shapes for a batch of one. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly nonNegative: ReadonlySet<string>;
  /** The weighted layer that a node is, if it is one. */
  layer(node: Node): WeightedLayer | undefined;
  /** Position of a weighted layer in execution order: 0 for the first, 1 for the last. */
  depth(layer: WeightedLayer): number;
  /** Whether a dense layer stands for a part of a recurrent layer. */
  isRecurrent(layer: WeightedLayer): boolean;
  /** Whether a message at this value leads to a read-out. */
  wanted(value: string): boolean;
  /** Adds to the message at a value. */
  send(value: string, message: BackwardMessage): void;
  /** The message as one tensor. */
  materialise(message: BackwardMessage): string;
  /** The node that computes a value; undefined for inputs and constants. */
  maker(value: string): Node | undefined;
  /** The positive and negative parts of a value, computed once. */
  parts(value: string): { readonly positive: string; readonly negative: string };
  /** Makes the output of a forward node as the sum of two values, which `make` adds from values before the node. */
  asSum(node: Node, make: () => readonly [string, string]): readonly [string, string];
  shape(value: string): readonly number[];
  /** The axis on which a value's samples lie; E_UNSUPPORTED where it is unknown. */
  batchAxis(value: string): BatchAxis;
  /**
   * A value's shape (or one like it) as a Reshape takes it at any batch size: with -1 on the axis of its samples, or 0 where
   * `from`, whose shape the reshaped value has, has them on the same one. The engine then knows that both sizes are equal,
   * and uses memory again: it searches all that is free for each result of unknown size, which takes seconds over many steps.
   */
  openShape(value: string, shape?: readonly number[], from?: string): number[];
  /** The same value on the reference input, with one row or one for each sample; only in passes with a reference. */
  reference(value: string): string;
}

/** Turns the message at a node's first output (others rarely have any) into messages at its inputs. */
export type BackwardRule = (
  context: BackwardContext,
  node: Node,
  messages: readonly (BackwardMessage | undefined)[],
) => void;

/** The parts of a pass. */
export interface PassParts {
  readonly builder: GraphBuilder;
  readonly forward: Graph;
  readonly opset: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly places: ReadonlyMap<string, BatchPlace>;
  readonly layers: ReadonlyMap<string, WeightedLayer>;
  /** The recurrent layer that a dense layer is a part of, by their names. */
  readonly owners: ReadonlyMap<string, string>;
  /** Values that messages are sent to; others are dropped. */
  readonly wanted: ReadonlySet<string>;
  /** Names of the same values on the reference input; undefined in passes without one. */
  readonly reference: ReadonlyMap<string, string> | undefined;
}

/** The context of a pass, and a function that gives the sum of the messages sent to a value so far. */
export function openPass(parts: PassParts): {
  readonly context: BackwardContext;
  readonly arrived: (value: string) => BackwardMessage | undefined;
} {
  const { builder, forward, shapes, places, layers, owners, wanted, reference } = parts;
  const ownerOf = (name: string): string => owners.get(name) ?? name;
  const order = [...new Set([...layers.keys()].map(ownerOf))];
  const pending = new Map<string, BackwardMessage[]>();
  const makers = producers(forward);
  const signed = new Map<string, { positive: string; negative: string }>();
  const context: BackwardContext = {
    builder,
    graph: forward,
    opset: parts.opset,
    shapes,
    nonNegative: nonNegativeValues(forward),
    layer: (node) => layers.get(node.name),
    depth: (layer) => order.indexOf(ownerOf(layer.name)) / Math.max(1, order.length - 1),
    isRecurrent: (layer) => owners.has(layer.name),
    wanted: (value) => wanted.has(value),
    send(value, message) {
      if (!wanted.has(value)) return;
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
      const known = signed.get(value);
      if (known) return known;
      const positive = builder.node('Relu', [value], {}, 'positive');
      const made = { positive, negative: builder.node('Sub', [value, positive], {}, 'negative') };
      signed.set(value, made);
      return made;
    },
    asSum(node, make) {
      const { nodes } = builder.graph;
      const before = nodes.length;
      const addends = make();
      const made = nodes.splice(before);
      const sum: Node = { ...node, op: 'Add', inputs: [...addends], attributes: new Map() };
      nodes.splice(nodes.indexOf(node), 1, ...made, sum);
      return addends;
    },
    shape(value) {
      const shape = shapes.get(value);
      if (!shape) throw shapeUnknown(value);
      return shape;
    },
    batchAxis: (value) => batchAxisOf(places, value),
    openShape(value, shape = context.shape(value), from = undefined) {
      if (places.get(value)?.kind === 'none') return [...shape];
      const { axis, before, after } = batchAxisOf(places, value);
      const source = places.get(from ?? '');
      const alike =
        source?.kind === 'axis' && source.axis === axis && source.before === before && source.after === after;
      return shape.map((size, at) => (at === axis ? (alike ? 0 : -1) : size));
    },
    reference: (value) => must(reference?.get(value), `no reference pass for '${value}'`),
  };
  return { context, arrived: (value) => collect(context, pending.get(value)) };
}

/** The sum of messages; equal bases stay factored out. */
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
