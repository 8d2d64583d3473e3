// What archives say about their samples: names of arrays, wide pixels, classes, labels, values, masks and patients.
import { describe, expect, it } from 'vitest';
import { memorySource } from '../archive/byte-source.ts';
import type { DatasetOptions } from '../dataset.ts';
import { type NpyArray, npyArray } from './npy.ts';
import { writeNpz } from './npz.ts';
import { isUnsplitNpz, npzDataset } from './npz-dataset.ts';

const OPTIONS: DatasetOptions = { sampleShape: [2], classes: 3, split: 'all', seed: 1 };

function read(arrays: Record<string, NpyArray>, change: Partial<DatasetOptions> = {}) {
  return npzDataset(writeNpz(arrays), 'f.npz', { ...OPTIONS, ...change });
}

const floats = (shape: number[], from = 0): NpyArray =>
  npyArray(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
  );
const bytes = (shape: number[], ...values: number[]): NpyArray => npyArray(shape, Uint8Array.from(values));
const ints = (...values: number[]): NpyArray => npyArray([values.length], Int32Array.from(values));

describe('names of arrays', () => {
  it.each<[string, string, string, string, string]>([
    ['Keras', 'x_train', 'y_train', 'x_test', 'y_test'],
    ['capitals', 'X_train', 'Y_train', 'X_test', 'Y_test'],
    ['scikit-learn', 'X_train', 'y_train', 'X_test', 'y_test'],
    ['the split first', 'train_x', 'train_y', 'test_x', 'test_y'],
    ['long', 'training_images', 'training_labels', 'testing_images', 'testing_labels'],
  ])('%s', async (_, x, y, xt, yt) => {
    const arrays = { [x]: floats([2, 2]), [y]: ints(0, 1), [xt]: floats([1, 2], 50), [yt]: ints(2) };
    expect([...(await read(arrays, { split: 'local' })).labels!]).toEqual([0, 1]);
    const test = await read(arrays, { split: 'test' });
    expect([...test.labels!]).toEqual([2]);
    expect([...test.samples]).toEqual([50, 51]);
    expect(await isUnsplitNpz(memorySource(writeNpz(arrays)), 'f')).toBe(false);
  });

  it.each([
    ['X', 'y'],
    ['images', 'labels'],
    ['data', 'targets'],
  ])('%s without splits', async (x, y) => {
    const arrays = { [x]: floats([2, 2]), [y]: ints(0, 1) };
    expect([...(await read(arrays, { split: 'test' })).labels!]).toEqual([0, 1]);
    expect(await isUnsplitNpz(memorySource(writeNpz(arrays)), 'f')).toBe(true);
  });

  it('are told where several could be meant', async () => {
    const arrays = { train_images: floats([1, 2]), train_labels: ints(1), train_masks: bytes([1, 2], 1, 0) };
    const one = await read(arrays, { split: 'local' });
    expect([...one.labels!]).toEqual([1]);
    expect(one.remarks).toContainEqual(expect.stringMatching(/train_labels was read .* not train_masks/));
    const mask = await read(arrays, {
      split: 'local',
      task: 'segmentation',
      outputShape: [1, 2],
      classes: 2,
    });
    expect([...mask.targets!.data]).toEqual([1, 0]);
  });
});

