// Layers whose weights cannot be cut: the number of their output channels, and the reason.
import type { Constant } from '../onnx/index.ts';
import {
  constantInput,
  describeNode,
  elemTypeName,
  intAttribute,
  type Node,
  opOf,
  outputChannels,
} from '../onnx/internal.ts';
import type { Propagation } from './propagation.ts';

/** Records a Conv, ConvTranspose, Gemm or MatMul without a layout, and freezes what it reads. */
export function uncuttable(walk: Propagation, node: Node): void {
  const weight = weightInput(walk, node);
  const reason = weight === undefined ? undefined : reasonOf(walk, node, weight);
  if (weight !== undefined && reason !== undefined) {
    const dims = storedAs(walk, node.inputs[weight])?.dims ?? walk.shape(node.inputs[weight]) ?? [];
    walk.addFixed(node, channelsOf(node, weight, dims), `${describeNode(node)} ${reason}`);
  }
  walk.freezeInputs(node, reason ?? 'multiplies two computed values');
}

/** Records a node if it is a weighted operator without a rule (quantised, fused or recurrent). */
export function unknownLayer(walk: Propagation, node: Node): void {
  const weighted = WEIGHTED.get(node.op);
  const dims = weighted && (walk.constant(node.inputs[weighted.input])?.dims ?? walk.shape(node.outputs[0]));
  if (!weighted || !dims) return;
  const recurrent = RECURRENT.has(node.op);
  const channels = recurrent
    ? intAttribute(node, 'hidden_size', 0) * (dims[0] ?? 1)
    : (dims.at(weighted.axis) ?? 0);
  const why = recurrent
    ? 'has weights that are computed at run time, or not float32'
    : 'is an operator whose weights are not cut';
  walk.addFixed(node, channels, `${describeNode(node)} ${why}`);
}

/** For weighted operators without a rule: the input that holds the weight, and its axis of output channels. */
const WEIGHTED: ReadonlyMap<string, { readonly input: number; readonly axis: number }> = new Map([
  ['ConvInteger', { input: 1, axis: 0 }],
  ['FusedConv', { input: 1, axis: 0 }],
  ['FusedGemm', { input: 1, axis: -1 }],
  ['FusedMatMul', { input: 1, axis: -1 }],
  ['GRU', { input: 1, axis: 1 }],
  ['LSTM', { input: 1, axis: 1 }],
  ['DynamicQuantizeMatMul', { input: 1, axis: -1 }],
  ['MatMulInteger', { input: 1, axis: -1 }],
  ['MatMulIntegerToFloat', { input: 1, axis: -1 }],
  ['QGemm', { input: 3, axis: -1 }],
  ['QLinearConv', { input: 3, axis: 0 }],
  ['QLinearMatMul', { input: 3, axis: -1 }],
  ['RNN', { input: 1, axis: 1 }],
]);

const RECURRENT: ReadonlySet<string> = new Set(['GRU', 'LSTM', 'RNN']);

/** The input that holds the weights; undefined for a product of two computed values. */
export function weightInput(walk: Propagation, node: Node): number | undefined {
  if (opOf(node) !== 'MatMul') return 1;
  const found = [1, 0].find((input) => storedAs(walk, node.inputs[input]));
  return found;
}

/** The constant that a value is, or that it is computed from by dequantising, casting or moving axes. */
function storedAs(walk: Propagation, name: string | undefined): Constant | undefined {
  let value = name;
  for (let steps = 0; steps < 8; steps++) {
    const constant = walk.constant(value);
    if (constant) return constant;
    const maker = walk.maker(value);
    if (!maker || !UNWRAPPED.has(maker.op)) return undefined;
    value = maker.inputs[0];
  }
  return undefined;
}

const UNWRAPPED: ReadonlySet<string> = new Set(['Cast', 'DequantizeLinear', 'QuantizeLinear', 'Transpose']);

function reasonOf(walk: Propagation, node: Node, weight: number): string {
  const constant = constantInput(walk.graph, node, weight);
  const bias = opOf(node) === 'MatMul' ? undefined : node.inputs[2];
  if (!constant) {
    const stored = storedAs(walk, node.inputs[weight]);
    if (!stored) return 'has weights that are computed at run time';
    const through = walk.maker(node.inputs[weight])?.op;
    return through === 'DequantizeLinear'
      ? `has quantised weights (${elemTypeName(stored)}), which are not cut`
      : `has weights that are computed from constants (${elemTypeName(stored)}) at run time by ${through}`;
  }
  if (constant.type !== 'float32') return `has ${elemTypeName(constant)} weights; only float32 ones are cut`;
  if (constantInput(walk.graph, node, weight === 1 ? 0 : 1)) return 'has two constant factors';
  const biasConstant = walk.constant(bias);
  if (bias && !biasConstant) return 'has a bias that is computed at run time';
  if (biasConstant && biasConstant.type !== 'float32')
    return `has a ${elemTypeName(biasConstant)} bias; only float32 ones are cut`;
  return `has weights of unusual rank ([${constant.dims.join(', ')}])`;
}

/**
 * Output channels of a layer, from the sizes of its weight. A MatMul with its weight on the left has them on the last
 * axis but one.
 */
function channelsOf(node: Node, weight: number, dims: readonly number[]): number {
  if (opOf(node) !== 'MatMul') return outputChannels(node, dims);
  return dims.at(weight === 1 ? -1 : -2) ?? 0;
}
