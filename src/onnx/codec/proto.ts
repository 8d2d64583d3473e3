// Small helpers over protobuf messages, shared by the reader and the writer.
import { type DescMessage, isFieldSet, type MessageShape } from '@bufbuild/protobuf';
import type { TensorProto } from './onnx_pb.ts';

/** The message if it holds anything (known or unknown fields); otherwise undefined. */
export function unlessEmpty<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
): MessageShape<D> | undefined {
  if ((message.$unknown?.length ?? 0) > 0) return message;
  return schema.fields.some((field) => isFieldSet(message, field)) ? message : undefined;
}

/** Bits of one element of each TensorProto.DataType of fixed width; strings (8) have none. */
const BITS: ReadonlyMap<number, number> = new Map([
  [1, 32], // float
  [2, 8], // uint8
  [3, 8], // int8
  [4, 16], // uint16
  [5, 16], // int16
  [6, 32], // int32
  [7, 64], // int64
  [9, 8], // bool
  [10, 16], // float16
  [11, 64], // double
  [12, 32], // uint32
  [13, 64], // uint64
  [14, 64], // complex64
  [15, 128], // complex128
  [16, 16], // bfloat16
  [17, 8], // float8e4m3fn
  [18, 8], // float8e4m3fnuz
  [19, 8], // float8e5m2
  [20, 8], // float8e5m2fnuz
  [21, 4], // uint4
  [22, 4], // int4
  [23, 4], // float4e2m1
  [24, 8], // float8e8m0
  [25, 2], // uint2
  [26, 2], // int2
]);

/** Bytes of `count` raw elements of a type, or undefined for strings and unknown types. */
export function rawBytes(elemType: number, count: number): number | undefined {
  const bits = BITS.get(elemType);
  return bits === undefined ? undefined : Math.ceil((count * bits) / 8);
}

/** Entries that the typed field of an element type must hold for `count` elements, and those it holds. */
export function typedEntries(
  tensor: TensorProto,
  count: number,
): { expected: number; actual: number } | undefined {
  switch (tensor.dataType) {
    case 1:
      return { expected: count, actual: tensor.floatData.length };
    case 14:
      return { expected: 2 * count, actual: tensor.floatData.length };
    case 7:
      return { expected: count, actual: tensor.int64Data.length };
    case 8:
      return { expected: count, actual: tensor.stringData.length };
    case 11:
      return { expected: count, actual: tensor.doubleData.length };
    case 15:
      return { expected: 2 * count, actual: tensor.doubleData.length };
    case 12:
    case 13:
      return { expected: count, actual: tensor.uint64Data.length };
    case 21:
    case 22:
    case 23:
      return { expected: Math.ceil(count / 2), actual: tensor.int32Data.length };
    case 25:
    case 26:
      return { expected: Math.ceil(count / 4), actual: tensor.int32Data.length };
    default:
      return BITS.has(tensor.dataType ?? 0)
        ? { expected: count, actual: tensor.int32Data.length }
        : undefined;
  }
}
