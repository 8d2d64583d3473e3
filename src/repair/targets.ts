// Decides what each layer is refitted toward, and in which order.

import type { Model } from '../onnx/index.ts';
import {
  consumers,
  intsAttribute,
  type Node,
  opOf,
  producers,
  type WeightedLayer,
} from '../onnx/internal.ts';

/**
 * The target of a layer: its own output, or the value that makes a residual sum right given the other branch as it is
 * now.
 */
export interface LayerTarget {
  /** A value of the unpruned model. */
  readonly value: string;
  /** A value of the pruned model to subtract. */
  readonly minus: string | undefined;
}

/**
 * Execution order, with one exception: where two weighted layers meet in a sum, the one with more unknowns comes last.
 * It is refitted toward the sum and makes up for the error of the other.
 */
function repairOrder(model: Model, layers: readonly WeightedLayer[]): WeightedLayer[] {
  const order = [...layers];
  const makers = new Map(layers.map((layer) => [layer.output, layer]));
  const readers = consumers(model.graph);
  for (const node of model.graph.nodes) {
    if (opOf(node) !== 'Add') continue;
    const [a, b] = node.inputs.map((name) =>
      readers.get(name)?.length === 1 ? makers.get(name) : undefined,
    );
    if (!a || !b) continue;
    const [first, last] = order.indexOf(a) < order.indexOf(b) ? [a, b] : [b, a];
    // No node reads the first one before the sum, so it may wait.
    if (unknowns(first) <= unknowns(last)) continue;
    order.splice(order.indexOf(first), 1);
    order.splice(order.indexOf(last) + 1, 0, first);
  }
  return order;
}

/** Layers in the order in which they are refitted, with their targets. */
export function orderedTargets(
  model: Model,
  layers: readonly WeightedLayer[],
  shapes: ReadonlyMap<string, readonly number[]>,
): { readonly layer: WeightedLayer; readonly target: LayerTarget }[] {
  const order = repairOrder(model, layers);
  const pending = new Set(order.map(({ name }) => name));
  return order.map((layer) => {
    const target = targetOf(model, layer, pending, shapes);
    pending.delete(layer.name);
    return { layer, target };
  });
}

/** The target of a layer, given which layers (itself included) are not refitted yet. */
function targetOf(
  model: Model,
  layer: WeightedLayer,
  pending: ReadonlySet<string>,
  shapes: ReadonlyMap<string, readonly number[]>,
): LayerTarget {
  const own: LayerTarget = { value: layer.output, minus: undefined };
  const readers = consumers(model.graph);
  const end = endOfMoves(readers, layer, shapes);
  const [sum, ...more] = readers.get(end) ?? [];
  if (!sum || more.length > 0 || opOf(sum) !== 'Add') return own;
  const other = sum.inputs.find((name) => name !== end);
  if (other === undefined || model.graph.constants.has(other)) return own;
  const alike = String(shapes.get(other)) === String(shapes.get(end));
  const finished = ![...nodesAbove(model, other)].some((node) => pending.has(node.name));
  return alike && finished ? { value: sum.outputs[0] as string, minus: other } : own;
}

/**
 * The last value behind a dense layer that lays each sample out as the layer does: behind nodes that only take its rows
 * apart or move the axis of the samples.
 */
function endOfMoves(
  readers: ReadonlyMap<string, readonly Node[]>,
  layer: WeightedLayer,
  shapes: ReadonlyMap<string, readonly number[]>,
): string {
  let value = layer.output;
  for (;;) {
    const [node, ...more] = readers.get(value) ?? [];
    const output = node?.outputs[0] ?? '';
    const [from, to] = [shapes.get(value), shapes.get(output)];
    if (!node || more.length > 0 || layer.kind !== 'dense' || !from || !to) return value;
    if (from.at(-1) !== layer.channels || to.at(-1) !== layer.channels) return value;
    const order = opOf(node) === 'Transpose' ? intsAttribute(node, 'perm') : undefined;
    const wide = order?.filter((axis) => (from[axis] ?? 1) > 1) ?? [];
    const keeps = order !== undefined && wide.every((axis, i) => i === 0 || axis > (wide[i - 1] as number));
    if (opOf(node) !== 'Reshape' && !keeps) return value;
    value = output;
  }
}

function unknowns(layer: WeightedLayer): number {
  return layer.weight.length / layer.channels;
}

/** Every node that a value depends on. */
function nodesAbove(model: Model, value: string): Set<Node> {
  const makers = producers(model.graph);
  const found = new Set<Node>();
  const queue = [value];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = makers.get(name);
    if (!node || found.has(node)) continue;
    found.add(node);
    for (const input of node.inputs) queue.push(input);
  }
  return found;
}
