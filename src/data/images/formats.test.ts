// Bitmaps and Netpbm images, written by hand here and read by the loader; bombs; what is damaged.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import { MemoryBudget } from './memory-budget.ts';
import { decodeImage } from './pixels.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-formats-'));
});
afterAll(() => rm(root, { recursive: true }));

type Colour = readonly [number, number, number];
const COLOURS: Colour[] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [9, 8, 7],
  [255, 255, 255],
  [77, 77, 77],
];
/** 3 x 2 pixels: indices into the colours. */
const IMAGE = [0, 1, 2, 3, 4, 5];

/** A bitmap of 3 x 2 pixels, rows padded to four bytes. */
function bmp(
  bits: 4 | 8 | 24 | 32,
  options: { topDown?: boolean; fields?: boolean; core?: boolean } = {},
): Buffer {
  const { topDown = false, fields = false, core = false } = options;
  const header = Buffer.alloc(core ? 12 : 40);
  header.writeUInt32LE(header.length, 0);
  if (core) for (const [i, value] of [3, 2, 1, bits].entries()) header.writeUInt16LE(value, 4 + 2 * i);
  else {
    header.writeInt32LE(3, 4);
    header.writeInt32LE(topDown ? -2 : 2, 8);
    header.writeUInt16LE(1, 12);
    header.writeUInt16LE(bits, 14);
    header.writeUInt32LE(fields ? 3 : 0, 16);
    header.writeUInt32LE(bits <= 8 ? COLOURS.length : 0, 32);
  }
  // Fields: red first, as few programs write it.
  const masks = fields ? Buffer.from(Uint32Array.of(0xff, 0xff00, 0xff0000).buffer) : Buffer.alloc(0);
  const palette = bits <= 8 ? COLOURS.flatMap(([r, g, b]) => (core ? [b, g, r] : [b, g, r, 0])) : [];
  const pixel = (index: number): number[] => {
    const [r, g, b] = COLOURS[index]!;
    if (bits === 24) return [b, g, r];
    return fields ? [r, g, b, 200] : [b, g, r, 200];
  };
  const row = (indices: number[]): number[] => {
    const bytes =
      bits === 8
        ? indices
        : bits === 4
          ? [(indices[0]! << 4) | indices[1]!, indices[2]! << 4]
          : indices.flatMap(pixel);
    while (bytes.length % 4 !== 0) bytes.push(0xee);
    return bytes;
  };
  const rows = [row(IMAGE.slice(0, 3)), row(IMAGE.slice(3))];
  const body = (topDown ? rows : rows.reverse()).flat();
  const offset = 14 + header.length + masks.length + palette.length;
  const file = Buffer.alloc(14);
  file.write('BM', 'latin1');
  file.writeUInt32LE(offset + body.length, 2);
  file.writeUInt32LE(offset, 10);
  return Buffer.concat([file, header, masks, Buffer.from(palette), Buffer.from(body)]);
}

describe('bitmaps', () => {
  it.each<[string, Buffer]>([
    ['4 bits', bmp(4)],
    ['8 bits', bmp(8)],
    ['8 bits, from the top down', bmp(8, { topDown: true })],
    ['8 bits of OS/2', bmp(8, { core: true })],
    ['24 bits', bmp(24)],
    ['24 bits, from the top down', bmp(24, { topDown: true })],
    ['32 bits', bmp(32)],
    ['32 bits with masks', bmp(32, { fields: true })],
  ])('of %s give the pixels', async (_, content) => {
    const { data, width, height, channels } = await decodeImage(content);
    expect([width, height, channels]).toEqual([3, 2, 3]);
    expect([...data]).toEqual(IMAGE.flatMap((index) => COLOURS[index]!));
  });

  it('are read beside other images, whatever their ending, also in folders of patients', async () => {
    const folder = join(root, 'mixed');
    for (const name of ['a/p1', 'a/p2/ct', 'b']) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, 'a', 'p1', '0.BMP'), bmp(8));
    await writeFile(join(folder, 'a', 'p2', 'ct', '1.png'), bmp(24));
    const flat = { create: { width: 3, height: 2, channels: 3, background: '#090807' } } as const;
    await writeFile(join(folder, 'b', '2.png'), await sharp(flat).png().toBuffer());
    const options: DatasetOptions = { sampleShape: [3, 2, 3], classes: 2, split: 'all', seed: 1 };
    const dataset = await openDataset(folder, options);
    expect(dataset.origins).toEqual([
      join('a', 'p1', '0.BMP'),
      join('a', 'p2', 'ct', '1.png'),
      join('b', '2.png'),
    ]);
    expect(dataset.samples.subarray(0, 18)).toEqual(dataset.samples.subarray(18, 36));
    expect(dataset.passedOver).toEqual([]);
  });

  it('that are damaged are refused or read, and never more', async () => {
    const random = new Random(5);
    for (let i = 0; i < 400; i++) {
      const content = Buffer.from(bmp(([4, 8, 24, 32] as const)[i % 4]!));
      for (let change = 0; change <= i % 3; change++) content[random.integer(54)] = random.integer(256);
      const part = i % 5 === 0 ? content.subarray(0, random.integer(content.length)) : content;
      try {
        await decodeImage(part);
      } catch (error) {
        expect((error as Error).message).toMatch(/bitmap|image|input|Input/);
      }
    }
  });

  it('that are compressed or of other depths are refused by name', async () => {
    const packed = bmp(8);
    packed.writeUInt32LE(1, 30);
    await expect(decodeImage(packed)).rejects.toThrow(/compressed bitmap \(method 1\)/);
    const deep = bmp(24);
    deep.writeUInt16LE(16, 28);
    await expect(decodeImage(deep)).rejects.toThrow(/bitmap of 16 bits a pixel/);
  });
});

