// TensorProto -> Constant: checks a tensor's sizes before anything is allocated, then decodes float32 and int64.
import { BedsideError } from '../../util/index.ts';
import { type Constant, ELEM, sizeOf } from '../graph.ts';
import { type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from './onnx_pb.ts';
import { rawBytes, typedEntries, unlessEmpty } from './proto.ts';

/**
 * Decodes a tensor; data is copied, so the file's bytes can be freed. The message is stripped of what was decoded.
 * @throws BedsideError E_MODEL when dims and data disagree, naming the tensor
 */
export function readTensor(tensor: TensorProto, where: string): Constant {
  const dims = readDims(tensor, where);
  const count = checkLength(tensor, dims, where);
  if (tensor.dataType === ELEM.float32 && !tensor.segment) {
    const data = new Float32Array(count);
    if (tensor.rawData !== undefined) new Uint8Array(data.buffer).set(tensor.rawData);
    else data.set(tensor.floatData);
    return withCarried({ type: 'float32', dims, data }, tensor);
  }
  if (tensor.dataType === ELEM.int64 && !tensor.segment) {
    const data = new BigInt64Array(count);
    if (tensor.rawData !== undefined) new Uint8Array(data.buffer).set(tensor.rawData);
    else data.set(tensor.int64Data);
    return withCarried({ type: 'int64', dims, data }, tensor);
  }
  if (tensor.rawData !== undefined) tensor.rawData = new Uint8Array(tensor.rawData); // Buffer's own slice() would be a view
  return { type: 'other', elemType: tensor.dataType ?? 0, dims, carried: tensor };
}

/**
 * The dims of a tensor as numbers.
 * @throws BedsideError E_MODEL when one is negative or too large
 */
export function readDims(tensor: TensorProto, where: string): number[] {
  return tensor.dims.map((dim) => {
    if (dim < 0n || dim > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new BedsideError('E_MODEL', `${where}: dimension ${dim} is not a possible size`, {
        hint: 'the file is damaged or was written wrongly; export the model again',
      });
    }
    return Number(dim);
  });
}

function checkLength(tensor: TensorProto, dims: readonly number[], where: string): number {
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    const file = tensor.externalData.find((entry) => entry.key === 'location')?.value ?? '';
    throw new BedsideError('E_MODEL', `${where} keeps its data in the file '${file}', which was not given`, {
      hint: 'load the model from its path, with its data file beside it',
    });
  }
  const count = sizeOf(dims);
  const type = tensor.dataType ?? 0;
  if (tensor.rawData !== undefined && tensor.rawData.length > 0) {
    const expected = rawBytes(type, count);
    if (expected !== undefined && expected !== tensor.rawData.length) {
      throw mismatch(where, dims, `${expected} bytes`, `${tensor.rawData.length}`);
    }
    return count;
  }
  const entries = typedEntries(tensor, count);
  if (entries && entries.expected !== entries.actual) {
    throw mismatch(where, dims, `${entries.expected} values`, `${entries.actual}`);
  }
  // An empty raw field beside filled typed ones means the typed ones count.
  if (entries && entries.actual > 0) delete tensor.rawData;
  return count;
}

function mismatch(where: string, dims: readonly number[], expected: string, got: string): BedsideError {
  return new BedsideError(
    'E_MODEL',
    `${where}: data does not fit dims [${dims}]: expected ${expected}, got ${got}`,
    {
      hint: 'the file is damaged or was written wrongly; export the model again',
    },
  );
}

function withCarried(constant: Exclude<Constant, { type: 'other' }>, tensor: TensorProto): Constant {
  tensor.dims = [];
  tensor.floatData = [];
  tensor.int64Data = [];
  delete tensor.dataType;
  delete tensor.rawData;
  delete tensor.dataLocation;
  const carried = unlessEmpty(TensorProtoSchema, tensor);
  return carried ? { ...constant, carried } : constant;
}

/** The ONNX element type of a constant. */
export function elemTypeOf(constant: Constant): number {
  return constant.type === 'other' ? constant.elemType : ELEM[constant.type];
}

/** The name of a constant's element type in messages. */
export function elemTypeName(constant: Constant): string {
  return typeName(elemTypeOf(constant));
}

/** The name of a TensorProto.DataType, such as `float16`. */
export function typeName(elemType: number): string {
  return TYPE_NAMES[elemType] ?? `type ${elemType}`;
}

/** By TensorProto.DataType. */
const TYPE_NAMES: readonly (string | undefined)[] = [
  undefined,
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'double',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
  'float4e2m1',
  'float8e8m0',
  'uint2',
  'int2',
];
