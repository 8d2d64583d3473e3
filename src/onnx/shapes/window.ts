// Parameters of sliding windows (convolutions and pools), with every default and auto_pad resolved; any rank.
// Specification: https://onnx.ai/onnx/operators/onnx__Conv.html, onnx__ConvTranspose.html, onnx__MaxPool.html
import { BedsideError } from '../../util/index.ts';
import type { Graph, Node } from '../graph.ts';
import { constantInput, describeNode, intAttribute, intsAttribute, stringAttribute } from '../ops.ts';

/** A window, per spatial axis. */
export interface WindowParameters {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

/** A Conv or ConvTranspose. */
export interface ConvParameters extends WindowParameters {
  readonly groups: number;
  /** ConvTranspose only: extra size at the end of each axis; zeros for Conv. */
  readonly outputPadding: readonly number[];
}

/** A MaxPool or AveragePool. */
export interface PoolParameters extends WindowParameters {
  readonly ceilMode: boolean;
  /** AveragePool only: whether padding counts in the divisor. */
  readonly countIncludePad: boolean;
}

/**
 * The parameters of a Conv or ConvTranspose that reads an input of shape `[batch, channels, ...spatial]`.
 * @throws BedsideError E_MODEL when attributes do not fit the input, E_UNSUPPORTED when the kernel is unknown
 */
export function convParameters(
  graph: Graph,
  node: Node,
  inputShape: readonly number[],
  weightShape: readonly number[] | undefined = constantInput(graph, node, 1)?.dims,
): ConvParameters {
  const spatial = spatialOf(node, inputShape);
  const kernel = intsAttribute(node, 'kernel_shape') ?? weightShape?.slice(2);
  if (!kernel) {
    throw new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: its weight's shape is not known`, {
      hint: 'export the model with the weight as a constant',
    });
  }
  if (weightShape && kernel.join() !== weightShape.slice(2).join()) {
    throw wrong(node, `kernel_shape [${kernel}] is not that of the weight [${weightShape}]`);
  }
  const groups = intAttribute(node, 'group', 1);
  if (groups < 1) throw wrong(node, `group is ${groups}, expected 1 or more`);
  const window = { spatial, kernel, ...stepsOf(node, kernel, spatial.length) };
  const zeros = spatial.map(() => 0);
  if (node.op !== 'ConvTranspose') return { ...resolvePads(node, window), groups, outputPadding: zeros };
  const outputPadding = axesList(node, 'output_padding', spatial.length, 0) ?? zeros;
  return { ...resolveTransposedPads(node, window, outputPadding), groups };
}

/**
 * The parameters of a MaxPool or AveragePool that reads an input of shape `[batch, channels, ...spatial]`.
 * @throws BedsideError E_MODEL when attributes do not fit the input
 */
export function poolParameters(_graph: Graph, node: Node, inputShape: readonly number[]): PoolParameters {
  const spatial = spatialOf(node, inputShape);
  const kernel = intsAttribute(node, 'kernel_shape');
  if (!kernel) throw wrong(node, 'kernel_shape is missing');
  const window = { spatial, kernel, ...stepsOf(node, kernel, spatial.length) };
  return {
    ...resolvePads(node, window),
    ceilMode: intAttribute(node, 'ceil_mode', 0) !== 0,
    countIncludePad: intAttribute(node, 'count_include_pad', 0) !== 0,
  };
}

/** Spatial output sizes of a Conv or a pool. */
export function windowOutput(
  node: Node,
  inputShape: readonly number[],
  parameters: WindowParameters,
  ceilMode = false,
): number[] {
  const { kernel, strides, dilations, padsBegin, padsEnd } = parameters;
  return inputShape.slice(2).map((size, axis) => {
    const stride = at(strides, axis);
    const extent = at(dilations, axis) * (at(kernel, axis) - 1) + 1;
    const room = size + at(padsBegin, axis) + at(padsEnd, axis) - extent;
    if (room < 0) throw wrong(node, `a window of ${extent} does not fit axis ${axis + 2} of [${inputShape}]`);
    if (!ceilMode) return Math.floor(room / stride) + 1;
    const output = Math.ceil(room / stride) + 1;
    // A last window that would start in the end padding is dropped.
    return (output - 1) * stride >= size + at(padsBegin, axis) ? output - 1 : output;
  });
}

/** Spatial output sizes of a ConvTranspose. */
export function transposedOutput(
  node: Node,
  inputShape: readonly number[],
  parameters: ConvParameters,
): number[] {
  const { kernel, strides, dilations, padsBegin, padsEnd, outputPadding } = parameters;
  return inputShape.slice(2).map((size, axis) => {
    const extent = at(dilations, axis) * (at(kernel, axis) - 1) + 1;
    const full = at(strides, axis) * (size - 1) + at(outputPadding, axis) + extent;
    const output = full - at(padsBegin, axis) - at(padsEnd, axis);
    if (output < 0) throw wrong(node, `padding is larger than the output on axis ${axis + 2}`);
    return output;
  });
}

