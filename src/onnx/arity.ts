// How many inputs an operator cannot do without, in any operator set: rules may then take them as given.
import { BedsideError } from '../util/index.ts';
import type { Node } from './graph.ts';
import { type OpName, opOf } from './ops.ts';

/** All others need one. */
const LEAST: { readonly [K in OpName]?: number } = {
  Add: 2,
  BatchNormalization: 5,
  Constant: 0,
  Conv: 2,
  ConvTranspose: 2,
  Div: 2,
  Expand: 2,
  Gather: 2,
  Gemm: 2,
  MatMul: 2,
  Mul: 2,
  PRelu: 2,
  Sub: 2,
};

/**
 * Checks a node of a known operator; those of others are carried through as they are.
 * @param label names the model and the node
 * @throws BedsideError E_MODEL when an input or the output that every such node has is missing
 */
export function assertArity(node: Node, label: string): void {
  const op = opOf(node);
  if (op === undefined) return;
  const least = LEAST[op] ?? 1;
  const absent = Array.from({ length: least }, (_, i) => i).find((i) => !node.inputs[i]);
  const what =
    absent === undefined ? (node.outputs[0] ? undefined : 'output 0') : `input ${absent} of ${least}`;
  if (what === undefined) return;
  throw new BedsideError('E_MODEL', `${label} has no ${what}`, {
    hint: 'the model is damaged, or was not exported correctly; check it with onnx.checker',
  });
}
