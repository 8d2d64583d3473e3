// What ONNX Runtime's CPU provider computes with eight-bit integers besides layers, and what it has no kernels for. After
// its sources (core/optimizer/qdq_transformer, core/providers/cpu/quantization), looked at in version 1.30 and confirmed
// by the profile of sessions in the tests.
import {
  constantInput,
  floatAttribute,
  type Graph,
  integersOf,
  isFloating,
  type Node,
  opOf,
  recurrentLayer,
  stringAttribute,
} from '../onnx/internal.ts';

/** Operators that hand integers on as they are: what they read and give has one scale. */
const MOVING: ReadonlySet<string> = new Set([
  ...['Expand', 'Flatten', 'Gather', 'Identity', 'MaxPool', 'Reshape', 'Resize', 'Slice', 'Split'],
  ...['Squeeze', 'Tile', 'Transpose', 'Unsqueeze'],
]);

/** Operators with integer kernels that give numbers of a scale of their own. */
const RESCALING: ReadonlySet<string> = new Set([
  ...['Add', 'AveragePool', 'Concat', 'GlobalAveragePool', 'LeakyRelu', 'Mul', 'Sigmoid'],
]);

/** Whether a node moves numbers without computing, so that integers may be moved in their place. */
export function movesNumbers(graph: Graph, node: Node): boolean {
  const op = opOf(node);
  if (op === undefined || !MOVING.has(op)) return false;
  const [data = '', ...others] = node.inputs;
  if (graph.constants.has(data)) return false;
  // What else it reads says where to.
  if (others.some((name) => name && !graph.constants.has(name))) return false;
  if (op === 'MaxPool') return !node.outputs[1];
  if (op === 'Resize') return stringAttribute(node, 'mode', 'nearest') === 'nearest';
  return true;
}

/** The slope of a LeakyRelu that changes nothing: integers end there, and the engine fuses nothing across it. */
export const WALL_SLOPE = 1;

function isWall(node: Node): boolean {
  return opOf(node) === 'LeakyRelu' && floatAttribute(node, 'alpha', 0.01) === WALL_SLOPE;
}

/** Whether a node has an integer kernel with a scale of its own for what it gives; all that it reads must be computed. */
export function rescalesNumbers(graph: Graph, node: Node): boolean {
  const op = opOf(node);
  if (op === undefined || !RESCALING.has(op) || isWall(node)) return false;
  return node.inputs.every((name) => name && !graph.constants.has(name));
}

/** Why a node that holds weights, or multiplies or normalises much, stays in float32; undefined for all others. */
export function keptReason(graph: Graph, node: Node): string | undefined {
  if (recurrentLayer(graph, node)) return 'recurrent layers have no eight-bit kernel with states in float32';
  const isConstant = (index: number): boolean => constantInput(graph, node, index) !== undefined;
  switch (opOf(node)) {
    case 'ConvTranspose':
      return 'the engine has no eight-bit kernel for transposed convolutions';
    case 'MatMul':
      if (!isConstant(0) && !isConstant(1)) return 'both factors are computed, as in attention';
      return constantInput(graph, node, 1)?.dims.length === 2
        ? undefined
        : 'its weight is not a matrix on the right';
    case 'Conv':
    case 'Gemm': {
      const weight = constantInput(graph, node, 1);
      if (weight && 'elemType' in weight && isFloating(weight.elemType)) return 'its weight is not float32';
      return weight?.type === 'float32' ? undefined : 'its weight is computed';
    }
    case 'LayerNormalization':
    case 'GroupNormalization':
    case 'InstanceNormalization':
      return 'normalisation needs the precision of float32';
    default:
      return undefined;
  }
}

/** Whether the shape that a node is given holds for every batch; used where values are moved. */
export function hasFixedShape(graph: Graph, node: Node): boolean {
  return integersOf(graph.constants.get(node.inputs[1] ?? '')) !== undefined;
}
