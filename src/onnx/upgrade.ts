// Rewrites a graph of an older operator set in the terms of operator set 16, so that new nodes can be added to it.
// Only the forms of known operators that changed between 7 and 16 are touched; the values stay the same.
import { BedsideError } from '../util/index.ts';
import { GraphBuilder } from './builder.ts';
import { cloneModel, floatConstant, intConstant, type Model, type Node } from './graph.ts';
import { describeNode, floatAttribute, intAttribute, intsAttribute, opOf } from './ops.ts';

/** The operator set that `upgradeOpset` reaches. */
export const UPGRADED_OPSET = 16;

/**
 * The same model at operator set 16, or unchanged if it is there or beyond.
 * @param rankOf rank of a value, needed for old Softmax, whose axis meant "this and all later ones"
 * @throws BedsideError E_UNSUPPORTED for an old Softmax over several real axes
 */
export function upgradeOpset(model: Model, shapeOf: (value: string) => readonly number[] | undefined): Model {
  const version = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0;
  if (version >= UPGRADED_OPSET) return model;
  const upgraded = cloneModel(model);
  upgraded.opsets.delete('ai.onnx');
  upgraded.opsets.set('', UPGRADED_OPSET);
  upgraded.irVersion = Math.max(upgraded.irVersion, 8);
  const builder = new GraphBuilder(upgraded.graph);
  for (const node of upgraded.graph.nodes) upgradeNode(builder, node, version, shapeOf);
  return upgraded;
}

function upgradeNode(
  builder: GraphBuilder,
  node: Node,
  version: number,
  shapeOf: (value: string) => readonly number[] | undefined,
): void {
  switch (opOf(node)) {
    case 'Clip':
      if (version < 11) {
        const low = builder.constant(
          floatConstant([floatAttribute(node, 'min', -3.4028234663852886e38)], []),
        );
        const high = builder.constant(
          floatConstant([floatAttribute(node, 'max', 3.4028234663852886e38)], []),
        );
        node.inputs = [node.inputs[0] as string, low, high];
        node.attributes.clear();
      }
      return;
    case 'Pad':
      if (version < 11) {
        const value = floatAttribute(node, 'value', 0);
        intsToInput(builder, node, 'pads', 1);
        if (value !== 0) node.inputs[2] = builder.constant(floatConstant([value], []));
        node.attributes.delete('value');
      }
      return;
    case 'Slice':
      if (version < 10) {
        const starts = intsAttribute(node, 'starts') ?? [];
        const axes = intsAttribute(node, 'axes') ?? starts.map((_, i) => i);
        intsToInput(builder, node, 'starts', 1);
        intsToInput(builder, node, 'ends', 2);
        node.inputs[3] = builder.constant(intConstant(axes));
        node.attributes.delete('axes');
      }
      return;
    case 'Squeeze':
    case 'Unsqueeze':
      if (version < 13) intsToInput(builder, node, 'axes', 1);
      return;
    case 'Split':
      if (version < 13) intsToInput(builder, node, 'split', 1);
      return;
    case 'Dropout':
      if (version < 12) node.attributes.delete('ratio');
      return;
    case 'BatchNormalization':
      node.attributes.delete('spatial');
      if (version < 14) node.outputs = node.outputs.slice(0, 1);
      return;
    case 'Softmax':
    case 'LogSoftmax':
      if (version < 13) upgradeSoftmax(node, shapeOf(node.inputs[0] as string));
      return;
    default:
      return;
  }
}

function upgradeSoftmax(node: Node, shape: readonly number[] | undefined): void {
  const rank = shape?.length ?? 2;
  const given = intAttribute(node, 'axis', 1);
  const axis = given < 0 ? given + rank : given;
  const real = shape?.flatMap((size, i) => (i >= axis && size !== 1 ? [i] : [])) ?? [axis];
  if (real.length > 1) {
    throw new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: an old Softmax over several axes`, {
      hint: 'convert the model to operator set 13 or newer',
    });
  }
  node.attributes.set('axis', { type: 'int', value: BigInt(real[0] ?? axis) });
}

/** Moves an integer-list attribute to a constant input; nothing happens when it is absent. */
function intsToInput(builder: GraphBuilder, node: Node, attribute: string, index: number): void {
  const values = intsAttribute(node, attribute);
  node.attributes.delete(attribute);
  if (!values) return;
  while (node.inputs.length < index) node.inputs.push('');
  node.inputs[index] = builder.constant(intConstant(values), `${attribute}_of_${node.name || node.op}`);
}
