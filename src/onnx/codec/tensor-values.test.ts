// Constants of every type, stored in every way, read from bytes and from files, are the same numbers.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { constantOfKnown, integerConstant, knownOf } from '../shapes/known.ts';
import { loadModel, readModel } from './codec.ts';
import { fromBfloat, fromHalf, toBfloat, toHalf } from './numbers.ts';
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from './onnx_pb.ts';
import { elemTypeName } from './tensor-read.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-constants-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Typed = Partial<
  Pick<TensorProto, 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data'>
>;

/** For each DataType: name, values, little-endian bytes and typed field, written by hand. */
const TYPES: readonly [number, string, number[], number[], Typed][] = [
  [1, 'float32', [1.5, -2], [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0], { floatData: [1.5, -2] }],
  [2, 'uint8', [7, 255], [7, 255], { int32Data: [7, 255] }],
  [3, 'int8', [7, -1], [7, 255], { int32Data: [7, -1] }],
  [4, 'uint16', [258, 65535], [2, 1, 255, 255], { int32Data: [258, 65535] }],
  [5, 'int16', [258, -2], [2, 1, 254, 255], { int32Data: [258, -2] }],
  [6, 'int32', [258, -2], [2, 1, 0, 0, 254, 255, 255, 255], { int32Data: [258, -2] }],
  [
    7,
    'int64',
    [258, -2],
    [2, 1, 0, 0, 0, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255],
    { int64Data: [258n, -2n] },
  ],
  [9, 'bool', [1, 0], [1, 0], { int32Data: [1, 0] }],
  [10, 'float16', [1.5, -2], [0, 0x3e, 0, 0xc0], { int32Data: [0x3e00, 0xc000] }],
  [
    11,
    'double',
    [1.5, -2],
    [0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0],
    { doubleData: [1.5, -2] },
  ],
  [12, 'uint32', [258, 2 ** 32 - 1], [2, 1, 0, 0, 255, 255, 255, 255], { uint64Data: [258n, 4294967295n] }],
  [13, 'uint64', [258, 1], [2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], { uint64Data: [258n, 1n] }],
  [16, 'bfloat16', [1.5, -2], [0xc0, 0x3f, 0, 0xc0], { int32Data: [0x3fc0, 0xc000] }],
];

/** A model with one initializer, and a producer's name that moves its bytes by `shift`. */
function modelWith(tensor: TensorProto, shift: number): Uint8Array {
  const value = (name: string) => ({
    name,
    type: { value: { case: 'tensorType' as const, value: { elemType: 1 } } },
  });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      producerName: 'x'.repeat(shift),
      opsetImport: [{ version: 17n }],
      graph: {
        node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
        input: [value('x')],
        output: [value('y')],
        initializer: [tensor],
      },
    }),
  );
}

async function stored(how: string, elemType: number, bytes: number[], typed: Typed) {
  const base = { name: 'c', dims: [2n], dataType: elemType };
  if (how === 'typed') return create(TensorProtoSchema, { ...base, ...typed });
  if (how === 'raw') return create(TensorProtoSchema, { ...base, rawData: Uint8Array.from(bytes) });
  await writeFile(join(folder, 'c.data'), Uint8Array.from([9, 9, 9, ...bytes]));
  const entries = { location: 'c.data', offset: '3', length: String(bytes.length) };
  return create(TensorProtoSchema, {
    ...base,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
  });
}

describe.each(TYPES)('constants of type %i, %s', (elemType, name, values, bytes, typed) => {
  it.each(['raw', 'typed', 'external'])(
    '%s data is read alike from file and bytes, at any offset',
    async (how) => {
      for (let shift = 0; shift < 8; shift++) {
        const file = modelWith(await stored(how, elemType, bytes, typed), shift);
        const path = join(folder, 'm.onnx');
        await writeFile(path, file);
        const models = [await loadModel(path)];
        if (how !== 'external') models.push(readModel(file, 'bytes'), readModel(Buffer.from(file), 'buffer'));
        for (const model of models) {
          const constant = must(model.graph.constants.get('c'), 'c');
          expect(elemTypeName(constant)).toBe(name);
          expect(knownOf(constant)).toEqual({ elemType, dims: [2], data: Float64Array.from(values) });
        }
      }
    },
  );

  it('is written as the bytes it was read from', () => {
    const constant = must(
      constantOfKnown({ elemType, dims: [2], data: Float64Array.from(values) }),
      'constant',
    );
    const file = modelWith(
      create(TensorProtoSchema, {
        name: 'c',
        dims: [2n],
        dataType: elemType,
        rawData: Uint8Array.from(bytes),
      }),
      0,
    );
    expect(knownOf(constant)).toEqual(knownOf(must(readModel(file, 'm').graph.constants.get('c'), 'c')));
    if (constant.type === 'other') expect([...(constant.carried.rawData ?? [])]).toEqual(bytes);
  });

  it('values that the type does not have are no constant', () => {
    const beyond =
      elemType === 11 ? undefined : { elemType, dims: [1], data: Float64Array.of(2 ** 60 + 2 ** 20) };
    if (beyond && elemType !== 1) expect(constantOfKnown(beyond)).toBeUndefined();
  });
});

it.each([
  [3, Int8Array.of(-128, 0, 127)],
  [2, Uint8Array.of(0, 128, 255)],
  [6, Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)],
])('integers of type %i are the same constant as their known values', (elemType, data) => {
  const known = { elemType, dims: [3], data: Float64Array.from(data) };
  expect(integerConstant(data.subarray(), [3])).toEqual(constantOfKnown(known));
});

describe('floats of 16 bits', () => {
  it('every one of them is its own nearest', () => {
    const words = Array.from({ length: 65536 }, (_, word) => word);
    const changed = words.filter((word) => {
      const [half, brain] = [fromHalf(word), fromBfloat(word)];
      const isHalf = Number.isNaN(half) || toHalf(half) === word;
      return !(isHalf && (Number.isNaN(brain) || toBfloat(brain) === word));
    });
    expect(changed).toEqual([]);
  });

  it('ties go to even, and what is too large to infinity', () => {
    expect([2049, 2051, 65519, 65520, 2 ** -25, 3 * 2 ** -26].map((x) => fromHalf(toHalf(x)))).toEqual([
      2048,
      2052,
      65504,
      Number.POSITIVE_INFINITY,
      0,
      2 ** -24,
    ]);
    expect([1 + 2 ** -8, 1 + 3 * 2 ** -8].map((x) => fromBfloat(toBfloat(x)))).toEqual([1, 1 + 2 ** -6]);
  });
});

describe('strings', () => {
  it('are carried as they are', () => {
    const data = [Uint8Array.of(65), Uint8Array.of(0xc3, 0xa9)];
    const tensor = create(TensorProtoSchema, { name: 'c', dims: [2n], dataType: 8, stringData: data });
    const constant = must(readModel(modelWith(tensor, 1), 'm').graph.constants.get('c'), 'c');
    expect(knownOf(constant)).toBeUndefined();
    expect(constant.type === 'other' && constant.carried.stringData).toEqual(data);
  });
});
