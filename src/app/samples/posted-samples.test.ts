// Files that are sent: read as the same files are as data, within bounds, and told of in the words of their sender.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 as crcOf, deflateSync, gzipSync } from 'node:zlib';
import { unzipSync, type Zippable, zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { bundleOf } from '../../bundle/test-support/contents.ts';
import { Net } from '../../channels/test-support/net.ts';
import { type InputContract, npyArray, openDataset, writeNpz } from '../../data/index.ts';
import { dicomFile, imageElements } from '../../data/test-support/dicom-file.ts';
import { edfFile } from '../../data/test-support/edf-file.ts';
import { niftiFile } from '../../data/test-support/nifti-file.ts';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { withMetadata } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { CONTRACT_KEY } from '../../util/internal.ts';
import { loadNetwork } from '../network/network.ts';
import { kindOfContent, postedSamples } from './posted-samples.ts';

const BOUNDS = { maxBytes: 2 ** 20, maxFiles: 40, maxPixels: 10_000 };
const CONTRACT: InputContract = {
  image: { resize: { mode: 'cover', size: 12 }, mean: [0.1, 0.2, 0.3], deviation: [0.5, 0.6, 0.7] },
};

let folder: string;
let colours: Bundle;
let ecg: Bundle;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-posted-'));
  const net = new Net([3, 8, 8], 1);
  const pooled = net.op('GlobalAveragePool', [net.relu(net.conv('a', net.input, 3, 4))]);
  const model = net.finish(net.gemm('head', net.op('Flatten', [pooled]), 4, 3));
  colours = bundleOf(withMetadata(model, CONTRACT_KEY, JSON.stringify(CONTRACT)));
  const demo = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
  ecg = bundleOf((await loadNetwork(demo)).canonical);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const send = (bundle: Bundle, bytes: Uint8Array, name: string) =>
  postedSamples(bundle, { bytes, name }, BOUNDS);

function picture(width: number, height: number, kind: 'png' | 'jpeg', seed = 1): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 * seed + (i >> 3)) % 251);
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    [kind]()
    .toBuffer();
}

/** The samples of the same file as data. */
async function asData(name: string, bytes: Uint8Array) {
  const root = await mkdtemp(join(folder, 'data-'));
  await writeFile(join(root, name), bytes);
  const options = { sampleShape: [3, 8, 8], classes: 3, contract: CONTRACT, split: 'all', seed: 1 } as const;
  return await openDataset(name.endsWith('.npz') ? join(root, name) : root, options);
}

