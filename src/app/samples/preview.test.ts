// Previews: the pictures hold the numbers that the network reads, under names with their labels.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Dataset } from '../../data/index.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { assertPreviewFolder, writePreview } from './preview.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-preview-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const data = (change: Partial<Dataset>): Dataset => ({
  kind: 'npz',
  name: 'd.npz',
  size: 1,
  sampleShape: [],
  samples: new Float32Array(),
  labels: Int32Array.from([0]),
  classNames: ['a/b', 'c'],
  origins: undefined,
  skipped: [],
  hash: '',
  ...change,
});
const reads = (sampleShape: readonly number[], more: Partial<Classifier> = {}) =>
  ({ sampleShape, ...more }) as unknown as Classifier;

it('draws images as the network has them, channels last too', async () => {
  const samples = Float32Array.from([-1, 0, 1, 1, 0, -1, 0, 0, 0, 1, 1, 1]);
  const dataset = data({ samples, sampleShape: [2, 2, 3] });
  const { samples: count } = await writePreview(join(folder, 'image'), dataset, reads([2, 2, 3]), 'm.onnx');
  expect([count, (await readdir(join(folder, 'image'))).sort()]).toEqual([1, ['0-a_b.png', 'index.html']]);
  const { data: pixels, info } = await sharp(join(folder, 'image', '0-a_b.png'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([256, 256]);
  const at = (x: number, y: number) => [...pixels.subarray((y * 256 + x) * 3, (y * 256 + x) * 3 + 3)];
  expect([at(0, 0), at(255, 0), at(0, 255), at(255, 255)]).toEqual([
    [0, 128, 255],
    [255, 128, 0],
    [128, 128, 128],
    [255, 255, 255],
  ]);
});

it('draws each of several inputs, and at most two samples of a class', async () => {
  const samples = Float32Array.from({ length: 6 * 14 }, (_, i) => Math.sin(i));
  const inputs = [
    { name: 'beat', shape: [2, 6], elemType: 1 },
    { name: 'age', shape: [2], elemType: 1 },
  ];
  const labels = Int32Array.from([0, 0, 0, 1, 1, 0]);
  const dataset = data({ samples, size: 6, sampleShape: [14], labels, inputs });
  const { samples: count } = await writePreview(
    join(folder, 'two'),
    dataset,
    reads([14], { inputs }),
    'm.onnx',
  );
  expect(count).toBe(4);
  const files = (await readdir(join(folder, 'two'))).sort();
  expect(files).toEqual(
    ['0', '1', '3', '4']
      .flatMap((i) => {
        const label = i < '3' ? 'a_b' : 'c';
        return [`${i}-${label}-age.svg`, `${i}-${label}-beat.svg`];
      })
      .concat('index.html'),
  );
  const svg = await readFile(join(folder, 'two', '0-a_b-beat.svg'), 'utf8');
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(await readFile(join(folder, 'two', 'index.html'), 'utf8')).toContain('a/b');
});

it('names samples by several labels, values and masks, and refuses a file for a folder', async () => {
  const base = { samples: Float32Array.from([1, 2, 3, 4]), size: 2, sampleShape: [2], labels: undefined };
  const several = { kind: 'labels', shape: [2], data: Uint8Array.from([1, 1, 0, 0]) } as const;
  const values = { kind: 'values', shape: [1], data: Float32Array.from([1.5, 2]) } as const;
  for (const [at, targets] of [several, values].entries()) {
    await writePreview(join(folder, String(at)), data({ ...base, targets }), reads([2]), 'm.onnx');
  }
  expect((await readdir(join(folder, '0'))).sort()).toEqual(['0-a_b+c.svg', '1-none.svg', 'index.html']);
  expect((await readdir(join(folder, '1'))).sort()).toEqual(['0-1.500.svg', '1-2.000.svg', 'index.html']);
  await writeFile(join(folder, 'file'), '');
  await expect(assertPreviewFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'E_OUTPUT' });
});
