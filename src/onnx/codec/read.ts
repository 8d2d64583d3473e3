// ONNX bytes -> Model. Everything not modelled stays in `carried`, so that writing loses nothing.
import { fromBinary } from '@bufbuild/protobuf';
import { BedsideError, messageOf } from '../../util/index.ts';
import { assertArity } from '../arity.ts';
import type { Attribute, Constant, Dim, Graph, Model, Node, Value } from '../graph.ts';
import { sortNodes } from '../order.ts';
import { readAttribute } from './attribute-read.ts';
import { assertNesting } from './nesting.ts';
import {
  type AttributeProto,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type OperatorSetIdProto,
  type TensorProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.ts';
import { unlessEmpty } from './proto.ts';
import { elemTypeOf, readTensor } from './tensor-read.ts';

/** The IR and standard operator-set versions that are read: those that the engine runs (ONNX Runtime 1.30). */
export const SUPPORTED = { ir: [3, 13], opset: [7, 26] } as const;

/**
 * Reads a model from the bytes of a `.onnx` file; `name` is how messages call it.
 * Nodes come out in execution order. Tensors kept in external files need `loadModel`.
 * @throws BedsideError E_MODEL for damaged or inconsistent input, E_UNSUPPORTED for other versions
 */
export function readModel(bytes: Uint8Array, name: string): Model {
  return modelFromProto(parseModel(bytes, name), name);
}

/**
 * The protobuf message of a model, unchecked beyond being one that is not nested too deeply.
 * @throws BedsideError E_MODEL, E_UNSUPPORTED
 */
export function parseModel(bytes: Uint8Array, name: string): ModelProto {
  const model = decodeModel(bytes, name);
  assertNesting(model, name);
  return model;
}

function decodeModel(bytes: Uint8Array, name: string): ModelProto {
  try {
    // A plain array even where a file gave a Buffer, whose slice() does not copy.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return fromBinary(ModelProtoSchema, plain);
  } catch (cause) {
    if (/recursion depth|call stack/.test(messageOf(cause))) {
      throw new BedsideError('E_MODEL', `${name}: subgraphs or types stand inside each other too deeply`, {
        hint: 'readers of the format take 100 messages inside each other, 32 subgraphs; export it without',
        cause,
      });
    }
    throw new BedsideError('E_MODEL', `${name} is not an ONNX model, or is truncated: ${messageOf(cause)}`, {
      hint: 'check that the file is a complete .onnx file; copy or export it again',
      cause,
    });
  }
}

/** The model in a message, which is consumed (parts of it become `carried`). */
export function modelFromProto(proto: ModelProto, name: string): Model {
  const { graph: graphProto, irVersion } = proto;
  if (irVersion === undefined || !graphProto) {
    throw notOnnx(`${name} is not an ONNX model: it has no ${graphProto ? 'IR version' : 'graph'}`);
  }
  if (proto.opsetImport.length === 0)
    throw notOnnx(`${name} is not an ONNX model: it imports no operator set`);
  if (graphProto.node.length === 0) throw notOnnx(`${name}: the graph has no nodes`);
  checkVersion(`${name}: IR version`, irVersion, SUPPORTED.ir, IR_HINT);
  const opsets = readOpsets(proto.opsetImport, name);
  const graph = readGraph(graphProto, Number(irVersion), name);
  delete proto.graph;
  delete proto.irVersion;
  proto.opsetImport = proto.opsetImport.filter(
    (entry) => entry.$unknown?.length || entry.domain === 'ai.onnx',
  );
  const carried = unlessEmpty(ModelProtoSchema, proto);
  return { irVersion: Number(irVersion), opsets, graph, ...(carried && { carried }) };
}

function readOpsets(imports: readonly OperatorSetIdProto[], name: string): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain: raw = '', version = 0n } of imports) {
    const domain = raw === 'ai.onnx' ? '' : raw;
    if (domain === '') checkVersion(`${name}: operator set`, version, SUPPORTED.opset, OPSET_HINT);
    const known = opsets.get(domain);
    if (known !== undefined && known !== Number(version)) {
      throw notOnnx(`${name}: operator set '${domain}' is imported as version ${known} and as ${version}`);
    }
    opsets.set(domain, Number(version));
  }
  return opsets;
}

/** The version converter leaves the IR version as it is; operators do not depend on it. */
const IR_HINT =
  'in Python: model.ir_version = 10, then onnx.save (onnx.version_converter does not change the IR version)';
const OPSET_HINT = 'convert the model with onnx.version_converter, or export it for operator set 17';

function checkVersion(
  what: string,
  version: bigint,
  [low, high]: readonly [number, number],
  hint: string,
): void {
  if (version >= BigInt(low) && version <= BigInt(high)) return;
  throw new BedsideError('E_UNSUPPORTED', `${what} ${version} is not supported: expected ${low} to ${high}`, {
    hint,
  });
}

