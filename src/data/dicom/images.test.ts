// DICOM as a data set of images: frames, windows, sign, palettes, series, directories, patients; and what stays inside.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../archive/byte-source.ts';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import {
  dicomFile,
  encapsulated,
  imageElements,
  MARKS,
  type MadeElement,
  type MadeImage,
} from '../test-support/dicom-file.ts';
import { encapsulatedFrames } from './frames.ts';
import type { DicomObject } from './object.ts';

const OPTIONS: DatasetOptions = { sampleShape: [1, 2, 3], classes: 2, split: 'all', seed: 1 };

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-dicom-'));
});
afterAll(() => rm(root, { recursive: true }));

const image = (more: Partial<MadeImage> = {}): Uint8Array =>
  dicomFile(imageElements({ rows: 2, columns: 3, pixels: [0, 1, 2, 3, 4, 5], ...more }));

async function folderOf(name: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const folder = join(root, name);
  for (const [file, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), bytes);
  }
  return folder;
}

/** What a network reads of one file. */
async function read(bytes: Uint8Array, more: Partial<DatasetOptions> = {}): Promise<number[]> {
  const folder = await folderOf(`one-${Math.random()}`, { 'a.dcm': bytes });
  const data = await openDataset(join(folder, 'a.dcm'), { ...OPTIONS, ...more });
  expect(JSON.stringify({ ...data, samples: 0 })).not.toMatch(
    new RegExp(MARKS.map((mark) => mark.replace('^', '.')).join('|')),
  );
  return Array.from(data.samples, (value) => Math.round(value * 1e3) / 1e3);
}

const element = (tag: string, vr: string, value: MadeElement[2]): MadeElement => [tag, vr, value];

describe('grey of DICOM', () => {
  const hounsfield = { signed: true, bitsStored: 12, pixels: [-2048, -24, 24, 74, 124, 2047] };
  const rescale = [element('00281052', 'DS', '-24'), element('00281053', 'DS', '1')];

  it('is from the window of the file, by the formula of its function', async () => {
    const window = [element('00281050', 'DS', '50\\400'), element('00281051', 'DS', '100\\2000')];
    const linear = (v: number) => Math.min(Math.max((v - 49.5) / 99 + 0.5, 0), 1);
    const values = [-2072, -48, 0, 50, 100, 2023];
    const round = (value: number): number => Math.round(value * 1e3) / 1e3;
    expect(await read(image({ ...hounsfield, more: [...rescale, ...window] }))).toEqual(
      values.map((v) => round(linear(v))),
    );
    const exact = [...rescale, ...window, element('00281056', 'CS', 'LINEAR_EXACT')];
    const share = (v: number) => Math.min(Math.max((v - 50) / 100 + 0.5, 0), 1);
    expect(await read(image({ ...hounsfield, more: exact }))).toEqual(values.map((v) => round(share(v))));
    const sigmoid = [...rescale, ...window, element('00281056', 'CS', 'SIGMOID')];
    const bend = (v: number) => 1 / (1 + Math.exp((-4 * (v - 50)) / 100));
    expect(await read(image({ ...hounsfield, more: sigmoid }))).toEqual(values.map((v) => round(bend(v))));
  });

  it('is from the window of the contract before that, in units after rescaling', async () => {
    const more = [...rescale, element('00281050', 'DS', '50'), element('00281051', 'DS', '100')];
    const contract = { image: { window: { centre: 0, width: 200 } as const } };
    expect(await read(image({ ...hounsfield, more }), { contract })).toEqual([0, 0.26, 0.5, 0.75, 1, 1]);
    const scaled = { image: { scale: 0.001, mean: 0.1, deviation: 1 } };
    const expected = [-2072, -48, 0, 50, 100, 2023].map((v) => Math.round((v * 0.001 - 0.1) * 1e3) / 1e3);
    expect(await read(image({ ...hounsfield, more }), { contract: scaled })).toEqual(expected);
  });

  it('is the full range of the stored bits where nothing says a window, and white is low in MONOCHROME1', async () => {
    const plain = { bitsStored: 12, pixels: [0, 819, 1638, 2457, 3276, 4095] };
    expect(await read(image(plain))).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(await read(image({ ...plain, photometric: 'MONOCHROME1' }))).toEqual([1, 0.8, 0.6, 0.4, 0.2, 0]);
  });

  it('is from tables of the file', async () => {
    const table = (data: readonly number[], bits: number): MadeElement[] => [
      element('00283002', 'US', [data.length, 0, bits]),
      element('00283006', 'OW', new Uint8Array(Uint16Array.from(data).buffer)),
    ];
    const voi = [element('00283010', 'SQ', [table([0, 10, 20, 30, 40, 255], 8)])];
    expect(await read(image({ more: voi }))).toEqual(
      [0, 10, 20, 30, 40, 255].map((v) => Math.round((v / 255) * 1e3) / 1e3),
    );
    const modality = [element('00283000', 'SQ', [table([5, 4, 3, 2, 1, 0], 16)])];
    expect(await read(image({ more: modality }))).toEqual([1, 0.8, 0.6, 0.4, 0.2, 0]);
  });
});