describe('wide pixels', () => {
  it.each<[string, NpyArray, number]>([
    ['12 bits in 16', npyArray([2, 2], Uint16Array.of(0, 4095, 1000, 1024)), 4095],
    ['10 bits in 16', npyArray([2, 2], Uint16Array.of(0, 1023, 1000, 2)), 1023],
    ['16 bits', npyArray([2, 2], Uint16Array.of(0, 16384, 1000, 65535)), 65535],
    ['bytes in 32 bits', npyArray([2, 2], Uint32Array.of(0, 255, 1, 2)), 255],
    ['14 bits in 64', npyArray([2, 2], BigUint64Array.of(0n, 16383n, 1n, 2n)), 16383],
  ])('%s are divided by their white, and this is said', async (_, x, white) => {
    const { samples, remarks } = await read({ x });
    Array.from(x.data, Number).forEach((value, i) => {
      expect(samples[i]).toBeCloseTo(value / white, 6);
    });
    expect(remarks).toContainEqual(expect.stringContaining(`divided by ${white}`));
  });

  it('have one white for all splits', async () => {
    const wide = (value: number) => npyArray([1, 2], Uint16Array.of(0, value));
    const arrays = { train_images: wide(200), test_images: wide(4000) };
    expect((await read(arrays, { split: 'local' })).samples[1]).toBeCloseTo(200 / 4095, 6);
    expect((await read(arrays, { split: 'test' })).samples[1]).toBeCloseTo(4000 / 4095, 6);
  });

  it('are resized as images without becoming bytes', async () => {
    const x = npyArray([1, 4, 4], new Uint16Array(16).fill(1001));
    const { samples } = await read({ x }, { sampleShape: [3, 2, 2] });
    for (const value of samples) expect(value).toBeCloseTo(1001 / 1023, 6);
    const colour = npyArray([1, 2, 2, 3], new Uint16Array(12).fill(65535));
    expect((await read({ x: colour }, { sampleShape: [1, 2, 2] })).samples[0]).toBe(1);
  });
});

