// The workspace of definitions that write an operator out in simpler ones.
import type { Attribute } from '../../onnx/index.ts';
import type { GraphBuilder, Node } from '../../onnx/internal.ts';

/** The workspace of a definition. */
export interface Scope {
  readonly builder: GraphBuilder;
  /** The operator set. */
  readonly opset: number;
  /** Of a value that the model has, for one sample. */
  readonly shape: (value: string) => readonly number[];
  /** Adds an operation; numbers stand for constants. */
  readonly op: (
    op: string,
    inputs: readonly (string | number)[],
    attributes?: Record<string, Attribute>,
  ) => string;
}

/** Writes a node out; returns the name of the value that stands for its output. */
export type Definition = (scope: Scope, node: Node) => string;

/** The first input. */
export function first(node: Node): string {
  return node.inputs[0] as string;
}
