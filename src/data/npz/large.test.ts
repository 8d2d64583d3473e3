// Archives that are larger than memory should hold: read row by row, from files above 2 GiB, with zip64 directories; bombs.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONG } from '../../util/test-support/rounds.ts';
import type { DatasetOptions } from '../dataset.ts';
import { allocateSamples } from '../fit.ts';
import { encodeNpy, parseNpyHead } from './npy.ts';
import { readNpyRows } from './npy-rows.ts';
import { decodeNpz } from './npz.ts';
import { npzDataset, readNpzDataset } from './npz-dataset.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-large-'));
});
afterAll(() => rm(root, { recursive: true }));

const OPTIONS: DatasetOptions = { sampleShape: [4], classes: 3, split: 'all', seed: 1 };

function localHeader(name: string, method = 0): Buffer {
  const header = Buffer.alloc(30 + name.length);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(name.length, 26);
  header.write(name, 30);
  return header;
}

/** An entry of the directory with its sizes and offset in a zip64 field, as Python writes above 2 GiB. */
function centralHeader(
  name: string,
  crc: number,
  sizes: { packed: number; size: number; offset: number },
  method = 0,
) {
  const entry = Buffer.alloc(46 + name.length + 28);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(crc, 16);
  for (const at of [20, 24, 42]) entry.writeUInt32LE(0xffffffff, at);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(28, 30);
  entry.write(name, 46);
  const extra = 46 + name.length;
  entry.writeUInt16LE(1, extra);
  entry.writeUInt16LE(24, extra + 2);
  [sizes.size, sizes.packed, sizes.offset].forEach((value, i) => {
    entry.writeBigUInt64LE(BigInt(value), extra + 4 + 8 * i);
  });
  return entry;
}

