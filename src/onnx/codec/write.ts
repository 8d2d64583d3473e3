// Model -> ONNX bytes: what is modelled, laid over what was carried.
import { create } from '@bufbuild/protobuf';
import {
  type Attribute,
  type Constant,
  type Dim,
  ELEM,
  type Graph,
  type Model,
  type Node,
  type Value,
} from '../graph.ts';
import { encodeModel } from './encode.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type TensorShapeProto,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.ts';
import { elemTypeOf } from './tensor-read.ts';

/**
 * The bytes of a `.onnx` file. Tensor data is written as raw data, in the file itself.
 * @throws BedsideError E_OUTPUT when the model is larger than protobuf's 2 GiB
 */
export function writeModel(model: Model): Uint8Array {
  return encodeModel(protoFromModel(model));
}

/** The protobuf message of a model; tensor data is shared with it, not copied. */
export function protoFromModel(model: Model): ModelProto {
  const kept = model.carried?.opsetImport ?? [];
  const opsetImport = [...model.opsets].map(([domain, version]) => {
    const old = kept.find((entry) => (entry.domain === 'ai.onnx' ? '' : (entry.domain ?? '')) === domain);
    return { ...(old ?? create(OperatorSetIdProtoSchema, { domain })), version: BigInt(version) };
  });
  return {
    ...(model.carried ?? create(ModelProtoSchema)),
    irVersion: BigInt(model.irVersion),
    opsetImport,
    graph: writeGraph(model.graph, model.irVersion),
  };
}

function writeGraph(graph: Graph, irVersion: number): GraphProto {
  return {
    ...(graph.carried ?? create(GraphProtoSchema)),
    name: graph.name,
    node: graph.nodes.map(writeNode),
    initializer: [...graph.constants].map(([name, constant]) => ({ ...writeTensor(constant), name })),
    input: [...graph.inputs.map(writeValue), ...defaultedInputs(graph, irVersion)],
    output: graph.outputs.map(writeValue),
  };
}

/** Initializers that are listed as inputs too: those that were, and below IR 4 all of them. */
function defaultedInputs(graph: Graph, irVersion: number): ValueInfoProto[] {
  const listed: ValueInfoProto[] = [];
  const names = new Set<string>();
  const sparse = new Set(graph.carried?.sparseInitializer.map((tensor) => tensor.values?.name));
  for (const carried of graph.carried?.input ?? []) {
    const name = carried.name ?? '';
    const constant = graph.constants.get(name);
    if (!constant && !sparse.has(name)) continue;
    names.add(name);
    const isCurrent = !constant || describes(carried, constant);
    listed.push(isCurrent ? carried : writeValue({ ...declarationOf(name, constant), carried }));
  }
  if (irVersion >= 4) return listed;
  for (const [name, constant] of graph.constants) {
    if (!names.has(name)) listed.push(writeValue(declarationOf(name, constant)));
  }
  return listed;
}

function declarationOf(name: string, constant: Constant): Value {
  return { name, elemType: elemTypeOf(constant), dims: constant.dims };
}

/** Whether a carried listing still describes a constant, which a rewrite may have replaced. */
function describes(carried: ValueInfoProto, constant: Constant): boolean {
  const type = carried.type?.value;
  if (type?.case !== 'tensorType' || type.value.elemType !== elemTypeOf(constant)) return false;
  const dims = type.value.shape?.dim;
  if (!dims) return true;
  const fits = ({ value }: TensorShapeProto_Dimension, size: number | undefined): boolean =>
    value.case !== 'dimValue' || value.value === BigInt(size ?? -1);
  return dims.length === constant.dims.length && dims.every((dim, axis) => fits(dim, constant.dims[axis]));
}

/** The message of a node; tensor data is shared with it. */
export function writeNode(node: Node): NodeProto {
  const proto: NodeProto = {
    ...(node.carried ?? create(NodeProtoSchema)),
    input: node.inputs,
    output: node.outputs,
    opType: node.op,
    attribute: [...node.attributes].map(([name, attribute]) => {
      const rest = node.carried?.attribute.find((entry) => entry.name === name);
      return writeAttribute(name, attribute, rest);
    }),
  };
  if (node.name) proto.name = node.name;
  if (node.domain) proto.domain = node.domain;
  return proto;
}

function writeAttribute(
  name: string,
  attribute: Attribute,
  rest: AttributeProto | undefined,
): AttributeProto {
  const proto: AttributeProto = { ...(rest ?? create(AttributeProtoSchema)), name };
  switch (attribute.type) {
    case 'int':
      return { ...proto, type: AttributeType.INT, i: attribute.value };
    case 'float':
      return { ...proto, type: AttributeType.FLOAT, f: attribute.value };
    case 'string':
      return { ...proto, type: AttributeType.STRING, s: new TextEncoder().encode(attribute.value) };
    case 'ints':
      return { ...proto, type: AttributeType.INTS, ints: [...attribute.value] };
    case 'floats':
      return { ...proto, type: AttributeType.FLOATS, floats: [...attribute.value] };
    case 'tensor':
      return { ...proto, type: AttributeType.TENSOR, t: writeTensor(attribute.value) };
    case 'other':
      return { ...attribute.carried, name };
    default:
      return attribute satisfies never;
  }
}

function writeTensor(constant: Constant): TensorProto {
  if (constant.type === 'other') return constant.carried;
  const { data } = constant;
  return {
    ...(constant.carried ?? create(TensorProtoSchema)),
    dims: constant.dims.map(BigInt),
    dataType: ELEM[constant.type],
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** The message of a value; what it carried stays. */
export function writeValue(value: Value): ValueInfoProto {
  const { carried } = value;
  const proto: ValueInfoProto = { ...(carried ?? create(ValueInfoProtoSchema)), name: value.name };
  const old = carried?.type;
  // A sequence, map or optional has no element type of its own and is written as it came; others without are bare.
  if (value.elemType === 0 && old?.value.case !== 'tensorType') return proto;
  const oldTensor = old?.value.case === 'tensorType' ? old.value.value : undefined;
  const tensor = { ...(oldTensor ?? create(TypeProto_TensorSchema)), elemType: value.elemType };
  if (value.dims) tensor.shape = writeShape(value.dims, oldTensor?.shape);
  else delete tensor.shape;
  const type: TypeProto = {
    ...(old ?? create(TypeProtoSchema)),
    value: { case: 'tensorType', value: tensor },
  };
  return { ...proto, type };
}

function writeShape(dims: readonly Dim[], old: TensorShapeProto | undefined): TensorShapeProto {
  const dim = dims.map((size, axis): TensorShapeProto_Dimension => {
    const base = old?.dim[axis] ?? create(TensorShapeProto_DimensionSchema);
    if (size === undefined) return { ...base, value: { case: undefined } };
    return typeof size === 'number'
      ? { ...base, value: { case: 'dimValue', value: BigInt(size) } }
      : { ...base, value: { case: 'dimParam', value: size } };
  });
  return { ...(old ?? create(TensorShapeProtoSchema)), dim };
}
