// Operators that behave otherwise in training: a network that is still in that mode is refused by name.
import { BedsideError } from '../../util/index.ts';
import type { NodeProto } from '../codec/onnx_pb.ts';
import type { Constant, Graph, Model, Node } from '../graph.ts';
import { describeNode, intAttribute, opOf } from '../ops.ts';
import { knownOf } from '../shapes/known.ts';
import { innerNodes } from '../subgraphs.ts';

/**
 * Refuses batch normalisation in training mode (its result depends on the other samples of the batch) and Dropout that
 * may drop, wherever they stand: in the graph, in a subgraph, or in a function of the model. Expects constants folded.
 * @throws BedsideError E_UNSUPPORTED naming the node
 */
export function assertInference(model: Model): void {
  const { graph } = model;
  for (const node of graph.nodes) {
    const op = opOf(node);
    if (op === 'BatchNormalization' && isTrainingNorm(node)) throw training(describeNode(node), NORM);
    if (op === 'Dropout' && mayDrop(graph, node)) throw training(describeNode(node), DROP);
  }
  for (const { node, constant } of innerNodes(model)) {
    if (node.domain !== undefined && node.domain !== '' && node.domain !== 'ai.onnx') continue;
    const label = `${node.opType} '${node.name || (node.output[0] ?? '')}'`;
    if (node.opType === 'BatchNormalization' && isTrainingProto(node)) throw training(label, NORM);
    if (node.opType === 'Dropout' && dropsInside(node, constant)) throw training(label, DROP);
  }
}

const NORM =
  'normalises by the statistics of the batch (training mode), so that a result depends on the other samples';
const DROP = 'drops at random (training mode), or may do so at run time';

/** From operator set 14 on an attribute; before that, outputs of statistics are only given in training. */
function isTrainingNorm(node: Node): boolean {
  return intAttribute(node, 'training_mode', 0) !== 0 || node.outputs.slice(1).some(Boolean);
}

function isTrainingProto(node: NodeProto): boolean {
  const flag = node.attribute.find(({ name }) => name === 'training_mode');
  return (flag?.i ?? 0n) !== 0n || node.output.slice(1).some(Boolean);
}

/** Whether a Dropout's flag is or may be true, unless its ratio is 0. */
export function mayDrop(graph: Graph, node: Node): boolean {
  const value = (index: number): Constant | undefined => graph.constants.get(node.inputs[index] ?? '');
  if (!node.inputs[2] || isZero(value(2))) return false;
  return !(node.inputs[1] && isZero(value(1)));
}

function dropsInside(node: NodeProto, constant: (name: string) => Constant | undefined): boolean {
  const [, ratio = '', flag = ''] = node.input;
  if (flag === '' || isZero(constant(flag))) return false;
  return !(ratio !== '' && isZero(constant(ratio)));
}

function isZero(constant: Constant | undefined): boolean {
  return constant !== undefined && knownOf(constant)?.data.every((value) => value === 0) === true;
}

function training(label: string, why: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', `${label} ${why}`, {
    hint: 'export the model for inference (in PyTorch: model.eval() and training=TrainingMode.EVAL)',
  });
}