describe('colours of DICOM', () => {
  const pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 10, 20, 30];
  const options = { sampleShape: [3, 2, 3] };
  const expected = [0, 1, 2].flatMap((c) =>
    [0, 1, 2, 3, 4, 5].map((i) => Math.round(((pixels[3 * i + c] ?? 0) / 255) * 1e3) / 1e3),
  );

  it('are RGB, in planes or not', async () => {
    const made = { samples: 3, bitsAllocated: 8, pixels } as const;
    expect(await read(image(made), options)).toEqual(expected);
    const planes = [0, 1, 2].flatMap((c) => [0, 1, 2, 3, 4, 5].map((i) => pixels[3 * i + c] ?? 0));
    const more = [element('00280006', 'US', [1])];
    expect(await read(image({ ...made, pixels: planes, more }), options)).toEqual(expected);
  });
});

describe('files of DICOM', () => {
  it('of several frames give a sample each, in class folders, by their mark alone', async () => {
    const folder = await folderOf('frames', {
      'a/1.2.840.77': image({ frames: 2, pixels: [...Array(12).keys()] }),
      'a/IM1': image(),
      'b/x.dcm': image(),
      'b/notes': new Uint8Array(500),
    });
    const data = await openDataset(folder, OPTIONS);
    expect(data.kind).toBe('dicom');
    expect(data.origins).toEqual(['a/1.2.840.77#1', 'a/1.2.840.77#2', 'a/IM1', 'b/x.dcm']);
    expect([...(data.labels ?? [])]).toEqual([0, 0, 0, 1]);
    expect(data.remarks).toContain(
      `grey of images of ${folder} is from the full range of their values, as nothing says a window (4)`,
    );
    expect(data.passedOver).toEqual([expect.objectContaining({ count: 1, examples: ['b/notes'] })]);
  });

  it('of which one frame is asked for: the others are not decoded', async () => {
    // Run lengths of one segment: six literals; the second frame is none.
    const frame = new Uint8Array(72);
    frame.set([1, 0, 0, 0, 64], 0);
    frame.set([5, 0, 51, 102, 153, 204, 255], 64);
    const bytes = dicomFile(
      imageElements({
        ...{ rows: 2, columns: 3, bitsAllocated: 8, frames: 3 },
        pixels: encapsulated([frame, new Uint8Array(8), frame]),
      }),
      '1.2.840.10008.1.2.5',
    );
    expect(await read(bytes, { frame: 2 })).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    await expect(read(bytes, { frame: 1 })).rejects.toThrow(/run lengths are cut off/);
    await expect(read(bytes, { frame: 3 })).rejects.toThrow(/has no frame 4/);
    await expect(read(bytes)).rejects.toThrow(/run lengths are cut off/);
  });

  it('are chosen by series, and those without an image are counted', async () => {
    const of = (modality: string, part: string, text: string, patient: string) =>
      image({
        more: [
          element('00080060', 'CS', modality),
          element('00180015', 'CS', part),
          element('0008103E', 'LO', text),
          element('00100020', 'LO', patient),
        ],
      });
    const report = dicomFile(
      imageElements({ rows: 1, columns: 1, pixels: [0], more: [element('00080060', 'CS', 'SR')] }).filter(
        ([tag]) => tag !== '7FE00010',
      ),
    );
    const folder = await folderOf('series', {
      '1.dcm': of('CT', 'CHEST', 'MARKDESC99 lung', 'MARKMRN77'),
      '2.dcm': of('CT', 'HEAD', 'brain', 'P2'),
      '3.dcm': of('MR', 'HEAD', 'brain', 'MARKMRN77'),
      '4.dcm': report,
    });
    const all = await openDataset(folder, OPTIONS);
    expect(all.size).toBe(3);
    expect(all.patients).toEqual(['1.dcm', '2.dcm', '1.dcm']);
    expect(all.remarks?.join()).toContain('(CT), (MR)');
    const some = await openDataset(folder, { ...OPTIONS, series: { modality: 'ct', bodyPart: 'head' } });
    expect(some.origins).toEqual(['2.dcm']);
    const lung = await openDataset(folder, { ...OPTIONS, series: { description: 'LUNG' } });
    expect(lung.passedOver?.map(({ reason, count }) => [reason, count])).toEqual([
      ['images of other series than --series asks for (CT)', 1],
      ['images of other series than --series asks for (MR)', 1],
      ['objects of DICOM without an image (SR)', 1],
    ]);
    await expect(openDataset(folder, { ...OPTIONS, series: { modality: 'US' } })).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringMatching(/is left to read: .*asks for \(CT\); .*\(MR\)/),
    });
    for (const data of [all, some, lung]) expect(JSON.stringify({ ...data, samples: 0 })).not.toMatch(/MARK/);
  });

  it('are without labels in one folder of an export, unless it has the name of a class', async () => {
    const folder = await folderOf('export', {
      'first.dcm': image(),
      'P1/study/series/im1': image(),
      'P1/study/other/im2.dcm': image(),
    });
    const data = await openDataset(folder, OPTIONS);
    expect(data.labels).toBeUndefined();
    expect(data.origins).toEqual(
      ['first.dcm', 'P1/study/other/im2.dcm', 'P1/study/series/im1'].map((path) => join(...path.split('/'))),
    );
    expect(data.remarks?.join()).toContain('export of an archive');
    const named = await openDataset(folder, { ...OPTIONS, contract: { classes: ['p1', 'p2'] } });
    expect([...(named.labels ?? [])]).toEqual([0, 0]);
    // Two folders may be classes that are missing some: that is not guessed.
    const two = await folderOf('two', { 'a/1.dcm': image(), 'b/1.dcm': image() });
    await expect(openDataset(two, { ...OPTIONS, classes: 3 })).rejects.toMatchObject({ code: 'E_DATA_FIT' });
  });

  it('are those that a directory of media names', async () => {
    const record = (...path: string[]): MadeElement[] => [
      element('00041430', 'CS', 'IMAGE'),
      element('00041500', 'CS', path.join('\\')),
    ];
    const directory = dicomFile([
      element('00041220', 'SQ', [record('IMAGES', 'IM1'), record('IMAGES', 'IM9')]),
    ]);
    const folder = await folderOf('media', {
      DICOMDIR: directory,
      'images/im1': image(),
      'images/im2': image(),
    });
    for (const path of [folder, join(folder, 'DICOMDIR')]) {
      const data = await openDataset(path, OPTIONS);
      expect(data.origins).toEqual([join('images', 'im1')]);
      expect(data.passedOver?.map(({ reason }) => reason)).toEqual([
        'files that DICOMDIR names and the folder does not hold',
        'files that DICOMDIR does not name',
      ]);
    }
  });

  it('that are damaged are refused without their texts, or skipped', async () => {
    const whole = image();
    const bomb = image({ more: [element('00280010', 'US', [60000]), element('00280011', 'US', [60000])] });
    const folder = await folderOf('bad', {
      'a.dcm': whole.subarray(0, whole.length - 4),
      'b.dcm': bomb,
      'c.dcm': whole,
    });
    const error = await openDataset(folder, OPTIONS).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'E_DATA', message: expect.stringContaining('its pixels are short') });
    expect(String(error)).not.toMatch(/MARK/);
    const data = await openDataset(folder, { ...OPTIONS, skipBad: true });
    expect(data.skipped.map(({ path }) => path)).toEqual(['a.dcm', 'b.dcm']);
    expect(data.size).toBe(1);
  });
});

it('finds many frames by the table of offsets in one pass', async () => {
  const count = 60_000;
  const bytes = Buffer.alloc(8 + 4 * count + 8 * count + 8);
  let at = 0;
  const item = (tag: number, length: number) => {
    bytes.writeUInt32LE(tag, at);
    bytes.writeUInt32LE(length, at + 4);
    at += 8;
  };
  item(0xe000fffe, 4 * count);
  for (let i = 0; i < count; i++, at += 4) bytes.writeUInt32LE(8 * i, at);
  for (let i = 0; i < count; i++) item(0xe000fffe, 0);
  item(0xe0ddfffe, 0);
  const object = { source: memorySource(bytes), pixels: { start: 0, length: undefined, vr: 'OB' } };
  const began = performance.now();
  const { frames } = await encapsulatedFrames(object as unknown as DicomObject, count);
  expect(frames).toHaveLength(count);
  expect(performance.now() - began).toBeLessThan(2000);
});
