// Weights that are not finite: an engine computes on with them, and a ReLU or an argmax may hide what comes of it.
import { BedsideError } from '../util/index.ts';
import { firstNonFinite, tellNonFinite } from '../util/internal.ts';
import type { GraphProto, TensorProto } from './codec/onnx_pb.ts';
import { type Attribute, type Constant, ELEM, type Graph, type Model, type Node } from './graph.ts';
import { describeNode, floatAttribute } from './ops.ts';

/** Operators for which an infinite constant means something: a bound, a filling, or a mask before a softmax. */
const TAKES_INFINITE: ReadonlySet<string> = new Set([
  ...['Add', 'Sub', 'Where', 'Clip', 'Pad', 'Max', 'Min', 'Concat', 'Expand', 'ConstantOfShape', 'Constant'],
  ...['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'IsInf', 'IsNaN', 'Reshape', 'Squeeze'],
  ...[
    'Unsqueeze',
    'Flatten',
    'Slice',
    'Cast',
    'Identity',
    'If',
    'Loop',
    'Scan',
    'ScatterND',
    'ScatterElements',
  ],
  ...['Transpose', 'Tile', 'Trilu', 'Gather', 'GatherND', 'GatherElements', 'Exp', 'Sigmoid', 'Softmax'],
]);

/** Arrays that have been looked at and found finite: models share them with what is made of them. */
const seen = new WeakSet<object>();

/**
 * Refuses weights and other numbers stored in a model that are NaN or, where infinity has no meaning, infinite: also a
 * batch normalisation whose variance has no root. Arrays that were looked at before are not read again.
 * @param name how the model is called in the message
 * @throws BedsideError E_MODEL with the tensor, the node that reads it, and the place
 */
export function assertFiniteWeights(model: Model, name: string): void {
  const found = nonFiniteWeight(model);
  if (found === undefined) return;
  throw new BedsideError('E_MODEL', `${name}: ${found}`, {
    hint: 'the network computes no scores with it; look at how it was trained, converted or exported',
  });
}

/** A description of the first number in a model that is not finite; undefined when all are finite. */
export function nonFiniteWeight(model: Model): string | undefined {
  const { graph } = model;
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const constant = graph.constants.get(input);
      const found = constant && lookAt(constant, TAKES_INFINITE.has(node.op));
      if (found) return `tensor '${input}', which ${describeNode(node)} reads, is ${found}`;
    }
    for (const [key, attribute] of node.attributes) {
      const found = inAttribute(attribute, TAKES_INFINITE.has(node.op));
      if (found) return `attribute '${key}' of ${describeNode(node)} is ${found}`;
    }
    const channel = node.op === 'BatchNormalization' ? rootlessChannel(graph, node) : -1;
    if (channel >= 0) {
      return `the variance of channel ${channel} of ${describeNode(node)} and its epsilon are not above 0 together`;
    }
  }
  return undefined;
}

function inAttribute(attribute: Attribute, infiniteFine: boolean): string | undefined {
  switch (attribute.type) {
    case 'float':
      return numbers([attribute.value], [], infiniteFine);
    case 'floats':
      return numbers(attribute.value, [attribute.value.length], infiniteFine);
    case 'tensor':
      return lookAt(attribute.value, infiniteFine);
    case 'other': {
      const { g, graphs } = attribute.carried;
      return first(g ? [g, ...graphs] : graphs, inSubgraph);
    }
    default:
      return undefined;
  }
}

/** In subgraphs the use of a constant is not followed, so only NaN is refused. */
function inSubgraph(graph: GraphProto): string | undefined {
  const held = graph.node.flatMap(({ attribute }) => attribute);
  return (
    first(graph.initializer, (tensor) => inTensor(tensor)) ??
    first(held, ({ t, g }) => (t && inTensor(t)) ?? (g && inSubgraph(g)))
  );
}

function inTensor(tensor: TensorProto): string | undefined {
  const values = tensor.floatData.length > 0 ? tensor.floatData : decoded(tensor, tensor.dataType ?? 0);
  return values && numbers(values, tensor.dims.map(Number), true);
}

function lookAt(constant: Constant, infiniteFine: boolean): string | undefined {
  const values =
    constant.type === 'float32'
      ? constant.data
      : constant.type === 'other'
        ? decoded(constant.carried, constant.elemType)
        : undefined;
  if (!values) return undefined;
  const key: object = constant.type === 'float32' ? constant.data : constant;
  if (!seen.has(key) && firstNonFinite(values) < 0) seen.add(key);
  return seen.has(key) ? undefined : numbers(values, constant.dims, infiniteFine);
}

function numbers(
  values: ArrayLike<number>,
  dims: readonly number[],
  infiniteFine: boolean,
): string | undefined {
  for (let at = firstNonFinite(values); at >= 0; at = firstNonFinite(values, at + 1)) {
    if (!infiniteFine || Number.isNaN(values[at])) return tellNonFinite(values, at, dims);
  }
  return undefined;
}

/** The numbers of floating-point tensors that bedside only carries, exact enough to tell NaN and infinity. */
function decoded(tensor: TensorProto, elemType: number): ArrayLike<number> | undefined {
  const { rawData: raw } = tensor;
  if (elemType === ELEM.float64 && !raw) return tensor.doubleData;
  const view = raw && new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const read = (size: number, at: (offset: number) => number): Float64Array =>
    Float64Array.from({ length: Math.floor((view?.byteLength ?? 0) / size) }, (_, i) => at(i * size));
  switch (elemType) {
    case ELEM.float32:
      return view ? read(4, (at) => view.getFloat32(at, true)) : tensor.floatData;
    case ELEM.float64:
      return view && read(8, (at) => view.getFloat64(at, true));
    case ELEM.float16:
      return view
        ? read(2, (at) => narrow(view.getUint16(at, true), 0x7c00))
        : tensor.int32Data.map((bits) => narrow(bits, 0x7c00));
    case BFLOAT16:
      return view
        ? read(2, (at) => narrow(view.getUint16(at, true), 0x7f80))
        : tensor.int32Data.map((bits) => narrow(bits, 0x7f80));
    default:
      return undefined;
  }
}

const BFLOAT16 = 16;

/** NaN, Infinity or 0 for the bits of a 16-bit float whose exponent bits are given. */
function narrow(bits: number, exponent: number): number {
  if ((bits & exponent) !== exponent) return 0;
  if ((bits & (0x7fff ^ exponent)) !== 0) return Number.NaN;
  return bits & 0x8000 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** A channel whose variance and epsilon have no root; -1 when all have. */
function rootlessChannel(graph: Graph, node: Node): number {
  const variance = graph.constants.get(node.inputs[4] ?? '');
  if (variance?.type !== 'float32') return -1;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  return variance.data.findIndex((value) => !(value + epsilon > 0));
}

function first<T, R>(items: readonly T[], look: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
