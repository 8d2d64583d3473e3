// The standard operators whose form or meaning changed between operator sets 7 and 16, and how each is carried across.
// Sources: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
// Operators that are not listed only gained element types, optional inputs, or attributes whose default is the old
// meaning. A conversion changes one node in place; what it cannot write is refused by name.
import { BedsideError } from '../../util/index.ts';
import type { GraphBuilder } from '../builder.ts';
import { type Constant, floatConstant, int, intConstant, type Node, sizeOf, string } from '../graph.ts';
import { describeNode, floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../ops.ts';
import { knownOf } from '../shapes/known.ts';

/** The workspace of a conversion. */
export interface UpgradeScope {
  readonly builder: GraphBuilder;
  /** The operator set that the node is written in. */
  readonly version: number;
  readonly shapeOf: (value: string) => readonly number[] | undefined;
  readonly constantOf: (value: string) => Constant | undefined;
  readonly isRead: (value: string) => boolean;
}

/** Rewrites a node of an operator set below the last one listed. */
type Convert = (scope: UpgradeScope, node: Node) => void;

interface Change {
  /** Operator sets that changed the operator's form or meaning. */
  readonly changedIn: readonly number[];
  readonly convert: Convert;
}

/** By operator. */
export const CHANGES: Readonly<Record<string, Change>> = {
  BatchNormalization: { changedIn: [9, 14], convert: batchNormalization },
  Clip: { changedIn: [11], convert: clip },
  Dropout: { changedIn: [10, 12], convert: dropout },
  Hardmax: { changedIn: [13], convert: flattening },
  LogSoftmax: { changedIn: [13], convert: flattening },
  Pad: { changedIn: [11], convert: pad },
  ReduceSum: { changedIn: [13], convert: (scope, node) => intsToInput(scope, node, 'axes', 1) },
  Resize: { changedIn: [11, 13], convert: resize },
  RoiAlign: { changedIn: [16], convert: roiAlign },
  Scan: { changedIn: [9], convert: (scope, node) => refuse(scope, node) },
  Scatter: { changedIn: [11], convert: scatter },
  Slice: { changedIn: [10], convert: slice },
  Softmax: { changedIn: [13], convert: flattening },
  Split: { changedIn: [13], convert: (scope, node) => intsToInput(scope, node, 'split', 1) },
  Squeeze: { changedIn: [13], convert: (scope, node) => intsToInput(scope, node, 'axes', 1) },
  TopK: { changedIn: [10], convert: topK },
  Unsqueeze: { changedIn: [13], convert: (scope, node) => intsToInput(scope, node, 'axes', 1) },
  Upsample: { changedIn: [9, 10], convert: upsample },
};

/** Whether an operator changed after an operator set. */
export function isAffected(op: string, domain: string, version: number): boolean {
  if (domain !== '' && domain !== 'ai.onnx') return false;
  return Object.hasOwn(CHANGES, op) && (CHANGES[op]?.changedIn.some((set) => set > version) ?? false);
}

/**
 * Writes a node as operator set 16 does, in place.
 * @throws BedsideError E_UNSUPPORTED where that is not possible
 */
export function carryAcross(scope: UpgradeScope, node: Node): void {
  if (isAffected(node.op, node.domain, scope.version)) CHANGES[node.op]?.convert(scope, node);
}

/** The error for a node that cannot be written in another operator set. */
export function cannotCarry(label: string, version: number, why = ''): BedsideError {
  return new BedsideError(
    'E_UNSUPPORTED',
    `${label} of operator set ${version} cannot be written as operator set 16 has it${why}`,
    { hint: 'convert the model to operator set 16 or newer (onnx.version_converter), or export it again' },
  );
}

function refuse({ version }: UpgradeScope, node: Node, why = ''): never {
  throw cannotCarry(describeNode(node), version, why && `: ${why}`);
}

function batchNormalization(scope: UpgradeScope, node: Node): void {
  if (scope.version < 9 && intAttribute(node, 'spatial', 1) === 0) {
    refuse(scope, node, 'it normalises every position by itself (spatial=0)');
  }
  node.attributes.delete('spatial');
  // Statistics are given in training alone, which is refused before.
  if (scope.version < 14) node.outputs = node.outputs.slice(0, 1);
}

function clip({ builder }: UpgradeScope, node: Node): void {
  const low = builder.constant(floatConstant([floatAttribute(node, 'min', -3.4028234663852886e38)], []));
  const high = builder.constant(floatConstant([floatAttribute(node, 'max', 3.4028234663852886e38)], []));
  node.inputs = [node.inputs[0] as string, low, high];
  node.attributes.clear();
}

function dropout(scope: UpgradeScope, node: Node): void {
  const mask = node.outputs[1];
  if (mask && scope.version < 10 && scope.isRead(mask)) refuse(scope, node, 'its mask is read');
  node.attributes.delete('ratio');
}

/** Hardmax, LogSoftmax and Softmax, which flattened everything from an axis on into one. */
function flattening(scope: UpgradeScope, node: Node): void {
  const shape = scope.shapeOf(node.inputs[0] as string);
  const rank = shape?.length ?? 2;
  const given = intAttribute(node, 'axis', 1);
  if (!shape && given !== -1) refuse(scope, node, 'the rank of its input is not known');
  const axis = given < 0 ? given + rank : given;
  const real = shape?.flatMap((size, i) => (i >= axis && size !== 1 ? [i] : [])) ?? [-1];
  if (real.length > 1) refuse(scope, node, 'it works over several axes at once');
  node.attributes.set('axis', int(real[0] ?? axis));
}

function pad(scope: UpgradeScope, node: Node): void {
  const value = floatAttribute(node, 'value', 0);
  intsToInput(scope, node, 'pads', 1);
  if (value !== 0) node.inputs[2] = scope.builder.constant(floatConstant([value], []));
  node.attributes.delete('value');
}

function scatter(_: UpgradeScope, node: Node): void {
  node.op = 'ScatterElements';
}

function slice(scope: UpgradeScope, node: Node): void {
  const starts = intsAttribute(node, 'starts') ?? [];
  const axes = intsAttribute(node, 'axes') ?? starts.map((_, i) => i);
  intsToInput(scope, node, 'starts', 1);
  intsToInput(scope, node, 'ends', 2);
  node.inputs[3] = scope.builder.constant(intConstant(axes));
  node.attributes.delete('axes');
}

function topK({ builder }: UpgradeScope, node: Node): void {
  node.inputs = [node.inputs[0] as string, builder.constant(intConstant([intAttribute(node, 'k', 1)]))];
  node.attributes.delete('k');
}

/** The default for how regions meet pixels changed. */
function roiAlign(_: UpgradeScope, node: Node): void {
  if (!node.attributes.has('coordinate_transformation_mode'))
    node.attributes.set('coordinate_transformation_mode', string('output_half_pixel'));
}

function upsample(scope: UpgradeScope, node: Node): void {
  const given = node.attributes.get('scales');
  if (given?.type === 'floats') {
    node.inputs[1] = scope.builder.constant(floatConstant(given.value), 'scales');
    node.attributes.delete('scales');
  }
  fromScales(scope, node, given?.type === 'floats' ? given.value : undefined);
  node.op = 'Resize';
}

function resize(scope: UpgradeScope, node: Node): void {
  if (scope.version < 11) {
    fromScales(scope, node, undefined);
    return;
  }
  // In sets 11 and 12, unused inputs are empty tensors instead of missing ones.
  if (stringAttribute(node, 'coordinate_transformation_mode', '') === 'tf_half_pixel_for_nn') {
    refuse(scope, node, "its coordinates are 'tf_half_pixel_for_nn'");
  }
  if (!node.inputs[3]) return;
  const scales = node.inputs[2] ? scope.constantOf(node.inputs[2]) : undefined;
  if (node.inputs[2] && (!scales || sizeOf(scales.dims) > 0)) refuse(scope, node, 'it has scales and sizes');
  node.inputs[2] = '';
}

/** Until 10, places were found by division alone; of the nearest ones the engine took the upper when shrinking. */
function fromScales(scope: UpgradeScope, node: Node, given: readonly number[] | undefined): void {
  const [data = '', scales = ''] = node.inputs;
  const constant = scope.constantOf(scales);
  const factors = given ?? (constant && Array.from(knownOf(constant)?.data ?? []));
  const isNearest = stringAttribute(node, 'mode', 'nearest') === 'nearest';
  if (isNearest && (!factors || factors.length === 0)) refuse(scope, node, 'its scales are not constant');
  const shrinks = factors?.some((factor) => factor < 1) ?? false;
  if (isNearest && shrinks && factors?.some((factor) => factor > 1)) {
    refuse(scope, node, 'it enlarges one axis and shrinks another');
  }
  node.inputs = [data, '', scales];
  node.attributes.set('coordinate_transformation_mode', string('asymmetric'));
  if (isNearest) node.attributes.set('nearest_mode', string(shrinks ? 'ceil' : 'floor'));
  if (stringAttribute(node, 'mode', 'nearest') === 'bilinear') node.attributes.set('mode', string('linear'));
}

/** Moves an integer-list attribute to a constant input; nothing happens when it is absent. */
function intsToInput({ builder }: UpgradeScope, node: Node, attribute: string, index: number): void {
  const values = intsAttribute(node, attribute);
  node.attributes.delete(attribute);
  if (!values) return;
  while (node.inputs.length < index) node.inputs.push('');
  node.inputs[index] = builder.constant(intConstant(values), `${attribute}_of_${node.name || node.op}`);
}
