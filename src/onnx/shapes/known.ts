// Values known without running the model: constants, and what is computed from them and from shapes.
import { create } from '@bufbuild/protobuf';
import { toNumber } from '../codec/numbers.ts';
import { TensorProtoSchema } from '../codec/onnx_pb.ts';
import { decodeValues, encodeValues } from '../codec/tensor-values.ts';
import { type Constant, ELEM, floatConstant, intConstant, type Node, sizeOf } from '../graph.ts';

/** A known tensor. Doubles hold every element type here exactly, but 64-bit integers only up to 2^53. */
export interface Known {
  readonly elemType: number;
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

/** A constant as known values, or undefined for element types that are only carried. 64-bit integers clamp to 2^53. */
export function knownOf(constant: Constant): Known | undefined {
  const { dims } = constant;
  if (constant.type === 'float32')
    return { elemType: ELEM.float32, dims, data: Float64Array.from(constant.data) };
  if (constant.type === 'int64')
    return { elemType: ELEM.int64, dims, data: Float64Array.from(constant.data, toNumber) };
  const { elemType, carried } = constant;
  const data = decodeValues(carried, elemType, sizeOf(dims));
  return data && { elemType, dims, data };
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
    default:
      return carriedConstant(elemType, dims, data);
  }
}

function carriedConstant(
  elemType: number,
  dims: readonly number[],
  data: Float64Array,
): Constant | undefined {
  const rawData = encodeValues(elemType, data);
  return rawData && rawConstant(elemType, dims, rawData);
}

function rawConstant(elemType: number, dims: readonly number[], rawData: Uint8Array): Constant {
  const carried = create(TensorProtoSchema, { dims: dims.map(BigInt), dataType: elemType, rawData });
  return { type: 'other', elemType, dims, carried };
}

/** A constant of integers as they are; weights are millions of them. */
export function integerConstant(
  data: Int8Array | Uint8Array | Int32Array,
  dims: readonly number[],
): Constant {
  const wide = data instanceof Int32Array ? ELEM.int32 : undefined;
  const elemType = wide ?? (data instanceof Int8Array ? ELEM.int8 : ELEM.uint8);
  return rawConstant(elemType, dims, new Uint8Array(data.slice().buffer));
}

/** The integers of an int64 or int32 constant (64-bit ones clamped to the safe range); undefined for other types. */
export function integersOf(constant: Constant | undefined): number[] | undefined {
  if (constant?.type === 'int64') return Array.from(constant.data, toNumber);
  if (constant?.type !== 'other' || constant.elemType !== ELEM.int32) return undefined;
  const known = knownOf(constant);
  return known && Array.from(known.data);
}

/** Integers as a constant of the type that `like` has (int64 or int32), one axis long unless `dims` says otherwise. */
export function integersLike(
  like: Constant | undefined,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): Constant {
  const isInt32 = like?.type === 'other' && like.elemType === ELEM.int32;
  const data = Float64Array.from(values);
  const small = isInt32 ? constantOfKnown({ elemType: ELEM.int32, dims, data }) : undefined;
  return small ?? intConstant(values, dims);
}

/** The value of a Constant node, or undefined for strings and sparse tensors. */
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