describe('a file that is sent', () => {
  it.each(['png', 'jpeg'] as const)('is an image, prepared as the contract says: %s', async (kind) => {
    const bytes = await picture(30, 20, kind);
    const { samples, remarks } = await send(colours, bytes, `a.${kind}`);
    const expected = await asData(`a.${kind}`, bytes);
    expect(samples.size).toBe(1);
    expect(samples.samples).toEqual(expected.samples);
    expect(remarks).toEqual([]);
  });

  it('is an array of samples, of stored or of prepared numbers, or of one sample alone', async () => {
    const pixels = Uint8Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 53) % 256);
    const npyOf = (shape: readonly number[], data: Parameters<typeof npyArray>[1]): Uint8Array => {
      const archive = writeNpz({ x: npyArray(shape, data) });
      return must(unzipSync(archive)['x.npy'], 'the array');
    };
    const two = await send(
      colours,
      npyOf(
        [2, 12, 12, 3],
        new Uint8Array(864).map((_, i) => i % 256),
      ),
      'x.npy',
    );
    expect(two.samples.size).toBe(2);
    const stored = await send(colours, npyOf([2, 8, 8, 3], pixels), 'x.npy');
    const expected = await asData('x.npz', writeNpz({ x: npyArray([2, 8, 8, 3], pixels) }));
    expect(stored.samples.samples).toEqual(expected.samples);
    const one = await send(colours, npyOf([8, 8, 3], pixels.slice(0, 192)), 'x.npy');
    expect(one.samples.samples).toEqual(expected.samples.slice(0, 192));
    const floats = Float32Array.from({ length: 192 }, (_, i) => i / 7);
    const ready = await send(colours, npyOf([3, 8, 8], floats), 'x.npy');
    expect([...ready.samples.samples]).toEqual([...floats]);
    expect(ready.remarks.join()).toMatch(/x\.npy/);
  });

  it('is refused where its members have no place beside each other', async () => {
    const one = new Uint8Array(3);
    const posted = (files: Zippable) => send(colours, zipSync(files), 'x.zip');
    await expect(posted({ 'a.png': one, 'A.png/b.png': one })).rejects.toMatchObject({
      ...{ code: 'E_DATA', message: 'x.zip holds A.png/b.png twice, as one file or as a file and a folder' },
    });
    await expect(posted({ [`${'é'.repeat(150)}.png`]: one })).rejects.toMatchObject({ code: 'E_DATA' });
  });

  it('is a WFDB record of several beats, which become a batch', async () => {
    const root = await mkdtemp(join(folder, 'record-'));
    const signal = Float64Array.from({ length: 3000 }, (_, i) => Math.sin(i / 11) + (i % 300 === 0 ? 2 : 0));
    const beats = [50, 600, 1200, 1800].map((frame) => [frame, 1] as const);
    await writeRecord(root, 'r1', { rate: 360, leads: [{ name: 'MLII', signal }], beats });
    const files: Record<string, Uint8Array> = {};
    for (const name of await readdir(root)) files[`upload/${name}`] = await readFile(join(root, name));
    const { samples, skipped } = await send(ecg, zipSync(files), 'r1.zip');
    const expected = await openDataset(root, {
      ...{ sampleShape: ecg.manifest.model.input.shape, classes: 5, split: 'all', seed: 1, rate: 360 },
    });
    expect(samples.size).toBe(3);
    expect(samples.samples).toEqual(expected.samples);
    // The first beat's window leaves the record, which is told.
    expect(skipped).toEqual([expect.objectContaining({ count: 1 })]);
    const { 'upload/r1.atr': _, ...without } = files;
    await expect(send(ecg, zipSync(without), 'r1.zip')).rejects.toMatchObject({ code: 'E_DATA' });
  });

  it('is a recording of EDF', async () => {
    const signal = Float64Array.from({ length: 3600 }, (_, i) => Math.sin(i / 11) + (i % 300 === 0 ? 2 : 0));
    const signals = [
      { label: 'ECG II', unit: 'mV', perRecord: 360, samples: signal, physical: [-4, 4] as const },
    ];
    const annotations = [2, 5, 7].map((time) => ({ time, text: 'N' }));
    const { samples, remarks } = await send(ecg, edfFile({ signals, annotations }), 'a.edf');
    expect([samples.size, samples.name]).toEqual([3, 'a.edf']);
    expect(remarks.join()).toContain('a.edf (ECG II)');
    const bare = await send(ecg, edfFile({ signals }), 'a.edf');
    expect([bare.samples.size, bare.samples.labels]).toEqual([14, undefined]);
    await expect(send(ecg, edfFile({ signals }).subarray(0, 900), 'a.edf')).rejects.toMatchObject({
      message: expect.stringContaining('cannot read a.edf: it is short'),
    });
  });

  it('is an object of DICOM or a volume of NIfTI', async () => {
    const pixels = Array.from({ length: 192 }, (_, i) => i);
    const made = { rows: 8, columns: 8, samples: 3, bitsAllocated: 8, pixels } as const;
    const object = dicomFile(imageElements(made));
    const { samples, remarks } = await send(colours, object, 'MARKNAME.dcm');
    expect([samples.size, samples.name]).toEqual([1, 'MARKNAME.dcm']);
    const raw = { width: 8, height: 8, channels: 3 } as const;
    const same = await send(colours, await sharp(Uint8Array.from(pixels), { raw }).png().toBuffer(), 'x.png');
    expect(samples.samples).toEqual(same.samples.samples);
    const volume = niftiFile({
      size: [8, 8, 2],
      values: pixels.slice(0, 128),
      type: 'uint8',
      description: 'MARKDESC99',
    });
    const slices = await send(colours, gzipSync(volume), 'v.nii.gz');
    expect([slices.samples.size, slices.samples.origins]).toEqual([2, ['v.nii.gz#1', 'v.nii.gz#2']]);
    expect(JSON.stringify([remarks, slices.remarks, samples.origins])).not.toMatch(/MARK(DESC|MRN|ACC)/);
    await expect(send(colours, object.subarray(0, object.length - 9), 'a.dcm')).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringContaining('cannot read image a.dcm: its pixels are short'),
    });
  });

  it('is a zip of images, in the order of their names', async () => {
    const [a, b] = [await picture(10, 10, 'png', 2), await picture(9, 14, 'png', 3)];
    const { samples } = await send(
      colours,
      zipSync({ 'b.png': b, 'a.png': a, '__MACOSX/._a.png': a }),
      'x.zip',
    );
    expect(samples.origins).toEqual(['a.png', 'b.png']);
    expect(samples.samples.slice(0, 192)).toEqual((await asData('a.png', a)).samples);
  });

  it('is known by its content', async () => {
    expect(kindOfContent(await picture(2, 2, 'png'))).toBe('image');
    expect(kindOfContent(zipSync({}))).toBe('archive');
    expect(kindOfContent(new Uint8Array(0))).toBe('image');
  });
});

