// Reads attributes and constant inputs for the reference interpreter, apart from the readers under test.
import type { Model } from '../../onnx/index.ts';
import type { Node } from '../../onnx/internal.ts';

export function intOf(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'int' ? Number(attribute.value) : fallback;
}

export function floatOf(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'float' ? attribute.value : fallback;
}

export function intsOf(node: Node, name: string, fallback: readonly number[]): readonly number[] {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'ints' ? attribute.value.map(Number) : fallback;
}

/** An int64 constant read by an input. */
export function intsInput(model: Model, node: Node, index: number): readonly number[] | undefined {
  const constant = model.graph.constants.get(node.inputs[index] ?? '');
  return constant?.type === 'int64' ? Array.from(constant.data, Number) : undefined;
}