/** The end of an archive whose directory stands at an offset that 32 bits need not hold. */
function endOf(directory: Buffer, count: number, offset: number): Buffer {
  const wide = Buffer.alloc(56 + 20 + 22);
  wide.writeUInt32LE(0x06064b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeBigUInt64LE(BigInt(count), 24);
  wide.writeBigUInt64LE(BigInt(count), 32);
  wide.writeBigUInt64LE(BigInt(directory.length), 40);
  wide.writeBigUInt64LE(BigInt(offset), 48);
  wide.writeUInt32LE(0x07064b50, 56);
  wide.writeBigUInt64LE(BigInt(offset + directory.length), 64);
  wide.writeUInt32LE(1, 72);
  wide.writeUInt32LE(0x06054b50, 76);
  wide.writeUInt16LE(0xffff, 84);
  wide.writeUInt16LE(0xffff, 86);
  for (const at of [88, 92]) wide.writeUInt32LE(0xffffffff, at);
  return Buffer.concat([directory, wide]);
}

/** The beginning of an array of float32, padded as NumPy pads it. */
function npyHead(rows: number, width: number): Buffer {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${width}), }`;
  return Buffer.from(`\x93NUMPY\x01\x00\x76\x00${dict.padEnd(117)}\n`, 'latin1');
}

// Reading 2 GiB takes a quarter of a minute.
describe.runIf(LONG)('an archive above 2 GiB', () => {
  it('gives the chosen samples, the last one too', async () => {
    // 2 GiB and a little, sparse: zeros but the first and the last row.
    const [rows, width] = [2 ** 15 + 8, 2 ** 14];
    const row = Buffer.from(Float32Array.from({ length: width }, (_, i) => i + 1).buffer);
    const head = npyHead(rows, width);
    const size = head.length + rows * row.length;
    const zeros = Buffer.alloc(row.length * 256);
    let crc = crc32(row, crc32(head));
    for (let left = (rows - 2) * row.length; left > 0; left -= zeros.length)
      crc = crc32(zeros.subarray(0, Math.min(left, zeros.length)), crc);
    crc = crc32(row, crc);
    const labels = Buffer.from(
      encodeNpy(
        [rows],
        Uint8Array.from({ length: rows }, (_, i) => +(i % (rows - 1) === 0)),
      ),
    );

    const [images, names] = [localHeader('x.npy'), localHeader('y.npy')];
    const second = images.length + size;
    const directoryAt = second + names.length + labels.length;
    const directory = Buffer.concat([
      centralHeader('x.npy', crc, { packed: size, size, offset: 0 }),
      centralHeader('y.npy', crc32(labels), { packed: labels.length, size: labels.length, offset: second }),
    ]);
    const path = join(root, 'large.npz');
    const file = await open(path, 'w');
    const write = (bytes: Buffer, at: number) => file.write(bytes, 0, bytes.length, at);
    await write(Buffer.concat([images, head, row]), 0);
    await write(row, second - row.length);
    await write(Buffer.concat([names, labels, endOf(directory, 2, directoryAt)]), second);
    await file.close();
    const options = { ...OPTIONS, sampleShape: [width], classFilter: [1] };
    const dataset = await readNpzDataset(path, options);
    expect(dataset.size).toBe(2);
    const expected = new Float32Array(row.buffer, row.byteOffset, width);
    expect(dataset.samples).toEqual(Float32Array.from([...expected, ...expected]));
  });
});

describe('rows', () => {
  const shape = [5, 2, 3];
  const data = Float32Array.from({ length: 30 }, (_, i) => i / 7);

  async function rowsOf(bytes: Uint8Array, piece: number, chosen: number[]): Promise<number[][]> {
    const head = parseNpyHead(bytes, bytes.length, 'a');
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
    }
    const found: number[][] = [];
    await readNpyRows(pieces(), head, bytes.length, chosen, 'a', (row, numbers) => {
      found.push([row, ...Array.from(numbers as Float32Array)]);
    });
    return found;
  }

  it('come out of pieces of any size, in any byte order and axis order', async () => {
    const plain = encodeNpy(shape, data);
    const text = Buffer.from(plain).toString('latin1');
    const big = Buffer.from(text.replace("'<f4'", "'>f4'"), 'latin1');
    big.subarray(big.length - 120).swap32();
    // Fortran order: the first axis runs fastest.
    const fortran = Buffer.from(text.replace('False', 'True '), 'latin1');
    const values = new Float32Array(30);
    for (let i = 0; i < 30; i++)
      values[Math.floor(i / 6) + 5 * (Math.floor(i / 3) % 2) + 10 * (i % 3)] = data[i]!;
    Buffer.from(values.buffer).copy(fortran, fortran.length - 120);
    for (const bytes of [plain, big, fortran]) {
      for (const piece of [1, 7, 24, 64, 1000]) {
        for (const chosen of [[0, 1, 2, 3, 4], [1, 4], [], [3]]) {
          expect(await rowsOf(bytes, piece, chosen)).toEqual(
            chosen.map((row) => [row, ...data.subarray(row * 6, row * 6 + 6)]),
          );
        }
      }
    }
  });
});

describe('bombs', () => {
  it('that do not fit the model are refused by their head, without being unpacked', async () => {
    const rows = 2 ** 22;
    const numbers = Buffer.alloc(rows * 4);
    const bytes = Buffer.concat([npyHead(rows, 1), numbers]);
    const packed = deflateRawSync(bytes, { level: 1 });
    expect(packed.length).toBeLessThan(2 ** 17);
    const directory = centralHeader(
      'x.npy',
      crc32(bytes),
      { packed: packed.length, size: bytes.length, offset: 0 },
      8,
    );
    const start = Buffer.concat([localHeader('x.npy', 8), packed]);
    const archive = Buffer.concat([start, endOf(directory, 1, start.length)]);
    await writeFile(join(root, 'bomb.npz'), archive);
    await expect(
      readNpzDataset(join(root, 'bomb.npz'), { ...OPTIONS, sampleShape: [2] }),
    ).rejects.toMatchObject({ code: 'E_DATA_FIT' });
  });

  it('that declare less than they hold, or more than deflate can, are refused', async () => {
    const bytes = Buffer.from(encodeNpy([2 ** 20], new Uint8Array(2 ** 20)));
    const packed = deflateRawSync(bytes);
    const archiveOf = (size: number, content = packed): Buffer => {
      const start = Buffer.concat([localHeader('x.npy', 8), content]);
      const sizes = { packed: content.length, size, offset: 0 };
      return Buffer.concat([start, endOf(centralHeader('x.npy', crc32(bytes), sizes, 8), 1, start.length)]);
    };
    const read = (archive: Buffer) => npzDataset(archive, 'f', { ...OPTIONS, sampleShape: [1] });
    await expect(read(archiveOf(1000))).rejects.toMatchObject({ code: 'E_DATA' });
    await expect(read(archiveOf(2 ** 40))).rejects.toThrow(/cannot hold/);
    await expect(read(archiveOf(bytes.length, packed.subarray(0, -3)))).rejects.toMatchObject({
      code: 'E_DATA',
    });
  });

  it('whose members lie over each other are refused', () => {
    const content = Buffer.from(encodeNpy([4], Uint8Array.of(1, 2, 3, 4)));
    const start = Buffer.concat([localHeader('a.npy'), content]);
    const sizes = { packed: content.length, size: content.length, offset: 0 };
    const directory = Buffer.concat(
      ['a.npy', 'b.npy'].map((name) => centralHeader(name, crc32(content), sizes)),
    );
    const archive = Buffer.concat([start, endOf(directory, 2, start.length)]);
    expect(() => decodeNpz(archive, 'f')).toThrow(/member a\.npy lies over another member/);
    const one = Buffer.concat([start, endOf(centralHeader('a.npy', crc32(content), sizes), 1, start.length)]);
    expect([...decodeNpz(one, 'f').keys()]).toEqual(['a']);
  });

  it('of samples that memory does not hold are refused before they are allocated', () => {
    expect(() => allocateSamples(2 ** 40, 4, 'f')).toThrow(/more than can be allocated .*are free/);
  });
});
