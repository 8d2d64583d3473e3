// The numbers in a TensorProto: the one place that decodes raw data and typed fields, and that encodes them.
// Specification: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (TensorProto)

import { fromBfloat, fromHalf, toBfloat, toHalf, toNumber } from './numbers.ts';
import type { TensorProto } from './onnx_pb.ts';
import { rawBytes } from './proto.ts';

type Words =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor;

/** One TensorProto.DataType: its stored words, and the nearest value of the type (NaN where there is none). */
interface Format {
  readonly words: Words;
  readonly round: (value: number) => number;
}

const SAFE = Number.MAX_SAFE_INTEGER;

function integer(words: Words, least: number, most: number): Format {
  const round = (value: number): number => {
    const whole = Math.trunc(value) + 0; // no negative zero
    return whole >= least && whole <= most ? whole : Number.NaN;
  };
  return { words, round };
}

const FORMATS: ReadonlyMap<number, Format> = new Map<number, Format>([
  [1, { words: Float32Array, round: Math.fround }],
  [2, integer(Uint8Array, 0, 2 ** 8 - 1)],
  [3, integer(Int8Array, -(2 ** 7), 2 ** 7 - 1)],
  [4, integer(Uint16Array, 0, 2 ** 16 - 1)],
  [5, integer(Int16Array, -(2 ** 15), 2 ** 15 - 1)],
  [6, integer(Int32Array, -(2 ** 31), 2 ** 31 - 1)],
  [7, integer(BigInt64Array, 1 - SAFE, SAFE - 1)],
  [9, { words: Uint8Array, round: (value) => (value === 0 ? 0 : 1) }],
  [10, { words: Uint16Array, round: (value) => fromHalf(toHalf(value)) }],
  [11, { words: Float64Array, round: (value) => value }],
  [12, integer(Uint32Array, 0, 2 ** 32 - 1)],
  [13, integer(BigUint64Array, 0, SAFE - 1)],
  [16, { words: Uint16Array, round: (value) => fromBfloat(toBfloat(value)) }],
]);

/**
 * The elements of a tensor as doubles, wherever its message keeps them; exact but for 64-bit integers, which are
 * clamped to the safe range. Undefined for strings, complex numbers, numbers of 8 bits or fewer that are not plain
 * integers, tensors in segments, and data of another length. Raw data may be a view of a larger buffer at any offset.
 */
export function decodeValues(tensor: TensorProto, elemType: number, count: number): Float64Array | undefined {
  const format = FORMATS.get(elemType);
  if (!format || tensor.segment) return undefined;
  const { rawData } = tensor;
  const isTyped = rawData === undefined || (rawData.length === 0 && count > 0);
  if (!isTyped && rawData.length !== rawBytes(elemType, count)) return undefined;
  // The copy starts at a multiple of every word's size.
  const words = isTyped ? typedWords(tensor, elemType) : new format.words(new Uint8Array(rawData).buffer);
  return words.length === count ? Float64Array.from(words, converter(elemType)) : undefined;
}

/** Narrow types stand in `int32_data`, floats of 16 bits there as their bits. */
function typedWords(tensor: TensorProto, elemType: number): ArrayLike<number | bigint> {
  switch (elemType) {
    case 1:
      return tensor.floatData;
    case 7:
      return tensor.int64Data;
    case 11:
      return tensor.doubleData;
    case 12:
    case 13:
      return tensor.uint64Data;
    default:
      return tensor.int32Data;
  }
}

/** From a stored word to its value. */
function converter(elemType: number): (word: number | bigint) => number {
  switch (elemType) {
    case 9:
      return (word) => (Number(word) === 0 ? 0 : 1);
    case 10:
      return (word) => fromHalf(Number(word) & 0xffff);
    case 16:
      return (word) => fromBfloat(Number(word) & 0xffff);
    default:
      return (word) => (typeof word === 'bigint' ? toNumber(word) : word);
  }
}

/** Whether a value can be stored in a type as it is; 64-bit integers only below 2^53, where doubles are exact. */
export function isExact(elemType: number, value: number): boolean {
  const format = FORMATS.get(elemType);
  return format !== undefined && Object.is(format.round(value), value);
}

/**
 * The value of a type nearest to `value` (integers: towards zero); NaN where it has none or the type is only carried.
 */
export function roundTo(elemType: number, value: number): number {
  return FORMATS.get(elemType)?.round(value) ?? Number.NaN;
}

/** Values as raw data, or undefined when one is not exactly of the type. */
export function encodeValues(elemType: number, values: Float64Array): Uint8Array | undefined {
  const format = FORMATS.get(elemType);
  if (!format || !values.every((value) => Object.is(format.round(value), value))) return undefined;
  if (format.words === BigInt64Array || format.words === BigUint64Array) {
    return new Uint8Array(format.words.from(Array.from(values, BigInt)).buffer);
  }
  const word = encoder(elemType);
  const words = new (format.words as Float64ArrayConstructor)(values.length);
  for (let i = 0; i < values.length; i++) words[i] = word(values[i] as number);
  return new Uint8Array(words.buffer);
}

function encoder(elemType: number): (value: number) => number {
  if (elemType === 10) return toHalf;
  return elemType === 16 ? toBfloat : (value) => value;
}