describe('labels', () => {
  it('are classes by rows of one 1, of any type', async () => {
    const y = npyArray([3, 3], Float32Array.of(0, 0, 1, 1, 0, 0, 0, 1, 0));
    expect([...(await read({ x: floats([3, 2]), y })).labels!]).toEqual([2, 0, 1]);
    const two = { x: floats([1, 2]), y: bytes([1, 2], 0, 1) };
    await expect(read(two)).rejects.toMatchObject({ code: 'E_DATA_FIT' });
    expect([...(await read(two, { classes: 2, task: 'binary' })).labels!]).toEqual([1]);
    const several = { x: floats([1, 2]), y: bytes([1, 3], 1, 0, 1) };
    await expect(read(several)).rejects.toMatchObject({
      code: 'E_DATA',
      hint: expect.stringContaining('multi-label'),
    });
  });

  it('are several for a network of several', async () => {
    const arrays = { x: floats([3, 2]), y: bytes([3, 3], 1, 0, 1, 0, 0, 0, 0, 1, 1) };
    const { targets, labels } = await read(arrays, { task: 'multi-label' });
    expect(labels).toBeUndefined();
    expect(targets).toEqual({ kind: 'labels', shape: [3], data: Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 1, 1) });
    const some = await read(arrays, { task: 'multi-label', classFilter: [0] });
    expect([...some.targets!.data]).toEqual([1, 0, 1]);
    expect(some.hash).not.toBe((await read({ x: floats([1, 2]) })).hash);
    for (const [y, code] of [
      [bytes([3, 3], 1, 0, 2, 0, 0, 0, 0, 1, 1), 'E_DATA'],
      [bytes([3, 2], 1, 0, 0, 0, 0, 0), 'E_DATA_FIT'],
      [bytes([2, 3], 1, 0, 0, 0, 0, 0), 'E_DATA'],
    ] as const) {
      await expect(read({ x: arrays.x, y }, { task: 'multi-label' })).rejects.toMatchObject({ code });
    }
  });

  it('are values for a regression, of the output and finite', async () => {
    const options = { task: 'regression', classes: 1, outputShape: [1] } as const;
    const values = npyArray([2], Float64Array.of(1.5, -7));
    const { targets } = await read({ x: floats([2, 2]), y: values }, options);
    expect(targets).toEqual({ kind: 'values', shape: [1], data: Float32Array.of(1.5, -7) });
    const limited = await read({ x: floats([9, 2]), y: floats([9, 1]) }, { ...options, perClass: 4 });
    expect(limited.size).toBe(4);
    // Each sample keeps its own value.
    limited.targets!.data.forEach((value, i) => {
      expect(limited.samples[2 * i]).toBe(2 * value);
    });
    const gap = npyArray([2], Float64Array.of(1.5, Number.NaN));
    await expect(read({ x: floats([2, 2]), y: gap }, options)).rejects.toMatchObject({ code: 'E_DATA' });
    await expect(read({ x: floats([2, 2]), y: floats([2, 2]) }, options)).rejects.toMatchObject({
      code: 'E_DATA_FIT',
    });
  });

  it('are masks for a segmentation: with or without channel, of classes, channels first or last', async () => {
    const x = floats([1, 2]);
    const one = { task: 'segmentation', classes: 2, outputShape: [1, 2, 2] } as const;
    for (const shape of [
      [1, 1, 2, 2],
      [1, 2, 2],
      [1, 2, 2, 1],
    ]) {
      const { targets } = await read({ x, y: bytes(shape, 0, 255, 1, 0) }, one);
      expect(targets).toEqual({ kind: 'mask', shape: [1, 2, 2], data: Uint8Array.of(0, 1, 1, 0) });
    }
    const three = { task: 'segmentation', classes: 3, outputShape: [3, 2] } as const;
    const classes = await read({ x, masks: bytes([1, 1, 2], 2, 0) }, three);
    expect(classes.targets).toEqual({ kind: 'mask', shape: [1, 2], data: Uint8Array.of(2, 0) });
    const last = await read({ x, y: bytes([1, 2, 3], 0, 0, 1, 1, 0, 0) }, three);
    expect(last.targets).toEqual({ kind: 'mask', shape: [3, 2], data: Uint8Array.of(0, 1, 0, 0, 1, 0) });
    for (const [y, options, code] of [
      [bytes([1, 2, 2], 0, 7, 1, 0), one, 'E_DATA'],
      [bytes([1, 2], 3, 0), three, 'E_DATA'],
      [bytes([1, 5], 0, 0, 0, 0, 0), one, 'E_DATA_FIT'],
    ] as const) {
      await expect(read({ x, y }, options)).rejects.toMatchObject({ code });
    }
    await expect(read({ x, y: bytes([1, 2], 3, 0) }, { ...three, classFilter: [0] })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
  });

  it('of an embedding are values of its shape, or not read', async () => {
    const options = { task: 'embedding', classes: 4, outputShape: [4] } as const;
    const known = await read({ x: floats([1, 2]), y: floats([1, 4]) }, options);
    expect(known.targets?.kind).toBe('values');
    const none = await read({ x: floats([1, 2]), y: ints(3) }, options);
    expect(none.targets).toBeUndefined();
    expect(none.remarks).toContainEqual(expect.stringContaining('not read'));
  });
});

it('reads whose the samples are, and splits by patient', async () => {
  const count = 12;
  const patients = ints(...Array.from({ length: count }, (_, i) => i % 4));
  const arrays = { x: floats([count, 2]), y: ints(...new Array<number>(count).fill(1)), patients };
  expect((await read(arrays)).patients?.slice(0, 5)).toEqual(['0', '1', '2', '3', '0']);
  const [local, test] = await Promise.all(
    (['local', 'test'] as const).map((split) => read(arrays, { split, splitBy: 'patient' })),
  );
  expect(new Set([...local!.patients!, ...test!.patients!]).size).toBe(4);
  expect(local!.patients!.some((patient) => test!.patients!.includes(patient))).toBe(false);
  expect(local!.size + test!.size).toBe(count);
  await expect(read({ ...arrays, patients: ints(1, 2) })).rejects.toMatchObject({ code: 'E_DATA' });
  await expect(read({ x: arrays.x }, { splitBy: 'patient' })).rejects.toMatchObject({ code: 'E_DATA' });
});
