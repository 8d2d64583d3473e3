// Samples for trial runs: numbers of every type in the shapes that a model reads.

import type { Model } from '../onnx/index.ts';
import { inputShapes, sizeOf } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import type { Random } from '../util/internal.ts';
import { EngineTensor } from './node.ts';

/** ONNX element types by the runtime's names. */
export const ELEM_TYPES: Readonly<Record<string, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

/** Most numbers that a trial run may read: 1 GiB of float32. */
const MOST_NUMBERS = 2 ** 28;

type Data =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Feeds for every input: numbers between 0 and 1, others 1: valid as indices, counts and flags in most places.
 * @throws BedsideError E_UNSUPPORTED for an input of a type that is not fed, or of too many numbers
 */
export function feedsOf(
  model: Model,
  batch: number,
  random: Random,
): Record<string, InstanceType<typeof EngineTensor>> {
  const shapes = inputShapes(model, batch);
  return Object.fromEntries(
    model.graph.inputs.map(({ name, elemType }) => {
      const dims = must(shapes.get(name), `shape of input '${name}'`);
      const [type] = Object.entries(ELEM_TYPES).find(([, code]) => code === elemType) ?? [];
      const make = type && MAKE[type];
      if (!type || !make) throw notFed(name, 'is of a type that is not fed');
      if (!(sizeOf(dims) <= MOST_NUMBERS)) throw notFed(name, `has ${sizeOf(dims)} numbers, too many to try`);
      return [name, new EngineTensor(type as 'float32', make(sizeOf(dims), random) as Float32Array, dims)];
    }),
  );
}

function notFed(input: string, why: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', `input '${input}' ${why}`, {
    hint: 'export the model with one float32 input of the size of a sample',
  });
}

const floats = (length: number, random: Random): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, () => random.uniform());

const MAKE: Readonly<Record<string, (length: number, random: Random) => Data>> = {
  float32: floats,
  float64: (length, random) => Float64Array.from(floats(length, random)),
  // .5, as bits.
  float16: (length) => new Uint16Array(length).fill(0x3800),
  int8: (length) => new Int8Array(length).fill(1),
  uint8: (length) => new Uint8Array(length).fill(1),
  int16: (length) => new Int16Array(length).fill(1),
  uint16: (length) => new Uint16Array(length).fill(1),
  int32: (length) => new Int32Array(length).fill(1),
  uint32: (length) => new Uint32Array(length).fill(1),
  int64: (length) => new BigInt64Array(length).fill(1n),
  uint64: (length) => new BigUint64Array(length).fill(1n),
  bool: (length) => new Uint8Array(length).fill(1),
};
