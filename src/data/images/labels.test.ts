// Images with a list of labels, in folders of patients, under other names of splits, and of 16 bits.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { parseCsv } from '../labels/csv.ts';
import { openDataset } from '../open-dataset.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-labels-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A PGM of one pixel: the cheapest image. */
const grey = (value: number): Uint8Array => Buffer.concat([Buffer.from('P5 1 1 255\n'), Buffer.of(value)]);

async function folderOf(name: string, files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name, path)), { recursive: true });
    await writeFile(join(root, name, path), content);
  }
  return join(root, name);
}

const OPTIONS: DatasetOptions = { sampleShape: [1, 1, 1], classes: 2, split: 'all', seed: 1 };
const values = ({ samples }: { samples: Float32Array }) => Array.from(samples, (v) => Math.round(v * 255));

it('reads tables with quotes, other delimiters, other ends of lines and a mark of their encoding', () => {
  const plain = [
    ['a', 'b c'],
    ['1,"x"', ''],
  ];
  expect(parseCsv('\ufeffa,b c\r\n"1,""x""",\r\n\r\n', 't')).toEqual(plain);
  expect(parseCsv('a\tb c\n"1,""x"""\t', 't')).toEqual(plain);
  expect(parseCsv(' a ; b c \r1', 't')).toEqual([['a', 'b c'], ['1']]);
  expect(() => parseCsv('"a', 't')).toThrow(expect.objectContaining({ code: 'E_DATA' }));
});

