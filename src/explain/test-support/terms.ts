// An operator that is linear in its input, given what the input is, as an explicit list of terms:
// output[out] = sum of weight * operand[at] over the terms, plus a bias. Written from the ONNX definitions as loops over
// output and input positions; the reference for both the forward pass and the relevance rules.
import type { Model } from '../../onnx/index.ts';
import type { Node } from '../../onnx/internal.ts';
import type { Doubles } from './positions.ts';

/** One product in the sum that makes an output element. */
export interface Term {
  readonly out: number;
  /** Which input of the node. */
  readonly operand: number;
  readonly at: number;
  readonly weight: number;
}

/** One output of a node as a linear function. */
export interface Linear {
  readonly dims: readonly number[];
  readonly terms: readonly Term[];
  /** The bias of an output element. */
  readonly bias: (out: number) => number;
}

/** What the functions below are given: the node, its model and its inputs (constants included). */
export interface Operation {
  readonly model: Model;
  readonly node: Node;
  readonly inputs: readonly Doubles[];
}

export const noBias = (): number => 0;
