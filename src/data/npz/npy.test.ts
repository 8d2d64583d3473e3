import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { decodeNpy, encodeNpy, type NpyArray, npyArray } from './npy.ts';

const MAGIC = [0x93, ...Buffer.from('NUMPY')];

/** A file by hand: no alignment, header text as given. */
function npy(header: string, data: number[], version = 1): Uint8Array {
  const text = [...Buffer.from(header)];
  const length =
    version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([...MAGIC, version, 0, ...length, ...text, ...data]);
}

function header(descr: string, shape: string, fortran = 'False'): string {
  return `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
}

describe('decodeNpy', () => {
  it.each<[string, number[], NpyArray['dtype'], (number | bigint)[]]>([
    ['|b1', [0, 1], 'bool', [0, 1]],
    ['|u1', [0, 255], 'uint8', [0, 255]],
    ['|i1', [0x80, 0x7f], 'int8', [-128, 127]],
    ['<i2', [0xfe, 0xff, 0x00, 0x01], 'int16', [-2, 256]],
    ['>i2', [0xff, 0xfe, 0x01, 0x00], 'int16', [-2, 256]],
    ['<i4', [1, 0, 0, 0x80, 0, 0, 1, 0], 'int32', [-2147483647, 65536]],
    [
      '<i8',
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x40],
      'int64',
      [-1n, 2n ** 62n],
    ],
    // 1.5 is sign 0, exponent 127, fraction one half; -2 is sign 1, exponent 128.
    ['<f4', [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0], 'float32', [1.5, -2]],
    ['>f4', [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0], 'float32', [1.5, -2]],
    // Halves: sign, 5 bits of exponent, 10 of fraction; 0x0001 is the smallest subnormal.
    ['<f2', [0x00, 0x3e, 0x01, 0x00], 'float32', [1.5, 2 ** -24]],
    ['>f2', [0xc0, 0x00, 0x7b, 0xff], 'float32', [-2, 65504]],
    ['<f2', [0x00, 0xfc, 0x00, 0x80], 'float32', [Number.NEGATIVE_INFINITY, -0]],
    ['<f8', [0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0], 'float64', [1.5, -2]],
  ])('reads %s', (descr, bytes, dtype, values) => {
    const array = decodeNpy(npy(header(descr, '(2,)'), bytes), 'a');
    expect(array.dtype).toBe(dtype);
    expect(array.shape).toEqual([2]);
    expect([...array.data]).toEqual(values);
  });

  it.each([1, 2, 3])('reads format version %i', (version) => {
    expect([...decodeNpy(npy(header('|u1', '(3,)'), [7, 8, 9], version), 'a').data]).toEqual([7, 8, 9]);
  });

  it('reads a scalar, an empty axis, keys in any order and Python 2 integers', () => {
    expect(decodeNpy(npy(header('|u1', '()'), [5]), 'a')).toMatchObject({
      shape: [],
      data: Uint8Array.of(5),
    });
    expect(decodeNpy(npy(header('<f4', '(0, 3)'), []), 'a')).toMatchObject({
      shape: [0, 3],
      data: new Float32Array(),
    });
    const other = `{"shape":(2L,1L),"fortran_order":False,"descr":"|u1"}`;
    expect(decodeNpy(npy(other, [5, 6]), 'a')).toMatchObject({ shape: [2, 1], data: Uint8Array.of(5, 6) });
  });

  it('turns Fortran order into C order', () => {
    // [[1, 2, 3], [4, 5, 6]] by columns.
    expect([...decodeNpy(npy(header('|u1', '(2, 3)', 'True'), [1, 4, 2, 5, 3, 6]), 'a').data]).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
    // Element (i, j, k) of [2, 3, 4] is 100 i + 10 j + k; written first axis fastest.
    const shape = [2, 3, 4];
    const fortran: number[] = [];
    for (let k = 0; k < 4; k++)
      for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) fortran.push(100 * i + 10 * j + k, 0);
    const { data } = decodeNpy(npy(header('<i2', `(${shape.join(', ')})`, 'True'), fortran), 'a');
    const expected: number[] = [];
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++) for (let k = 0; k < 4; k++) expected.push(100 * i + 10 * j + k);
    expect([...data]).toEqual(expected);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['another signature', Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), /signature/],
    ['version 4', npy(header('|u1', '(1,)'), [1], 4), /version 1 to 3, got 4/],
    [
      'a header longer than the file',
      Uint8Array.from([...MAGIC, 1, 0, 255, 0, 0x7b]),
      /expected 255 header bytes, got 1/,
    ],
    [
      'too few bytes',
      npy(header('<f4', '(2, 2)'), [1, 2, 3]),
      /expected 16 bytes for float32 \[2, 2\], got 3/,
    ],
    ['too many bytes', npy(header('|u1', '(1,)'), [1, 2]), /expected 1 bytes/],
    ['a shape that no memory holds', npy(header('<f8', '(999999999, 999999999)'), [1]), /too large/],
    ['a large shape', npy(header('<f8', '(99999, 99999)'), [1]), /expected 79998400008 bytes/],
    ['an object array', npy(header('|O', '(1,)'), [1]), /Python objects \(pickled\)/],
    [
      'a structured type',
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", [0, 0, 0, 0]),
      /header/,
    ],
    ['a number for a tuple', npy(header('|u1', '(1)'), [1]), /tuple/],
    ['a negative axis', npy(header('|u1', '(-1,)'), [1]), /unexpected text/],
    ['a missing key', npy("{'descr': '|u1', 'shape': (1,)}", [1]), /got 2 keys/],
    ['a key twice', npy("{'descr': '|u1', 'descr': '|u1', 'shape': (1,)}", [1]), /twice/],
    ['code', npy("__import__('os')", [1]), /header/],
    ['text after the dict', npy(`${header('|u1', '(1,)')} 1`, [1]), /after the closing brace/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeNpy(bytes, 'weights')).toThrow(message);
    expect(() => decodeNpy(bytes, 'weights')).toThrow(/weights/);
    expect(() => decodeNpy(bytes, 'weights')).toThrow(expect.objectContaining({ code: 'E_DATA' }));
  });
});

describe('encodeNpy', () => {
  it('writes what NumPy writes', () => {
    const bytes = encodeNpy([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    const text = Buffer.from(bytes).toString('latin1', 0, 128);
    expect(text.slice(0, 8)).toBe('\x93NUMPY\x01\x00');
    expect(text.slice(10)).toBe(
      `${"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117)}\n`,
    );
    expect(bytes.length).toBe(128 + 24);
  });

  it('comes back equal, for every type and rank', () => {
    const random = new Random(1);
    const numbers = Array.from({ length: 24 }, () => random.integer(256) - 128);
    const arrays: NpyArray[] = [
      { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
      npyArray([24], Uint8Array.from(numbers)),
      npyArray([4, 6], Int8Array.from(numbers)),
      npyArray([2, 3, 4], Int16Array.from(numbers)),
      npyArray([24, 1], Int32Array.from(numbers)),
      npyArray([24], BigInt64Array.from(numbers, BigInt)),
      npyArray(
        [1, 24],
        Float32Array.from(numbers, (n) => n / 7),
      ),
      npyArray(
        [6, 4],
        Float64Array.from(numbers, (n) => n / 7),
      ),
      npyArray([], Float64Array.of(3)),
      npyArray([0, 5], Int32Array.of()),
    ];
    for (const array of arrays)
      expect(decodeNpy(encodeNpy(array.shape, array.data, array.dtype), 'a')).toEqual(array);
  });

  it('refuses data that is not of the shape', () => {
    expect(() => encodeNpy([2], Uint8Array.of(1))).toThrow(BedsideError);
  });
});