function readGraph(proto: GraphProto, irVersion: number, model: string): Graph {
  const constants = new Map<string, Constant>();
  for (const tensor of proto.initializer) readInitializer(tensor, constants, model);
  const listed = uniqueNames(proto.input, `${model}: graph input`);
  const sparse = new Set(proto.sparseInitializer.map((tensor) => tensor.values?.name ?? ''));
  const isDefault = (value: ValueInfoProto): boolean =>
    constants.has(value.name ?? '') || sparse.has(value.name ?? '');
  const graph: Graph = {
    name: proto.name ?? '',
    inputs: listed.filter((value) => !isDefault(value)).map((value) => readValue(value, model)),
    outputs: uniqueNames(proto.output, `${model}: graph output`).map((value) => readValue(value, model)),
    nodes: proto.node.map((node) => readNode(node, model)),
    constants,
  };
  if (graph.outputs.length === 0) throw notOnnx(`${model}: the graph has no outputs`);
  delete proto.name;
  proto.node = [];
  proto.initializer = [];
  proto.output = [];
  // Below IR 4 every initializer is listed as an input too; a listing that only repeats it is left to the writer.
  proto.input = listed.filter(
    (value) => isDefault(value) && !(irVersion < 4 && repeats(value, constants, model)),
  );
  const carried = unlessEmpty(GraphProtoSchema, proto);
  if (carried) graph.carried = carried;
  sortNodes(graph, model);
  return graph;
}

function repeats(proto: ValueInfoProto, constants: ReadonlyMap<string, Constant>, model: string): boolean {
  const value = readValue(proto, model);
  const constant = constants.get(value.name);
  if (!constant || value.carried) return false;
  return value.elemType === elemTypeOf(constant) && value.dims?.join() === constant.dims.join();
}

function readInitializer(tensor: TensorProto, constants: Map<string, Constant>, model: string): void {
  const name = tensor.name ?? '';
  if (name === '') throw notOnnx(`${model}: an initializer has no name`);
  if (constants.has(name)) throw notOnnx(`${model}: tensor '${name}' stands twice`);
  delete tensor.name;
  constants.set(name, readTensor(tensor, `${model}: tensor '${name}'`));
}

function uniqueNames(values: readonly ValueInfoProto[], what: string): ValueInfoProto[] {
  const seen = new Set<string>();
  for (const { name = '' } of values) {
    if (name === '') throw notOnnx(`${what} has no name`);
    if (seen.has(name)) throw notOnnx(`${what} '${name}' stands twice`);
    seen.add(name);
  }
  return [...values];
}

/** A node, its message consumed. */
export function readNode(proto: NodeProto, model: string): Node {
  const attributes = new Map<string, Attribute>();
  const rests: AttributeProto[] = [];
  const op = proto.opType ?? '';
  const label = `${model}: ${op} '${proto.name || (proto.output[0] ?? '')}'`;
  if (op === '') throw notOnnx(`${label} names no operator`);
  for (const attributeProto of proto.attribute) {
    const key = attributeProto.name ?? '';
    if (key === '' || attributes.has(key))
      throw notOnnx(`${label}: attribute '${key}' is unnamed or stands twice`);
    const { attribute, rest } = readAttribute(attributeProto, `${label}: attribute '${key}'`);
    attributes.set(key, attribute);
    if (rest) rests.push(rest);
  }
  const node: Node = {
    name: proto.name ?? '',
    op,
    domain: proto.domain ?? '',
    inputs: proto.input,
    outputs: proto.output,
    attributes,
  };
  assertArity(node, label);
  const rest: NodeProto = { ...proto, input: [], output: [], attribute: rests };
  for (const field of ['name', 'opType', 'domain'] as const) delete rest[field];
  const carried = unlessEmpty(NodeProtoSchema, rest);
  return carried ? { ...node, carried } : node;
}

/** A value's declaration. Its message is carried only when it says more than name, element type and dims. */
export function readValue(proto: ValueInfoProto, model: string): Value {
  const name = proto.name ?? '';
  const type = proto.type;
  if (type?.value.case !== 'tensorType') return { name, elemType: 0, dims: undefined, carried: proto };
  const tensor = type.value.value;
  const dims = tensor.shape?.dim.map(({ value }): Dim => {
    if (value.case === 'dimParam') return value.value === '' ? undefined : value.value;
    if (value.case === undefined || value.value < 0n) return undefined; // some exporters write -1 for unknown
    if (value.value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value.value);
    throw notOnnx(`${model}: value '${name}' has the impossible dimension ${value.value}`);
  });
  const value: Value = { name, elemType: tensor.elemType ?? 0, dims };
  const unknown =
    type.$unknown ??
    tensor.$unknown ??
    tensor.shape?.$unknown ??
    tensor.shape?.dim.find((dim) => dim.$unknown);
  const denoted = type.denotation ?? tensor.shape?.dim.find((dim) => dim.denotation !== undefined);
  const outer: ValueInfoProto = { ...proto };
  delete outer.name;
  delete outer.type;
  const plain = unknown === undefined && denoted === undefined && !unlessEmpty(ValueInfoProtoSchema, outer);
  return plain ? value : { ...value, carried: proto };
}

function notOnnx(message: string): BedsideError {
  return new BedsideError('E_MODEL', message, {
    hint: 'check that the file is a complete .onnx file that onnx.checker accepts; export it again',
  });
}
