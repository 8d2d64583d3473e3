import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { encodeNpy, npyArray } from './npy.ts';
import { decodeNpz, npzNames, readNpz, writeNpz } from './npz.ts';
import { npzDataset } from './npz-dataset.ts';

interface Member {
  readonly name: string;
  readonly content: Uint8Array;
  readonly method?: number;
  readonly crc?: number;
  /** The size the directory declares. */
  readonly size?: number;
  readonly flags?: number;
}

/** A zip by hand after APPNOTE 6.3; local headers as NumPy writes them: zip64 sizes in an extra field. */
function zip(members: readonly Member[], comment = ''): Uint8Array {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const {
    name,
    content,
    method = 0,
    crc = crc32(content),
    size = content.length,
    flags = 0,
  } of members) {
    const packed = method === 8 ? deflateRawSync(content) : Buffer.from(content);
    const extra = Buffer.alloc(20);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(16, 2);
    extra.writeBigUInt64LE(BigInt(size), 4);
    extra.writeBigUInt64LE(BigInt(packed.length), 12);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(45, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(0xffffffff, 18);
    local.writeUInt32LE(0xffffffff, 22);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(extra.length, 28);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(size, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    const parts = [local, Buffer.from(name), extra, packed];
    locals.push(...parts);
    central.push(entry, Buffer.from(name));
    offset += parts.reduce((sum, part) => sum + part.length, 0);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(
    central.reduce((sum, part) => sum + part.length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, ...central, end, Buffer.from(comment)]);
}

const ARRAY = npyArray([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
const BYTES = encodeNpy(ARRAY.shape, ARRAY.data);

describe('decodeNpz', () => {
  it.each([0, 8])('reads members of method %i, with zip64 local headers and a comment', (method) => {
    const archive = zip(
      [
        { name: 'a.npy', content: BYTES, method },
        { name: 'notes.txt', content: BYTES },
      ],
      'comment',
    );
    expect(decodeNpz(archive, 'f')).toEqual(new Map([['a', ARRAY]]));
    expect(npzNames(archive, 'f')).toEqual(['a']);
  });

  it('unpacks only what is asked for', () => {
    const archive = zip([
      { name: 'a.npy', content: BYTES },
      { name: 'bad.npy', content: BYTES, crc: 1 },
    ]);
    expect([...decodeNpz(archive, 'f', { only: (name) => name === 'a' }).keys()]).toEqual(['a']);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['no archive', Buffer.from('not a zip archive, but long enough for one'), /no zip directory/],
    ['an empty buffer', new Uint8Array(), /no zip directory/],
    ['the first half', zip([{ name: 'a.npy', content: BYTES }]).subarray(0, 150), /no zip directory/],
    ['a wrong checksum', zip([{ name: 'a.npy', content: BYTES, crc: 1 }]), /checksum/],
    ['encryption', zip([{ name: 'a.npy', content: BYTES, flags: 1 }]), /encrypted/],
    ['another method', zip([{ name: 'a.npy', content: BYTES, method: 12 }]), /method 12/],
    ['a stored size that is wrong', zip([{ name: 'a.npy', content: BYTES, size: 9 }]), /9 bytes/],
    [
      'a deflated size that is low',
      zip([{ name: 'a.npy', content: BYTES, method: 8, size: 9 }]),
      /9 bytes|unpack/,
    ],
    [
      'a deflated size that is high',
      zip([{ name: 'a.npy', content: BYTES, method: 8, size: 300 }]),
      /300 bytes/,
    ],
    [
      'a size that cannot be',
      zip([{ name: 'a.npy', content: BYTES, method: 8, size: 2 ** 31 }]),
      /cannot hold/,
    ],
    [
      'an array twice',
      zip([
        { name: 'a.npy', content: BYTES },
        { name: 'a.npy', content: BYTES },
      ]),
      /twice/,
    ],
    [
      'a member that is no array',
      zip([{ name: 'a.npy', content: Buffer.from('hello, world') }]),
      /signature/,
    ],
  ])('refuses %s', (_, archive, message) => {
    expect(() => decodeNpz(archive, 'file.npz')).toThrow(message);
    expect(() => decodeNpz(archive, 'file.npz')).toThrow(expect.objectContaining({ code: 'E_DATA' }));
  });

  it('refuses more than is allowed before unpacking', () => {
    const zeros = encodeNpy([2 ** 20], new Uint8Array(2 ** 20));
    const archive = zip([{ name: 'a.npy', content: zeros, method: 8 }]);
    expect(archive.length).toBeLessThan(2000);
    expect(() => decodeNpz(archive, 'f', { maxBytes: 1000 })).toThrow(/1.00 MiB, more than the 1000 B/);
  });
});

describe('writeNpz', () => {
  it('comes back equal and gives the same bytes again', async () => {
    const arrays = { layer00: ARRAY, target: npyArray([3], BigInt64Array.of(1n, -2n, 3n)) };
    const bytes = writeNpz(arrays);
    expect(Object.fromEntries(decodeNpz(bytes, 'f'))).toEqual(arrays);
    expect(writeNpz(arrays)).toEqual(bytes);
    const folder = await mkdtemp(join(tmpdir(), 'bedside-npz-'));
    try {
      await writeFile(join(folder, 'a.npz'), bytes);
      expect(Object.fromEntries(await readNpz(join(folder, 'a.npz')))).toEqual(arrays);
      await expect(readNpz(join(folder, 'b.npz'))).rejects.toThrow(
        expect.objectContaining({ code: 'E_FILE' }),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a damaged npz', () => {
  it('is read or refused with a code, whatever 2,000 changes are made', async () => {
    const random = new Random(2);
    const images = npyArray(
      [6, 4, 4],
      Uint8Array.from({ length: 96 }, () => random.integer(256)),
    );
    const labels = npyArray([6, 1], Uint8Array.of(0, 1, 2, 0, 1, 2));
    const deflated = writeNpz({ test_images: images, test_labels: labels });
    const stored = zip([
      { name: 'test_images.npy', content: encodeNpy(images.shape, images.data) },
      { name: 'test_labels.npy', content: encodeNpy(labels.shape, labels.data) },
    ]);
    const outcomes = { read: 0, refused: 0 };
    for (let i = 0; i < 2000; i++) {
      let bytes = Uint8Array.from(i % 2 === 0 ? deflated : stored);
      const changes = random.integer(4);
      for (let change = 0; change <= changes; change++)
        bytes[random.integer(bytes.length)] = random.integer(256);
      if (random.integer(4) === 0) bytes = bytes.subarray(0, random.integer(bytes.length));
      try {
        const options = { sampleShape: [1, 4, 4], classes: 3, split: 'test', seed: 1 } as const;
        expect((await npzDataset(bytes, 'damaged', options)).size).toBe(6);
        outcomes.read++;
      } catch (error) {
        if (!BedsideError.is(error)) throw error;
        expect(['E_DATA', 'E_DATA_FIT']).toContain(error.code);
        outcomes.refused++;
      }
    }
    expect(outcomes.read).toBeGreaterThan(50);
    expect(outcomes.refused).toBeGreaterThan(500);
  });
});
