import { describe, expect, it } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { type NpyArray, npyArray } from './npy.ts';
import { writeNpz } from './npz.ts';
import { npzDataset } from './npz-dataset.ts';

const INPUTS = [
  { name: 'image', shape: [1, 2, 2], elemType: 1 },
  { name: 'age', shape: [1], elemType: 1 },
  { name: 'site', shape: [], elemType: 7 },
];
const OPTIONS: DatasetOptions = { sampleShape: [6], inputs: INPUTS, classes: 3, split: 'all', seed: 1 };

function read(arrays: Record<string, NpyArray>, change: Partial<DatasetOptions> = {}) {
  return npzDataset(writeNpz(arrays), 'f.npz', { ...OPTIONS, ...change });
}

const floats = (shape: number[], ...values: number[]): NpyArray => npyArray(shape, Float32Array.from(values));
const whole = (...values: number[]): NpyArray =>
  npyArray([values.length], BigInt64Array.from(values, BigInt));

const split = {
  train_image: floats([2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8),
  train_age: npyArray([2, 1], Float64Array.of(40.5, 50)),
  train_site: whole(2, 0),
  train_labels: whole(0, 1),
  test_image: floats([1, 1, 2, 2], 9, 10, 11, 12),
  test_age: floats([1], 60),
  test_site: npyArray([1, 1], Uint8Array.of(1)),
  test_labels: whole(2),
};

describe('npzDataset with several inputs', () => {
  it('packs the arrays of a split, in the order of the inputs', async () => {
    const local = await read(split, { split: 'local' });
    expect(Array.from(local.samples)).toEqual([1, 2, 3, 4, 40.5, 2, 5, 6, 7, 8, 50, 0]);
    expect(local).toMatchObject({ size: 2, sampleShape: [6], inputs: INPUTS });
    expect(Array.from(local.labels ?? [])).toEqual([0, 1]);
    const all = await read(split);
    expect(Array.from(all.samples.subarray(12))).toEqual([9, 10, 11, 12, 60, 1]);
  });

  it('chooses the same rows of every array', async () => {
    const { samples, positions } = await read(split, { classFilter: [1, 2] });
    expect(Array.from(samples)).toEqual([5, 6, 7, 8, 50, 0, 9, 10, 11, 12, 60, 1]);
    expect(positions).toHaveLength(2);
  });

  it('reads arrays of the names of the inputs, and those behind x_, with labels y', async () => {
    const { train_image: image, train_age: age, train_site: site, train_labels: y } = split;
    const expected = (await read(split, { split: 'local' })).samples;
    const plain = await read({ image, age, site, y }, { split: 'test' });
    expect(plain.samples).toEqual(expected);
    expect((await read({ x_image: image, x_age: age, site, y })).samples).toEqual(expected);
  });

  it('names the array that is missing', async () => {
    const { test_age: _, ...rest } = split;
    await expect(read(rest)).rejects.toThrow(
      "f.npz has no array of input 'age': the model reads image, age, site",
    );
    const { train_image: image, train_site: site } = split;
    await expect(read({ image, site })).rejects.toThrow("f.npz has no array of input 'age'");
  });

  it('refuses arrays of other lengths, shapes and numbers', async () => {
    await expect(read({ ...split, train_age: floats([3], 1, 2, 3) })).rejects.toThrow(
      'f.npz has 2 train_image and 3 train_age',
    );
    await expect(read({ ...split, train_age: floats([2, 2], 1, 2, 3, 4) })).rejects.toMatchObject({
      code: 'E_DATA_FIT',
    });
    await expect(read({ ...split, train_site: floats([2], 1, 0.5) })).rejects.toThrow(
      'train_site in f.npz: sample 1 has a value that is not a whole number',
    );
    await expect(read({ ...split, train_site: whole(1, 16_777_217) })).rejects.toThrow('16777216');
    await expect(read({ ...split, train_age: floats([2], 1, Number.NaN) })).rejects.toThrow('sample 1');
  });

  it('does not scale bytes of whole numbers', async () => {
    const { samples } = await read({ ...split, train_site: npyArray([2], Uint8Array.of(2, 1)) });
    expect([samples[5], samples[11]]).toEqual([2, 1]);
  });

  it('finds the one input of whole numbers under the usual names too', async () => {
    const options = { inputs: [{ name: 'tokens', shape: [2], elemType: 7 }], sampleShape: [2] };
    const x = npyArray([1, 2], Uint8Array.of(3, 250));
    expect(Array.from((await read({ x, y: whole(0) }, options)).samples)).toEqual([3, 250]);
    const images = await read({ train_images: x, train_labels: whole(0) }, options);
    expect(Array.from(images.samples)).toEqual([3, 250]);
  });
});
