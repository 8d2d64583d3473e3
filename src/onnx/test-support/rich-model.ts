// A protobuf message that uses every corner of the ONNX format, made directly and not by the codec under test.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  AttributeProto_AttributeType as Type,
  ValueInfoProtoSchema,
} from '../codec/onnx_pb.ts';

/** Bytes of unknown field 100, a length-delimited `hi`. */
export const UNKNOWN = { no: 100, wireType: 2, data: Uint8Array.of(2, 0x68, 0x69) };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const pair = (key: string, value: string) => ({ key, value });

/** A tensor with a value for each given field. */
export function tensor(init: MessageInitShape<typeof TensorProtoSchema>): TensorProto {
  return create(TensorProtoSchema, init);
}

function value(
  name: string,
  dims: readonly (number | string)[],
  elemType = 1,
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = dims.map((size) => ({
    value:
      typeof size === 'number'
        ? { case: 'dimValue' as const, value: BigInt(size) }
        : { case: 'dimParam' as const, value: size },
  }));
  return { name, type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } } };
}

function subgraph(reads: string) {
  return create(GraphProtoSchema, {
    name: 'branch',
    node: [{ opType: 'Identity', input: [reads], output: ['branch_out'] }],
    output: [value('branch_out', ['N', 2])],
  });
}

const raw = new Uint8Array(Float32Array.of(1.5, -2).buffer);

/** An attribute of every type. */
function richAttributes() {
  return [
    { name: 'f', type: Type.FLOAT, f: 0.5, docString: 'a half' },
    { name: 'i', type: Type.INT, i: -(2n ** 63n), $unknown: [UNKNOWN] },
    { name: 's', type: Type.STRING, s: bytes('grün') },
    { name: 'not_utf8', type: Type.STRING, s: Uint8Array.of(0xff, 0xfe) },
    { name: 't', type: Type.TENSOR, t: tensor({ name: 'inner', dims: [2n], dataType: 1, rawData: raw }) },
    { name: 'floats', type: Type.FLOATS, floats: [1, 2.5] },
    { name: 'no_floats', type: Type.FLOATS },
    { name: 'ints', type: Type.INTS, ints: [1n, 2n ** 62n] },
    { name: 'strings', type: Type.STRINGS, strings: [bytes('a'), bytes('b')] },
    { name: 'tensors', type: Type.TENSORS, tensors: [tensor({ dims: [1n], dataType: 7, int64Data: [3n] })] },
    { name: 'g', type: Type.GRAPH, g: subgraph('start') },
    { name: 'graphs', type: Type.GRAPHS, graphs: [subgraph('start'), subgraph('x')] },
    {
      name: 'tp',
      type: Type.TYPE_PROTO,
      tp: { value: { case: 'tensorType' as const, value: { elemType: 1 } } },
    },
    { name: 'tps', type: Type.TYPE_PROTOS, typeProtos: [{ denotation: 'odd' }] },
    { name: 'sparse', type: Type.SPARSE_TENSOR, sparseTensor: { dims: [4n] } },
    { name: 'sparses', type: Type.SPARSE_TENSORS, sparseTensors: [{ dims: [4n] }] },
    { name: 'ref', type: Type.INT, refAttrName: 'outer' },
    { name: 'untyped', i: 4n },
  ].map((init) =>
    Object.assign(create(AttributeProtoSchema, init), '$unknown' in init ? { $unknown: init.$unknown } : {}),
  );
}

/** Every way to store a tensor. */
const initializers = () => [
  { name: 'f32', dims: [2n], dataType: 1, floatData: [1, Number.NaN], docString: 'weights' },
  { name: 'f32_raw', dims: [2n], dataType: 1, rawData: raw, metadataProps: [pair('a', 'b')] },
  { name: 'scalar', dims: [], dataType: 1, floatData: [7] },
  { name: 'none', dims: [0n, 3n], dataType: 1 },
  { name: 'i64', dims: [2n], dataType: 7, int64Data: [-1n, 2n ** 62n] },
  { name: 'i32', dims: [2n], dataType: 6, int32Data: [-5, 6] },
  { name: 'f16', dims: [3n], dataType: 10, int32Data: [15360, 0, 1] },
  { name: 'bool', dims: [1n], dataType: 9, rawData: Uint8Array.of(1) },
  { name: 'f64', dims: [1n], dataType: 11, doubleData: [0.1] },
  { name: 'u64', dims: [1n], dataType: 13, uint64Data: [2n ** 64n - 1n] },
  { name: 'text', dims: [2n], dataType: 8, stringData: [bytes('a'), bytes('')] },
  { name: 'int4', dims: [3n], dataType: 22, int32Data: [0x21, 0x03] },
  { name: 'complex', dims: [1n], dataType: 14, floatData: [1, 2] },
];

/** The message: two Relu after an If and a custom operator, every attribute type, every way to store a tensor. */
export function richProto(): ModelProto {
  const custom = create(NodeProtoSchema, {
    name: 'odd',
    opType: 'Odd',
    domain: 'org.example',
    overload: 'v2',
    docString: 'does odd things',
    input: ['start', '', 'f32', 'sparse_w'],
    output: ['odd_out', '', 'odd_more'],
    attribute: richAttributes(),
    metadataProps: [pair('team', 'a')],
  });
  custom.$unknown = [UNKNOWN];
  const declared = create(ValueInfoProtoSchema, { ...value('x', ['N', 2]), docString: 'the input' });
  if (declared.type) declared.type.denotation = 'IMAGE';
  const model = create(ModelProtoSchema, {
    irVersion: 3n,
    producerName: 'by hand',
    producerVersion: '1',
    domain: 'org.example',
    modelVersion: 12n,
    docString: 'everything',
    opsetImport: [
      { domain: 'ai.onnx', version: 13n },
      { domain: 'org.example', version: 1n },
    ],
    metadataProps: [pair('license', 'MIT')],
    trainingInfo: [{ algorithm: { name: 'sgd' }, updateBinding: [pair('f32', 'f32')] }],
    functions: [{ name: 'Odd', domain: 'org.example', input: ['a'], output: ['b'], attribute: ['outer'] }],
    graph: {
      name: 'rich',
      docString: 'graph',
      input: [declared, { ...value('f32', [2]), docString: 'tunable' }, value('i64', [2], 7)],
      output: [
        value('y', ['N', 2]),
        { name: 'odd_out', type: { value: { case: 'sequenceType', value: {} } } },
      ],
      valueInfo: [value('start', ['N', 2])],
      quantizationAnnotation: [
        { tensorName: 'f32', quantParameterTensorNames: [pair('SCALE_TENSOR', 'scale')] },
      ],
      sparseInitializer: [
        {
          dims: [4n],
          values: { name: 'sparse_w', dims: [1n], dataType: 1, floatData: [1] },
          indices: { dims: [1n], dataType: 7, int64Data: [2n] },
        },
      ],
      metadataProps: [pair('graph', 'yes')],
      initializer: initializers(),
      node: [
        { opType: 'Relu', input: ['x'], output: ['start'] },
        custom,
        { name: 'last', opType: 'Relu', input: ['start'], output: ['y'] },
      ],
    },
  });
  model.$unknown = [UNKNOWN];
  if (model.graph) model.graph.$unknown = [UNKNOWN];
  return model;
}
