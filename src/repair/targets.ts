// Decides what each layer is refitted toward, and in which order.

import type { Model } from '../onnx/index.ts';
import { consumers, type Node, opOf, producers, type WeightedLayer } from '../onnx/internal.ts';

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
  const [sum, ...more] = consumers(model.graph).get(layer.output) ?? [];
  if (!sum || more.length > 0 || opOf(sum) !== 'Add') return own;
  const other = sum.inputs.find((name) => name !== layer.output);
  if (other === undefined || model.graph.constants.has(other)) return own;
  const alike = String(shapes.get(other)) === String(shapes.get(layer.output));
  const finished = ![...nodesAbove(model, other)].some((node) => pending.has(node.name));
  return alike && finished ? { value: sum.outputs[0] as string, minus: other } : own;
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
