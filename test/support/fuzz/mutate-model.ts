// Models that protobuf can read and that mean nonsense: attributes gone or of another type, shapes and types changed, names
// doubled, cycles, inputs that are not there.
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
} from '../../../src/onnx/codec/onnx_pb.ts';
import type { Random } from '../../../src/util/internal.ts';
import { damagedBytes, pick } from './damage.ts';

const INTS = [0n, -1n, 1n, 2n, 3n, 5n, -2n, 7n, 64n, 1000n, -(2n ** 63n), 2n ** 31n, 2n ** 62n];
const FLOATS = [0, -1, 1e-30, 1e30, Number.NaN, Number.POSITIVE_INFINITY];
const OPS = [
  ...[
    'Conv',
    'ConvTranspose',
    'Gemm',
    'MatMul',
    'Add',
    'Mul',
    'Concat',
    'Reshape',
    'Flatten',
    'Transpose',
    'Slice',
  ],
  ...[
    'Split',
    'Squeeze',
    'Unsqueeze',
    'Gather',
    'Shape',
    'ReduceMean',
    'Softmax',
    'MaxPool',
    'AveragePool',
    'Pad',
  ],
  ...[
    'GlobalAveragePool',
    'BatchNormalization',
    'LSTM',
    'Relu',
    'Clip',
    'Resize',
    'Where',
    'Cast',
    'Identity',
    'Nope',
  ],
  ...[
    'ConstantOfShape',
    'Expand',
    'Tile',
    'LayerNormalization',
    'PRelu',
    'Einsum',
    'Dropout',
    'If',
    'Loop',
    'Range',
  ],
];

/** What can be done to a graph; each changes it in place. */
const CHANGES: readonly ((graph: GraphProto, random: Random, model: ModelProto) => void)[] = [
  (graph, random) => void removeOne(nodeOf(graph, random).attribute, random),
  (graph, random) => changeAttribute(nodeOf(graph, random), random),
  (graph, random) => changeAttribute(nodeOf(graph, random), random),
  (graph, random) => {
    nodeOf(graph, random).opType = pick(random, OPS);
  },
  (graph, random) => {
    nodeOf(graph, random).name = nodeOf(graph, random).name;
  },
  (graph, random) => {
    nodeOf(graph, random).domain = pick(random, ['ai.onnx', 'com.microsoft', 'x']);
  },
  (graph, random) => {
    const node = nodeOf(graph, random);
    node.input[random.integer(node.input.length + 1)] = pick(random, [
      anyValue(graph, random),
      '',
      'nowhere',
    ]);
  },
  (graph, random) => {
    const node = nodeOf(graph, random);
    node.output[random.integer(node.output.length + 1)] = pick(random, [anyValue(graph, random), '']);
  },
  (graph, random) => void removeOne(nodeOf(graph, random).input, random),
  (graph, random) => void removeOne(nodeOf(graph, random).output, random),
  (graph, random) => void removeOne(graph.node, random),
  (graph, random) => void graph.node.push(structuredClone(nodeOf(graph, random))),
  (graph, random) =>
    void graph.node.reverse().splice(random.integer(graph.node.length), 0, nodeOf(graph, random)),
  (graph, random) => void removeOne(graph.initializer, random),
  (graph, random) => {
    const tensor = pick(random, graph.initializer);
    if (tensor) tensor.dims[random.integer(tensor.dims.length + 1)] = pick(random, INTS);
  },
  (graph, random) => {
    const tensor = pick(random, graph.initializer);
    if (tensor) tensor.dataType = random.integer(30);
  },
  (graph, random) => {
    const tensor = pick(random, graph.initializer);
    if (tensor) tensor.rawData = damagedBytes(tensor.rawData ?? new Uint8Array(0), random);
  },
  (graph, random) => {
    const tensor = pick(random, graph.initializer);
    if (tensor) tensor.name = anyValue(graph, random);
  },
  (graph, random) => changeValue(graph, random),
  (graph, random) => changeValue(graph, random),
  (graph, random) => void removeOne(pick(random, [graph.input, graph.output]), random),
  (graph, random) => {
    const value = pick(random, [...graph.input, ...graph.output]);
    if (value) value.name = anyValue(graph, random);
  },
  (_, random, model) => {
    const [opset] = model.opsetImport;
    if (opset) opset.version = pick(random, [...INTS, 6n, 8n, 10n, 12n, 16n, 20n, 30n]);
  },
  (_, random, model) => {
    model.irVersion = pick(random, INTS);
  },
  (_, __, model) => {
    model.opsetImport.length = 0;
  },
];

/** The bytes of a model with one to three changes; now and then damaged as bytes. */
export function damagedModel(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.integer(5) === 0) return damagedBytes(bytes, random);
  const model = fromBinary(ModelProtoSchema, bytes);
  for (let changes = pick(random, [1, 1, 1, 2, 3]); changes > 0; changes--) {
    const { graph } = model;
    if (graph && graph.node.length > 0) pick(random, CHANGES)(graph, random, model);
  }
  return toBinary(ModelProtoSchema, model);
}

function nodeOf(graph: GraphProto, random: Random): NodeProto {
  return pick(random, graph.node);
}

function anyValue(graph: GraphProto, random: Random): string {
  const names = graph.node.flatMap(({ input, output }) => [...input, ...output]);
  return pick(random, [...names, ...graph.initializer.map(({ name }) => name)]) ?? '';
}

function removeOne(list: unknown[], random: Random): void {
  if (list.length > 0) list.splice(random.integer(list.length), 1);
}

function changeAttribute(node: NodeProto, random: Random): void {
  const attribute = pick(random, node.attribute);
  if (!attribute) return;
  switch (random.integer(5)) {
    case 0:
      attribute.type = random.integer(15);
      return;
    case 1:
      attribute.name = pick(random, ['axis', 'pads', 'group', 'perm', 'keepdims', 'x']);
      return;
    case 2:
      attribute.ints = Array.from({ length: random.integer(6) }, () => pick(random, INTS));
      return;
    case 3:
      attribute.i = pick(random, INTS);
      attribute.f = pick(random, FLOATS);
      return;
    default:
      if (attribute.ints.length > 0)
        attribute.ints[random.integer(attribute.ints.length)] = pick(random, INTS);
      else attribute.s = damagedBytes(attribute.s ?? new Uint8Array(0), random);
  }
}

/** The declared shape or type of an input or an output. */
function changeValue(graph: GraphProto, random: Random): void {
  const value = pick(random, [...graph.input, ...graph.output, ...graph.valueInfo]);
  const type = value?.type?.value;
  if (!value || type?.case !== 'tensorType') return;
  const dims = type.value.shape?.dim ?? [];
  const dim = pick(random, dims);
  switch (random.integer(5)) {
    case 0:
      type.value.elemType = random.integer(20);
      return;
    case 1:
      delete type.value.shape;
      return;
    case 2:
      removeOne(dims, random);
      return;
    case 3:
      if (dim) dim.value = { case: 'dimValue', value: pick(random, INTS) };
      return;
    default:
      if (dim) dim.value = { case: 'dimParam', value: pick(random, ['N', '', 'batch']) };
  }
}
