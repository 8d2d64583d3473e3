import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';

const SHARED =
  process.env.BEDSIDE_SHARED ??
  join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', 'shared');
const MEDICAL = join(SHARED, 'data', 'medical-mnist');
const OPTIONS: DatasetOptions = { sampleShape: [1, 2, 3], classes: 2, split: 'all', seed: 1 };

type Format = 'png' | 'jpeg' | 'webp';

async function image(
  path: string,
  width: number,
  pixels: readonly number[],
  channels: 1 | 3 | 4,
  format: Format = 'png',
) {
  const height = pixels.length / width / channels;
  const raw = sharp(Uint8Array.from(pixels), { raw: { width, height, channels } });
  if (channels === 1) raw.toColourspace('b-w');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await raw[format](format === 'webp' ? { lossless: true } : {}).toBuffer());
}

const inPixels = (samples: Float32Array): number[] => Array.from(samples, (value) => value * 255);

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-images-'));
});
afterAll(() => rm(root, { recursive: true }));

describe('folders of class folders', () => {
  it('reads grey pixels exactly, classes and files in sorted order, endings in any case', async () => {
    const folder = join(root, 'plain');
    await image(join(folder, 'b', '1.PNG'), 3, [0, 1, 2, 100, 254, 255], 1);
    await image(join(folder, 'B', 'y.webp'), 3, [9, 9, 9, 9, 9, 9], 1, 'webp');
    await image(join(folder, 'B', 'x.Png'), 3, [8, 8, 8, 8, 8, 8], 1);
    await writeFile(join(folder, 'B', 'notes.txt'), 'no image');
    await writeFile(join(folder, 'B', '._x.png'), 'no image');
    const dataset = await openDataset(folder, OPTIONS);
    expect(dataset).toMatchObject({ kind: 'images', size: 3, classNames: ['B', 'b'], skipped: [] });
    expect(dataset.origins).toEqual([join('B', 'x.Png'), join('B', 'y.webp'), join('b', '1.PNG')]);
    expect([...dataset.labels!]).toEqual([0, 0, 1]);
    expect([...dataset.samples]).toEqual(
      [8, 8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9, 0, 1, 2, 100, 254, 255].map((v) => Math.fround(v / 255)),
    );
  });

  it('makes RGB from grey and grey from RGB, drops alpha, resizes', async () => {
    const folder = join(root, 'colours');
    // Red, green, blue, white, black and a grey: luma is .299 R + .587 G + .114 B.
    const rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 77, 77, 77];
    await image(join(folder, 'a', 'rgb.png'), 3, rgb, 3);
    await image(join(folder, 'b', 'grey.png'), 3, [1, 2, 3, 4, 5, 6], 1);
    const grey = await openDataset(folder, OPTIONS);
    expect(inPixels(grey.samples.subarray(0, 6)).map(Math.round)).toEqual([76, 150, 29, 255, 0, 77]);
    const colour = await openDataset(folder, { ...OPTIONS, sampleShape: [3, 2, 3] });
    expect(inPixels(colour.samples).map(Math.round)).toEqual([
      ...[255, 0, 0, 255, 0, 77, 0, 255, 0, 255, 0, 77, 0, 0, 255, 255, 0, 77],
      ...[1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6],
    ]);
    await image(
      join(folder, 'a', 'rgb.png'),
      3,
      Array.from({ length: 24 }, (_, i) => (i % 4 === 3 ? 10 : i)),
      4,
    );
    const alpha = await openDataset(folder, { ...OPTIONS, sampleShape: [3, 2, 3], classFilter: [0] });
    expect(inPixels(alpha.samples).map(Math.round)).toEqual([
      0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22,
    ]);
    // A flat image stays flat at any size; a ramp keeps its mean.
    await image(
      join(folder, 'a', 'rgb.png'),
      64,
      Array.from({ length: 64 * 48 }, (_, i) => (i % 64) * 4),
      1,
    );
    const small = await openDataset(folder, { ...OPTIONS, sampleShape: [1, 6, 8], classFilter: [0] });
    const pixels = inPixels(small.samples);
    expect(Math.abs(pixels.reduce((sum, v) => sum + v) / 48 - 126)).toBeLessThan(1.5);
    // Column c covers source columns 8 c to 8 c + 7, whose mean is 32 c + 14; the edges lean inwards.
    for (const c of [2, 3, 4, 5]) expect(Math.abs(pixels[8 + c]! - (32 * c + 14))).toBeLessThan(2);
  });

  it('picks local (or train) and test folders by split', async () => {
    for (const [name, local] of [
      ['split', 'local'],
      ['trained', 'train'],
    ] as const) {
      const folder = join(root, name);
      await image(join(folder, local, 'a', '1.png'), 3, [1, 1, 1, 1, 1, 1], 1);
      await image(join(folder, local, 'b', '1.png'), 3, [2, 2, 2, 2, 2, 2], 1);
      await image(join(folder, 'test', 'a', '1.png'), 3, [3, 3, 3, 3, 3, 3], 1);
      await image(join(folder, 'test', 'b', '1.png'), 3, [4, 4, 4, 4, 4, 4], 1);
      const firsts = async (split: DatasetOptions['split']): Promise<number[]> => {
        const { samples } = await openDataset(folder, { ...OPTIONS, split });
        return inPixels(samples)
          .filter((_, i) => i % 6 === 0)
          .map(Math.round);
      };
      expect(await firsts('local')).toEqual([1, 2]);
      expect(await firsts('test')).toEqual([3, 4]);
      expect(await firsts('all')).toEqual([1, 2, 3, 4]);
    }
    await rm(join(root, 'split', 'test', 'b'), { recursive: true });
    await expect(openDataset(join(root, 'split'), OPTIONS)).rejects.toThrow(/different class folders/);
    await rm(join(root, 'split', 'test'), { recursive: true });
    await expect(openDataset(join(root, 'split'), { ...OPTIONS, split: 'test' })).rejects.toThrow(
      /no test folder/,
    );
  });

  it('reads images without class folders as unlabelled', async () => {
    const folder = join(root, 'loose');
    await image(join(folder, '1.png'), 3, [1, 1, 1, 1, 1, 1], 1);
    const dataset = await openDataset(folder, { ...OPTIONS, classes: 4 });
    expect(dataset).toMatchObject({ size: 1, labels: undefined, classNames: ['0', '1', '2', '3'] });
    await expect(openDataset(folder, { ...OPTIONS, perClass: 1 })).rejects.toThrow(/no labels/);
  });

  it('names a corrupt image, or skips it', async () => {
    const folder = join(root, 'corrupt');
    const noise = Array.from({ length: 64 * 64 }, (_, i) => (i * 7919) % 256);
    await image(join(folder, 'a', '1.jpg'), 64, noise, 1, 'jpeg');
    await image(
      join(folder, 'a', '3.jpg'),
      64,
      noise.map((v) => 255 - v),
      1,
      'jpeg',
    );
    await image(join(folder, 'b', '1.jpg'), 64, noise, 1, 'jpeg');
    const good = await readFile(join(folder, 'a', '1.jpg'));
    await writeFile(join(folder, 'a', '2.jpg'), good.subarray(0, good.length >> 1));
    await writeFile(join(folder, 'b', '2.jpg'), 'not an image');
    const options = { ...OPTIONS, sampleShape: [1, 64, 64] };
    await expect(openDataset(folder, options)).rejects.toThrow(/cannot read image .*(a.2|b.2)\.jpg/);
    await expect(openDataset(folder, options)).rejects.toThrow(expect.objectContaining({ code: 'E_DATA' }));

    const progress: number[] = [];
    const dataset = await openDataset(folder, {
      ...options,
      skipBad: true,
      onProgress: (done) => progress.push(done),
    });
    expect(dataset.origins).toEqual([join('a', '1.jpg'), join('a', '3.jpg'), join('b', '1.jpg')]);
    expect([...dataset.labels!]).toEqual([0, 0, 1]);
    expect(dataset.samples.length).toBe(3 * 4096);
    expect(dataset.samples.subarray(8192)).toEqual(dataset.samples.subarray(0, 4096));
    expect(dataset.skipped.map(({ path }) => path)).toEqual([join('a', '2.jpg'), join('b', '2.jpg')]);
    for (const { reason } of dataset.skipped) expect(reason).not.toBe('');
    expect(progress).toEqual([1, 2, 3, 4, 5]);
    await rm(join(folder, 'a', '2.jpg'));
    await expect(openDataset(folder, { ...options, classFilter: [0] })).resolves.toMatchObject({ size: 2 });
  });

  it.each<[string, Partial<DatasetOptions>, string, RegExp]>([
    ['another class count', { classes: 6 }, 'E_DATA_FIT', /model has 6 classes, the data has 2 \(B, b\)/],
    [
      'a model of signals',
      { sampleShape: [1, 256] },
      'E_DATA_FIT',
      /model reads \[1, 256\], the data is images/,
    ],
    ['a model of five channels', { sampleShape: [5, 8, 8] }, 'E_DATA_FIT', /model reads \[5, 8, 8\]/],
    [
      'a class that is not there',
      { classFilter: [2] },
      'E_USAGE',
      /class 2 is not one of the model's 2 classes/,
    ],
    ['records', { records: ['100'] }, 'E_USAGE', /no records/],
    ['a limit of 0', { limit: 0 }, 'E_USAGE', /limit/],
  ])('refuses %s', async (_, change, code, message) => {
    const failure = openDataset(join(root, 'plain'), { ...OPTIONS, ...change });
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(expect.objectContaining({ code }));
  });

  it('says what it looked for, and what cannot be read', async () => {
    const empty = join(root, 'empty');
    await mkdir(join(empty, 'sub'), { recursive: true });
    await expect(openDataset(empty, OPTIONS)).rejects.toThrow(/not a dataset: no WFDB records, no images/);
    await expect(openDataset(join(root, 'none'), OPTIONS)).rejects.toThrow(
      expect.objectContaining({ code: 'E_FILE' }),
    );
    const text = join(root, 'text.txt');
    await writeFile(text, 'a,b');
    await expect(openDataset(text, OPTIONS)).rejects.toThrow(/neither an \.npz archive nor a folder/);
    await writeFile(join(root, 'empty.npz'), '');
    await expect(openDataset(join(root, 'empty.npz'), OPTIONS)).rejects.toThrow(
      expect.objectContaining({ code: 'E_FILE' }),
    );
  });
});

const skipReason = existsSync(MEDICAL) ? '' : ` (skipped: ${MEDICAL} is missing)`;
describe.skipIf(skipReason !== '')(`medical-mnist${skipReason}`, () => {
  it('is read exactly: classes, counts and the pixels of the files', async () => {
    const options = { ...OPTIONS, sampleShape: [1, 64, 64], classes: 6, split: 'test', perClass: 5 } as const;
    const dataset = await openDataset(MEDICAL, options);
    expect(dataset.classNames).toEqual(['AbdomenCT', 'BreastMRI', 'CXR', 'ChestCT', 'Hand', 'HeadCT']);
    expect(dataset.size).toBe(30);
    for (const [i, origin] of dataset.origins!.entries()) {
      expect(origin.split(/[/\\]/)[1]).toBe(dataset.classNames[dataset.labels![i]!]);
      const raw = await sharp(join(MEDICAL, origin)).toColourspace('b-w').raw().toBuffer();
      const read = Uint8Array.from(inPixels(dataset.samples.subarray(i * 4096, (i + 1) * 4096)), Math.round);
      expect(Buffer.compare(raw, read)).toBe(0);
    }
  });
});