interface OpenWindow {
  readonly spatial: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

function stepsOf(
  node: Node,
  kernel: readonly number[],
  rank: number,
): { strides: number[]; dilations: number[] } {
  if (kernel.length !== rank || kernel.some((size) => size < 1)) {
    throw wrong(node, `kernel_shape is [${kernel}], expected ${rank} positive sizes`);
  }
  const ones = kernel.map(() => 1);
  return {
    strides: axesList(node, 'strides', rank, 1) ?? ones,
    dilations: axesList(node, 'dilations', rank, 1) ?? ones,
  };
}

function resolvePads(node: Node, window: OpenWindow): WindowParameters {
  const { spatial, kernel, strides, dilations } = window;
  const rest = { kernel, strides, dilations };
  const same = autoPad(node);
  if (same === undefined) return { ...rest, ...explicitPads(node, spatial.length) };
  const totals = spatial.map((size, axis) => {
    if (same === 'VALID') return 0;
    const stride = at(strides, axis);
    const extent = at(dilations, axis) * (at(kernel, axis) - 1) + 1;
    return Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
  });
  return { ...rest, ...splitPads(totals, same === 'SAME_LOWER') };
}

function resolveTransposedPads(
  node: Node,
  window: OpenWindow,
  outputPadding: readonly number[],
): WindowParameters & Pick<ConvParameters, 'outputPadding'> {
  const { spatial, kernel, strides, dilations } = window;
  const rest = { kernel, strides, dilations };
  const same = autoPad(node);
  const wanted = intsAttribute(node, 'output_shape')?.slice(-spatial.length);
  if (wanted && wanted.length !== spatial.length)
    throw wrong(node, `output_shape needs ${spatial.length} sizes`);
  if (!wanted && same === undefined) return { ...rest, ...explicitPads(node, spatial.length), outputPadding };
  // Excess of the window over the output; negative where a requested output is larger: it is padded at its end.
  const excess = spatial.map((size, axis) => {
    if (!wanted && same === 'VALID') return 0;
    const stride = at(strides, axis);
    const extent = at(dilations, axis) * (at(kernel, axis) - 1) + 1;
    const output = wanted ? at(wanted, axis) : size * stride;
    return stride * (size - 1) + at(outputPadding, axis) + extent - output;
  });
  const totals = excess.map((total) => Math.max(0, total));
  return {
    ...rest,
    ...splitPads(totals, same !== 'SAME_UPPER'),
    outputPadding: wanted
      ? excess.map((total, axis) => at(outputPadding, axis) + Math.max(0, -total))
      : outputPadding,
  };
}

/** `auto_pad`, or undefined when pads are explicit. */
function autoPad(node: Node): 'VALID' | 'SAME_UPPER' | 'SAME_LOWER' | undefined {
  const value = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (value === 'NOTSET' || value === '') return undefined;
  if (value === 'VALID' || value === 'SAME_UPPER' || value === 'SAME_LOWER') return value;
  throw wrong(node, `auto_pad is '${value}'`);
}

function explicitPads(node: Node, rank: number): { padsBegin: number[]; padsEnd: number[] } {
  const pads = axesList(node, 'pads', 2 * rank, 0) ?? new Array<number>(2 * rank).fill(0);
  return { padsBegin: pads.slice(0, rank), padsEnd: pads.slice(rank) };
}

function splitPads(
  totals: readonly number[],
  moreAtBegin: boolean,
): { padsBegin: number[]; padsEnd: number[] } {
  const smaller = totals.map((total) => Math.floor(total / 2));
  const larger = totals.map((total) => Math.ceil(total / 2));
  return moreAtBegin ? { padsBegin: larger, padsEnd: smaller } : { padsBegin: smaller, padsEnd: larger };
}

function axesList(node: Node, name: string, length: number, least: number): number[] | undefined {
  const list = intsAttribute(node, name);
  if (list === undefined || list.length === 0) return undefined;
  if (list.length !== length || list.some((entry) => entry < least)) {
    throw wrong(node, `${name} is [${list}], expected ${length} numbers of at least ${least}`);
  }
  return list;
}

function spatialOf(node: Node, inputShape: readonly number[]): readonly number[] {
  if (inputShape.length < 3)
    throw wrong(node, `its input has shape [${inputShape}], expected rank 3 or more`);
  return inputShape.slice(2);
}

function at(list: readonly number[], index: number): number {
  return list[index] ?? 0;
}

function wrong(node: Node, what: string): BedsideError {
  return new BedsideError('E_MODEL', `${describeNode(node)}: ${what}`, {
    hint: 'check the model with onnx.checker and export it again',
  });
}