describe('Netpbm', () => {
  it('images of 8 and 16 bits give the pixels', async () => {
    const grey = Buffer.concat([Buffer.from('P5\n# made\n3 1\n100\n'), Buffer.from([0, 50, 100])]);
    expect([...(await decodeImage(grey)).data]).toEqual([0, 128, 255]);
    const wide = Buffer.concat([Buffer.from('P5 2 1 65535\n'), Buffer.from([0xff, 0xff, 0x80, 0x80])]);
    expect(await decodeImage(wide)).toMatchObject({ data: Uint16Array.of(65535, 0x8080), white: undefined });
    const twelve = Buffer.concat([Buffer.from('P5 2 1 4095\n'), Buffer.from([0x0f, 0xff, 0, 1])]);
    expect(await decodeImage(twelve)).toMatchObject({ data: Uint16Array.of(4095, 1), white: 4095 });
    const colour = Buffer.concat([Buffer.from('P6 1 2 255 '), Buffer.from([1, 2, 3, 4, 5, 6])]);
    expect(await decodeImage(colour)).toMatchObject({ width: 1, height: 2, channels: 3 });
    await expect(decodeImage(Buffer.from('P6 10 10 255 ...'))).rejects.toThrow(/cut off/);
  });
});

describe('bombs', () => {
  it('of pixels are refused before they are decoded, and named', async () => {
    const folder = join(root, 'bomb');
    await mkdir(join(folder, 'a'), { recursive: true });
    // A few bytes that claim 20,000 x 20,000 pixels.
    const large = bmp(24);
    large.writeInt32LE(20_000, 18);
    large.writeInt32LE(20_000, 22);
    await writeFile(join(folder, 'a', 'large.bmp'), large);
    const png = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#123456' } })
      .png()
      .toBuffer();
    await mkdir(join(folder, 'b'));
    await writeFile(join(folder, 'b', 'small.png'), png);
    const options: DatasetOptions = { sampleShape: [1, 2, 2], classes: 2, split: 'all', seed: 1 };
    await expect(openDataset(folder, options)).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringMatching(
        /large\.bmp: 20000 x 20000 are 400 M pixels, more than the 268 M allowed/,
      ),
    });
    const skipping = { ...options, skipBad: true };
    expect((await openDataset(folder, skipping)).origins).toEqual([join('b', 'small.png')]);
    await expect(openDataset(folder, { ...skipping, maxPixels: 59_999 })).rejects.toThrow(/can be read/);
    expect((await openDataset(folder, { ...skipping, maxPixels: 60_000 })).size).toBe(1);
  });
});

describe('MemoryBudget', () => {
  it('keeps what runs below its bytes, and lets what is larger run alone', async () => {
    const budget = new MemoryBudget(10);
    let used = 0;
    let most = 0;
    const work = (bytes: number) =>
      budget.with(bytes, async () => {
        used += bytes;
        if (bytes > 10) expect(used).toBe(bytes);
        else most = Math.max(most, used);
        await new Promise((resolve) => setImmediate(resolve));
        used -= bytes;
      });
    await Promise.all([4, 4, 4, 50, 3, 9, 1, 50, 10].map(work));
    expect(used).toBe(0);
    expect(most).toBeLessThanOrEqual(10);
    await expect(budget.with(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(budget.with(10, async () => 'free again')).resolves.toBe('free again');
  });
});
