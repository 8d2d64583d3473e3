// The safetensors format, to the byte, and what is refused.
import { describe, expect, it } from 'vitest';
import { Random } from '../util/internal.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from './safetensors.ts';

const tensor = (dims: readonly number[], values: readonly number[]): StoredTensor => ({
  dims,
  data: Float32Array.from(values),
});

/** A file from its header and data, padded as given. */
function file(header: string, data: readonly number[]): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + 4 * data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  for (const [i, value] of data.entries()) view.setFloat32(8 + text.length + 4 * i, value, true);
  return bytes;
}

describe('encodeSafetensors', () => {
  it('writes the format, tensors by name, data aligned to 8 bytes', () => {
    const bytes = encodeSafetensors(
      new Map([
        ['w', tensor([1, 2], [2, 3])],
        ['b', tensor([1], [1])],
      ]),
    );
    const header =
      '{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}';
    expect(bytes).toEqual(file(header.padEnd(112), [1, 2, 3]));
    expect(header.length).toBeLessThanOrEqual(112);
  });

  it('gives the same bytes in whichever order tensors come', () => {
    const entries: [string, StoredTensor][] = ['c', 'a', 'b'].map((name, i) => [name, tensor([2], [i, -i])]);
    expect(encodeSafetensors(new Map(entries))).toEqual(encodeSafetensors(new Map(entries.reverse())));
  });

  it('refuses a tensor that does not fill its shape', () => {
    expect(() => encodeSafetensors(new Map([['w', tensor([3], [1])]]))).toThrow(/'w' of shape \[3\] has 1/);
  });
});

describe('decodeSafetensors', () => {
  it('gives back what was written: scalars, empty tensors, odd names, views into a buffer', () => {
    const random = new Random(1);
    const shared = Float32Array.from({ length: 9 }, () => random.normal());
    const tensors = new Map<string, StoredTensor>([
      ['a/1/weight', { dims: [2, 3], data: shared.subarray(2, 8) }],
      ['', tensor([], [5])],
      ['empty', tensor([0, 4], [])],
      ['"quoted" ü\n', tensor([1], [Number.NEGATIVE_INFINITY])],
      ['__proto__', tensor([1], [7])],
    ]);
    const bytes = encodeSafetensors(tensors);
    const read = decodeSafetensors(bytes, 'test');
    expect(new Map([...read].sort())).toEqual(
      new Map(
        [...tensors].map(([name, { dims, data }]) => [name, { dims, data: data.slice() }] as const).sort(),
      ),
    );
    expect([...read.values()].every(({ data }) => data.buffer === bytes.buffer)).toBe(true);
  });

  it('copies data that is not aligned', () => {
    const bytes = encodeSafetensors(new Map([['w', tensor([2], [1.5, -2])]]));
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const read = decodeSafetensors(shifted.subarray(1), 'test');
    expect(read.get('w')).toEqual(tensor([2], [1.5, -2]));
  });

  it('reads the files of others: metadata, an unpadded header, tensors in another order than their data', () => {
    const header =
      '{"__metadata__":{"format":"pt"},"z":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"},"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}';
    const read = decodeSafetensors(file(header, [1, 2, 3]), 'test');
    expect(Object.fromEntries(read)).toEqual({ z: tensor([1], [1]), a: tensor([2], [2, 3]) });
  });

  const entry = (shape: string, offsets: string, dtype = '"F32"'): string =>
    `{"w":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}}`;
  it.each([
    ['nothing', new Uint8Array(3), /3 bytes, fewer/],
    ['a header longer than the file', file('{}', []).fill(200, 1, 3), /does not fit/],
    ['a header that is no JSON', file('{"w"', []), /not JSON/],
    ['a header that is no object', file('[]', []), /does not start with {/],
    ['an entry that is no object', file('{"w":1}', []), /'w' is not described/],
    ['another type', file(entry('[1]', '[0,4]', '"F16"'), [1]), /type "F16", expected "F32"/],
    ['a negative size', file(entry('[-1]', '[0,4]'), [1]), /shape \[-1\]/],
    ['a size that is no integer', file(entry('[0.5]', '[0,2]'), [1]), /shape \[0.5\]/],
    ['offsets in the wrong order', file(entry('[1]', '[4,0]'), [1]), /offsets \[4,0\]/],
    ['missing offsets', file('{"w":{"dtype":"F32","shape":[1]}}', [1]), /offsets nothing/],
    ['a hole', file(entry('[1]', '[4,8]'), [1, 2]), /starts at byte 4 of the data, expected 0/],
    ['too little data for the shape', file(entry('[2]', '[0,4]'), [1]), /has 4 bytes, expected 8/],
    ['a truncated file', file(entry('[2]', '[0,8]'), [1]), /after the file's/],
    ['data that no tensor has', file(entry('[1]', '[0,4]'), [1, 2]), /end at byte/],
    [
      'an overlap',
      file(
        '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
        [1, 2, 3],
      ),
      /'b' starts at byte 4 of the data, expected 8/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'test')).toThrow(
      expect.objectContaining({ code: 'E_BUNDLE', message: expect.stringMatching(message) }),
    );
  });
});
