// Volumes as samples of three dimensions: their slices are those of data sets of slices, in order; depth is resampled.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import { niftiFile } from '../test-support/nifti-file.ts';
import { weightsAt } from './volumes.ts';

/** Along right, anterior and superior. */
const [WIDTH, HEIGHT, DEPTH] = [5, 6, 4];
const OPTIONS: Omit<DatasetOptions, 'sampleShape'> = { classes: 2, split: 'all', seed: 1 };
const value = (right: number, anterior: number, superior: number): number =>
  100 * superior + 10 * anterior + right;
const volume = (times = 1) => {
  const values = Array.from({ length: WIDTH * HEIGHT * DEPTH * times }, (_, i) => {
    const [x, y, z] = [i % WIDTH, Math.floor(i / WIDTH) % HEIGHT, Math.floor(i / WIDTH / HEIGHT) % DEPTH];
    return value(x, y, z) + 1000 * Math.floor(i / WIDTH / HEIGHT / DEPTH);
  });
  const size = times > 1 ? [WIDTH, HEIGHT, DEPTH, times] : [WIDTH, HEIGHT, DEPTH];
  return niftiFile({ size, values, type: 'int16', ways: 'RAS', form: 'sform' });
};

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-volumes-'));
  for (const name of ['c0', 'c1']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'c0', 'a.nii.gz'), gzipSync(volume()));
  await writeFile(join(folder, 'c1', 'b.nii'), volume(2));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('volumes', () => {
  it('lie as slices from feet to head, rows to the back, columns to the left, scaled by their own range', async () => {
    const data = await openDataset(join(folder, 'c0'), {
      ...OPTIONS,
      sampleShape: [1, DEPTH, HEIGHT, WIDTH],
    });
    expect([data.kind, data.size, data.origins]).toEqual(['nifti', 1, ['a.nii.gz']]);
    expect(data.remarks?.join()).toContain('slices from feet to head');
    expect(data.remarks?.join()).not.toContain('how they lie');
    const [low, high] = [0, value(WIDTH - 1, HEIGHT - 1, DEPTH - 1)];
    for (let z = 0; z < DEPTH; z++) {
      for (let row = 0; row < HEIGHT; row++) {
        for (let column = 0; column < WIDTH; column++) {
          const expected = (value(WIDTH - 1 - column, HEIGHT - 1 - row, z) - low) / (high - low);
          expect(data.samples[(z * HEIGHT + row) * WIDTH + column]).toBeCloseTo(expected, 4);
        }
      }
    }
  });

  it('of class folders have labels, one sample for each time, whose slices are those of a network of slices', async () => {
    const data = await openDataset(folder, { ...OPTIONS, sampleShape: [1, DEPTH, 8, 8] });
    expect([data.size, [...(data.labels ?? [])]]).toEqual([3, [0, 1, 1]]);
    expect(data.origins).toEqual(['c0/a.nii.gz', 'c1/b.nii#1', 'c1/b.nii#2']);
    const slices = await openDataset(folder, { ...OPTIONS, sampleShape: [1, 8, 8] });
    expect(slices.size).toBe(3 * DEPTH);
    expect([...data.samples]).toEqual([...slices.samples]);
  });

  it('that are damaged are refused, or left out', async () => {
    const own = await mkdtemp(join(folder, 'damaged-'));
    await writeFile(join(own, 'a.nii'), volume());
    await writeFile(join(own, 'b.nii'), volume().subarray(0, 400));
    await writeFile(join(own, 'c.png'), 'x');
    const options = { ...OPTIONS, sampleShape: [1, DEPTH, HEIGHT, WIDTH] };
    await expect(openDataset(own, options)).rejects.toMatchObject({ code: 'E_DATA' });
    const { size, skipped, passedOver } = await openDataset(own, { ...options, skipBad: true });
    expect([size, skipped?.map(({ path }) => path)]).toEqual([1, ['b.nii']]);
    expect(JSON.stringify(passedOver)).toContain('no volumes of NIfTI');
    for (const sampleShape of [
      [2, DEPTH, HEIGHT, WIDTH],
      [1, DEPTH, HEIGHT, WIDTH, 1],
    ])
      await expect(openDataset(own, { ...options, sampleShape })).rejects.toMatchObject({
        code: 'E_DATA_FIT',
      });
  });
});

describe('a depth', () => {
  it.each([
    [4, 4],
    [8, 4],
    [5, 3],
    [2, 4],
    [3, 10],
    [1, 7],
    [6, 1],
  ])('of %i slices out of %i keeps means and order', (depth, slices) => {
    const places = Array.from({ length: depth }, (_, i) => weightsAt(i, depth, slices));
    const middles = places.map((own) => own.reduce((sum, [z, weight]) => sum + z * weight, 0));
    for (const own of places) {
      expect(own.reduce((sum, [, weight]) => sum + weight, 0)).toBeCloseTo(1, 12);
      for (const [z] of own) expect(z >= 0 && z < slices).toBe(true);
    }
    expect(middles).toEqual(middles.toSorted((a, b) => a - b));
    // The first slice of the network is as far from the feet as its last is from the head.
    for (const [i, middle] of middles.entries())
      expect(middle + (middles[depth - 1 - i] ?? 0)).toBeCloseTo(slices - 1, 9);
    if (depth === slices) expect(places).toEqual(middles.map((_, i) => [[i, 1]]));
    // Between slices, and not where the ends cut in, it is linear.
    if (depth === 2 * slices)
      expect(middles.slice(1, -1)).toEqual(Array.from({ length: depth - 2 }, (_, i) => 0.25 + 0.5 * i));
  });
});