describe('a list of labels', () => {
  const images = {
    'img/1.pgm': grey(1),
    'img/2.pgm': grey(2),
    'img/sub/3.pgm': grey(3),
    'img/4.pgm': grey(4),
  };

  it('beside images or by name gives classes, patients and splits', async () => {
    const csv =
      'file,label,patient_id,split,age\nimg/2.pgm,sick,p2,test,70\nimg/1.pgm,well,p1,train,60\n3,sick,p1,train,60\ngone.pgm,well,p9,train,1\n';
    const folder = await folderOf('list', { ...images, 'labels.csv': csv });
    for (const path of [folder, join(folder, 'labels.csv')]) {
      const dataset = await openDataset(path, OPTIONS);
      expect(values(dataset)).toEqual([1, 2, 3]);
      expect(dataset).toMatchObject({
        kind: 'images',
        classNames: ['sick', 'well'],
        patients: ['p1', 'p2', 'p1'],
      });
      expect([...dataset.labels!]).toEqual([1, 0, 0]);
      expect(dataset.origins?.[2]).toBe(join('img', 'sub', '3.pgm'));
      expect(dataset.passedOver?.map(({ count, examples }) => [count, ...examples])).toEqual([
        [1, 'gone.pgm'],
        [1, join('img', '4.pgm')],
      ]);
      expect(dataset.remarks).toContainEqual(expect.stringContaining('not used: age'));
      expect(values(await openDataset(path, { ...OPTIONS, split: 'local' }))).toEqual([1, 3]);
      expect(values(await openDataset(path, { ...OPTIONS, split: 'test' }))).toEqual([2]);
    }
    const local = await openDataset(folder, { ...OPTIONS, split: 'local', splitBy: 'patient' });
    expect(new Set(local.patients).size).toBe(1);
  });

  it('has no need of names of columns, and may hold numbers', async () => {
    const folder = await folderOf('bare', { ...images, 'l.csv': 'img/1.pgm;1\nimg/2.pgm;0\n' });
    expect([...(await openDataset(join(folder, 'l.csv'), OPTIONS)).labels!]).toEqual([1, 0]);
    await writeFile(join(folder, 'f.csv'), 'file,label\nimg/1.pgm,1.0\nimg/2.pgm,0.0\n');
    expect([...(await openDataset(join(folder, 'f.csv'), OPTIONS)).labels!]).toEqual([1, 0]);
    await rm(join(folder, 'f.csv'));
    const contract = { classMap: { 0: 1, 1: 0 } };
    expect([...(await openDataset(folder, { ...OPTIONS, contract })).labels!]).toEqual([0, 1]);
  });

  it('does not count beside class folders of the network, nor where it is another table', async () => {
    const files = { 'a/1.pgm': grey(1), 'b/2.pgm': grey(2) };
    const both = await folderOf('both', { ...files, 'labels.csv': 'file,label\n1,x\n2,y\n' });
    expect((await openDataset(both, OPTIONS)).classNames).toEqual(['a', 'b']);
    const other = await folderOf('other', { ...files, 'notes.csv': 'who,when\nme,now\n' });
    expect((await openDataset(other, OPTIONS)).classNames).toEqual(['a', 'b']);
  });

  it('gives several labels, by columns or in one cell, and values', async () => {
    const columns = await folderOf('columns', {
      ...images,
      'labels.csv': 'image,B,A\n1,1,0\n2,1,1\n3,0,0\n',
    });
    const options = { ...OPTIONS, task: 'multi-label' } as const;
    expect((await openDataset(columns, options)).targets).toEqual({
      kind: 'labels',
      shape: [2],
      data: Uint8Array.of(1, 0, 1, 1, 0, 0),
    });
    const named = { ...options, contract: { classes: ['A', 'B'] } };
    expect([...(await openDataset(columns, named)).targets!.data]).toEqual([0, 1, 1, 1, 0, 0]);
    await expect(openDataset(columns, OPTIONS)).rejects.toMatchObject({ code: 'E_DATA' });
    const cells = await folderOf('cells', {
      ...images,
      'labels.csv': 'Image Index,Finding Labels\n1.pgm,A|B\n2.pgm,B\n3.pgm,C\n',
    });
    const found = await openDataset(cells, named);
    expect([...found.targets!.data]).toEqual([1, 1, 0, 1, 0, 0]);
    expect(found.remarks).toContainEqual(expect.stringMatching(/does not have: C/));
    await expect(openDataset(cells, options)).rejects.toMatchObject({ code: 'E_DATA_FIT' });
    const numbers = await folderOf('numbers', { ...images, 'labels.csv': 'file,value\n1,-2.5\n2,7\n' });
    const regression = { ...OPTIONS, classes: 1, task: 'regression' } as const;
    expect([...(await openDataset(numbers, regression)).targets!.data]).toEqual([-2.5, 7]);
  });

  it.each([
    ['file,label\n1.pgm,a\n1.pgm,b\n', 'E_DATA', /twice, with different labels/],
    ['file,label,split\n1.pgm,a,never\n', 'E_DATA', /split that is not/],
    ['file,label\nx.pgm,a\n', 'E_DATA', /names no image/],
    ['what\n1\n', 'E_DATA', /no list of labels/],
    ['file,label\n1.pgm,0\n2.pgm,7\n', 'E_DATA_FIT', /label 7/],
    ['file,label\n1.pgm,a\n2.pgm,b\n3.pgm,c\n', 'E_DATA_FIT', /2 classes/],
  ])('refuses %j', async (csv, code, message) => {
    const folder = await folderOf('refused', { ...images, 'labels.csv': csv });
    await expect(openDataset(join(folder, 'labels.csv'), OPTIONS)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('folders', () => {
  it('of splits have several names, in any capitals', async () => {
    const folder = await folderOf('splits', {
      'Training/a/1.pgm': grey(1),
      'Training/b/2.pgm': grey(2),
      'Testing/a/3.pgm': grey(3),
      'Testing/b/4.pgm': grey(4),
      'Validation/a/5.pgm': grey(5),
    });
    expect(values(await openDataset(folder, { ...OPTIONS, split: 'local' }))).toEqual([1, 2]);
    expect(values(await openDataset(folder, { ...OPTIONS, split: 'test' }))).toEqual([3, 4]);
  });

  it('of patients are below the classes, or above them', async () => {
    const below = await folderOf('below', {
      'a/p1/1.pgm': grey(1),
      'a/p2/2.pgm': grey(2),
      'b/p1/3.pgm': grey(3),
    });
    expect((await openDataset(below, OPTIONS)).patients).toEqual(['p1', 'p2', 'p1']);
    const above = await folderOf('above', {
      'p1/a/1.pgm': grey(1),
      'p1/b/2.pgm': grey(2),
      'p2/a/3.pgm': grey(3),
      'p3/b/4.pgm': grey(4),
    });
    const dataset = await openDataset(above, OPTIONS);
    expect(dataset).toMatchObject({ classNames: ['a', 'b'], patients: ['p1', 'p1', 'p2', 'p3'] });
    expect([...dataset.labels!]).toEqual([0, 1, 0, 1]);
    expect(dataset.remarks).toContainEqual(expect.stringMatching(/taken for patients/));
    // As many patients as classes, but called after patients.
    const two = await folderOf('two', { 'p1/a/1.pgm': grey(1), 'p2/b/2.pgm': grey(2) });
    expect((await openDataset(two, OPTIONS)).classNames).toEqual(['a', 'b']);
    const named = { ...OPTIONS, contract: { classes: ['b', 'a'] } };
    expect([...(await openDataset(above, named)).labels!]).toEqual([1, 0, 1, 0]);
    // Neither fits: classes stay the folders above.
    await expect(openDataset(above, { ...OPTIONS, classes: 5 })).rejects.toMatchObject({
      code: 'E_DATA_FIT',
    });
  });
});

describe('16-bit images', () => {
  const wide = async (format: 'png' | 'tiff', ...pixels: number[]): Promise<Uint8Array> => {
    const raw = { width: 1, height: pixels.length, channels: 1 } as const;
    const image = sharp(Uint16Array.from(pixels), { raw }).toColourspace('grey16');
    return format === 'png' ? image.png().toBuffer() : image.tiff({ compression: 'none' }).toBuffer();
  };

  it('are divided by the white of their real range, the same in all splits, and this is said', async () => {
    const folder = await folderOf('wide', {
      'train/a/1.png': await wide('png', 300),
      'train/b/2.tif': await wide('tiff', 301),
      'test/a/3.png': await wide('png', 4000),
      'test/b/4.pgm': grey(51),
    });
    const local = await openDataset(folder, { ...OPTIONS, split: 'local' });
    expect(local.samples[0]).toBeCloseTo(300 / 4095, 6);
    expect(local.samples[1]).toBeCloseTo(301 / 4095, 6);
    expect(local.remarks).toContainEqual(
      expect.stringMatching(/16-bit images \(3\).* up to 4000: taken as 12 bits/),
    );
    const test = await openDataset(folder, { ...OPTIONS, split: 'test' });
    expect(test.samples[0]).toBeCloseTo(4000 / 4095, 6);
    expect(test.samples[1]).toBeCloseTo(0.2, 6);
    const contract = { image: { bits: 16 } };
    expect((await openDataset(folder, { ...OPTIONS, contract, split: 'test' })).samples[0]).toBeCloseTo(
      4000 / 65535,
      6,
    );
  });

  it('keep their bits where they are resized or made RGB', async () => {
    const folder = await folderOf('wide-rgb', {
      'a/1.png': await wide('png', 20001, 20001),
      'b/2.png': await wide('png', 1, 1),
    });
    const { samples } = await openDataset(folder, { ...OPTIONS, sampleShape: [3, 1, 1] });
    for (let i = 0; i < 3; i++) expect(samples[i]).toBeCloseTo(20001 / 65535, 6);
  });

  it('of numbers that are no pixels are refused', async () => {
    const raw = { width: 1, height: 1, channels: 1 } as const;
    const float = await sharp(Float32Array.of(0.5), { raw }).tiff({ compression: 'none' }).toBuffer();
    const folder = await folderOf('float', { 'a/1.tif': float, 'b/2.pgm': grey(1) });
    const { depth } = await sharp(float).metadata();
    if (depth === 'float')
      await expect(openDataset(folder, OPTIONS)).rejects.toThrow(/1\.tif: TIFF of float numbers/);
  });
});