describe('what is refused', () => {
  it('has a code, and names neither our folders nor our options', async () => {
    const zip = (files: Zippable) => zipSync(files, { level: 9 });
    const png = await picture(10, 10, 'png');
    const edf = edfFile({
      signals: [{ label: 'a', unit: 'mV', perRecord: 100, samples: new Float64Array(300) }],
    });
    const bomb = zip({ 'a.dat': new Uint8Array(2 ** 21) });
    const lying = zip({ 'a.png': new Uint8Array(5000) });
    // The size that the directory says, made smaller: nothing is unpacked beyond it.
    const at = Buffer.from(lying).lastIndexOf('PK\x01\x02', undefined, 'latin1');
    new DataView(lying.buffer, lying.byteOffset).setUint32(at + 24, 100, true);
    const many = zip(Object.fromEntries(Array.from({ length: 41 }, (_, i) => [`${i}.png`, png])));
    const cases: readonly [string, Uint8Array, string][] = [
      ['E_TOO_LARGE', bomb, 'unpacks to'],
      ['E_TOO_LARGE', many, '41 members'],
      ['E_TOO_LARGE', hugePng(60_000, 60_000), '60000 x 60000'],
      ['E_TOO_LARGE', zip({ 'a.png': hugePng(20_000, 20_000) }), '20000 x 20000'],
      ['E_DATA', lying, 'does not unpack to the 100 bytes'],
      ['E_DATA', zip({ '../../a.png': png }), 'leads out'],
      ['E_DATA', zip({ '/tmp/a.png': png }), 'leads out'],
      ['E_DATA', zip({ 'a\\..\\b.png': png }), 'leads out'],
      ['E_DATA', zip({ 'a.png': png, 'A.png': png }), 'twice'],
      ['E_DATA', zip({}), 'no files'],
      ['E_DATA', zip({ 'notes.txt': png }), ''],
      ['E_DATA', zip({ 'x.npy': png }), 'NumPy'],
      ['E_DATA', png.subarray(0, 60), 'cannot read image'],
      ['E_DATA_FIT', edf.subarray(0, 700), 'sent.bin does not fit'],
      ['E_DATA', Buffer.from('neither'), 'cannot read image'],
      ['E_DATA', Buffer.from('\x93NUMPY\x01\x00\xff\xff', 'latin1'), 'header'],
    ];
    for (const [code, bytes, said] of cases) {
      const error = await send(colours, bytes, 'sent.bin').then(
        () => undefined,
        (thrown: Error & { code?: string; hint?: string }) => thrown,
      );
      expect(error, said).toMatchObject({ code, message: expect.stringContaining(said) });
      const told = `${error?.message} ${error?.hint}`;
      expect(told).not.toMatch(/bedside-|\/dev\/shm|\/tmp\/b|(^| )--\w/);
    }
  });

  it('leaves nothing behind', async () => {
    for (const parent of [tmpdir(), '/dev/shm']) {
      const names = await readdir(parent).catch((): string[] => []);
      expect(names.filter((name) => name.includes(`-${process.pid}-`))).toEqual([]);
    }
  });
});

/** A PNG whose header says a size, of a few bytes. */
function hugePng(width: number, height: number): Uint8Array {
  const chunk = (type: string, data: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(data.length);
    head.write(type, 4, 'latin1');
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crcOf(Buffer.concat([head.subarray(4), data])));
    return Buffer.concat([head, data, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(Buffer.alloc(100));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
