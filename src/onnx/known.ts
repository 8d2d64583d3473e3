// Values known without running the model: constants, and what is computed from them and from shapes.
import { create } from '@bufbuild/protobuf';
import { type Constant, ELEM, floatConstant, intConstant, type Node, sizeOf } from './graph.ts';
import { TensorProtoSchema } from './onnx_pb.ts';
import { toNumber } from './ops.ts';

/** A known tensor. Doubles hold every element type here exactly, but int64 only up to 2^53. */
export interface Known {
  readonly elemType: number;
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

/** A constant as known values, or undefined for element types that are only carried. int64 clamps to 2^53. */
export function knownOf(constant: Constant): Known | undefined {
  const { dims } = constant;
  if (constant.type === 'float32')
    return { elemType: ELEM.float32, dims, data: Float64Array.from(constant.data) };
  if (constant.type === 'int64')
    return { elemType: ELEM.int64, dims, data: Float64Array.from(constant.data, toNumber) };
  const { elemType, carried } = constant;
  const data = decode(elemType, carried.rawData, carried.int32Data, carried.doubleData);
  return data && data.length === sizeOf(dims) ? { elemType, dims, data } : undefined;
}

function decode(
  elemType: number,
  raw: Uint8Array | undefined,
  int32Data: readonly number[],
  doubleData: readonly number[],
): Float64Array | undefined {
  const copy = raw?.slice();
  switch (elemType) {
    case ELEM.int32:
      return Float64Array.from(copy ? new Int32Array(copy.buffer) : int32Data);
    case ELEM.bool:
      return Float64Array.from(copy ?? int32Data);
    case ELEM.float64:
      return copy ? new Float64Array(copy.buffer) : Float64Array.from(doubleData);
    default:
      return undefined;
  }
}

/** Known values as a constant, or undefined when that would not be exact. */
export function constantOfKnown(known: Known): Constant | undefined {
  const { elemType, dims, data } = known;
  switch (elemType) {
    case ELEM.float32:
      return floatConstant(Float32Array.from(data), dims);
    case ELEM.int64:
      return data.every((value) => Math.abs(value) < Number.MAX_SAFE_INTEGER)
        ? intConstant(Array.from(data), dims)
        : undefined;
    case ELEM.int32:
      return data.every((value) => value === (value | 0))
        ? carriedConstant(elemType, dims, new Uint8Array(Int32Array.from(data).buffer))
        : undefined;
    case ELEM.bool:
      return carriedConstant(elemType, dims, Uint8Array.from(data));
    case ELEM.float64:
      return carriedConstant(elemType, dims, new Uint8Array(data.slice().buffer));
    default:
      return undefined;
  }
}

function carriedConstant(elemType: number, dims: readonly number[], rawData: Uint8Array): Constant {
  const carried = create(TensorProtoSchema, { dims: dims.map(BigInt), dataType: elemType, rawData });
  return { type: 'other', elemType, dims, carried };
}

/** What a Constant node makes, or undefined for strings and sparse tensors. */
export function constantOfNode(node: Node): Constant | undefined {
  for (const [name, attribute] of node.attributes) {
    if (name === 'value' && attribute.type === 'tensor') return attribute.value;
    if (name === 'value_float' && attribute.type === 'float') return floatConstant([attribute.value], []);
    if (name === 'value_floats' && attribute.type === 'floats') return floatConstant(attribute.value);
    if (name === 'value_int' && attribute.type === 'int') return intConstant([attribute.value], []);
    if (name === 'value_ints' && attribute.type === 'ints') return intConstant(attribute.value);
  }
  return undefined;
}
