// The operators bedside understands. Rule tables (shapes, costs, relevance, pruning) are typed over this union,
// so leaving an operator out of one does not compile. Any other operator is carried through untouched.
import { BedsideError } from '../util/index.ts';
import { toNumber } from './codec/numbers.ts';
import type { Constant, Graph, Node } from './graph.ts';
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  FUNCTION_OPS,
  LOGIC_OPS,
  NARY_OPS,
  REDUCTION_OPS,
  STEP_OPS,
  TEST_OPS,
} from './op-families.ts';
import { integersOf } from './shapes/known.ts';

export { toNumber } from './codec/numbers.ts';

const RULED = [
  ...FUNCTION_OPS,
  ...STEP_OPS,
  ...COMPARISON_OPS,
  ...LOGIC_OPS,
  ...TEST_OPS,
  ...NARY_OPS,
  ...REDUCTION_OPS,
  ...ARGUMENT_OPS,
  'Add',
  'AveragePool',
  'BatchNormalization',
  'Cast',
  'Clip',
  'Concat',
  'Constant',
  'ConstantOfShape',
  'Conv',
  'ConvTranspose',
  'CumSum',
  'DepthToSpace',
  'Div',
  'Dropout',
  'Einsum',
  'Elu',
  'Erf',
  'Exp',
  'Expand',
  'Flatten',
  'GRU',
  'Gather',
  'Gelu',
  'Gemm',
  'GlobalAveragePool',
  'GlobalLpPool',
  'GlobalMaxPool',
  'GroupNormalization',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'InstanceNormalization',
  'LRN',
  'LSTM',
  'LayerNormalization',
  'LeakyRelu',
  'LogSoftmax',
  'LpNormalization',
  'LpPool',
  'MatMul',
  'MaxPool',
  'MeanVarianceNormalization',
  'Mod',
  'Mul',
  'PRelu',
  'Pad',
  'RNN',
  'Range',
  'Pow',
  'ReduceMean',
  'Relu',
  'Reshape',
  'Resize',
  'Shape',
  'Sigmoid',
  'Size',
  'Slice',
  'Softmax',
  'SpaceToDepth',
  'Split',
  'Sqrt',
  'Squeeze',
  'Sub',
  'Tanh',
  'Tile',
  'Transpose',
  'Unsqueeze',
  'Upsample',
  'Where',
] as const;

export type OpName = (typeof RULED)[number];

/** In alphabetical order. */
export const OPS: readonly OpName[] = [...RULED].sort();

/** One entry for every operator. */
export type OpTable<T> = { readonly [K in OpName]: T };

const KNOWN: ReadonlySet<string> = new Set(OPS);

/** The node's operator if it is a standard one that bedside understands; otherwise undefined. */
export function opOf(node: Node): OpName | undefined {
  const standard = node.domain === '' || node.domain === 'ai.onnx';
  return standard && KNOWN.has(node.op) ? (node.op as OpName) : undefined;
}

/** How a node is named in messages: its own name, or its operator and first output. */
export function describeNode(node: Node): string {
  return node.name ? `${node.op} '${node.name}'` : `${node.op} -> '${node.outputs[0] ?? ''}'`;
}

/** An integer attribute, clamped to the safe range (INT64_MAX means "to the end" in slices). */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return fallback;
  if (attribute.type !== 'int') throw wrongAttribute(node, name, 'an int');
  return toNumber(attribute.value);
}

/** A list of integers, or undefined when the attribute is absent. */
export function intsAttribute(node: Node, name: string): number[] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.type !== 'ints') throw wrongAttribute(node, name, 'a list of ints');
  return attribute.value.map(toNumber);
}

/** A float attribute. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return fallback;
  if (attribute.type !== 'float') throw wrongAttribute(node, name, 'a float');
  return attribute.value;
}

/** A string attribute. */
export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return fallback;
  if (attribute.type !== 'string') throw wrongAttribute(node, name, 'a string');
  return attribute.value;
}

/** The constant read by input `index`, or undefined when that input is absent or computed. */
export function constantInput(graph: Graph, node: Node, index: number): Constant | undefined {
  const name = node.inputs[index];
  return name ? graph.constants.get(name) : undefined;
}

/**
 * Integers that newer operator sets pass as an input and older ones as an attribute (axes, pads, split ...).
 * Undefined when neither is there.
 * @throws BedsideError E_UNSUPPORTED when the input is computed at run time
 */
export function intsParameter(
  graph: Graph,
  node: Node,
  index: number,
  attribute: string,
): number[] | undefined {
  const name = node.inputs[index];
  if (!name) return intsAttribute(node, attribute);
  const values = integersOf(graph.constants.get(name));
  if (values) return values;
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${describeNode(node)}: input '${name}' (${attribute}) is not a constant of integers`,
    {
      hint: 'fold constants first, or export the model with fixed sizes apart from the batch',
    },
  );
}

function wrongAttribute(node: Node, name: string, expected: string): BedsideError {
  return new BedsideError('E_MODEL', `${describeNode(node)}: attribute '${name}' is not ${expected}`, {
    hint: 'check the model with onnx.checker and export it again',
  });
}
