import { describe, expect, it } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { type NpyArray, npyArray } from './npy.ts';
import { writeNpz } from './npz.ts';
import { npzDataset } from './npz-dataset.ts';

const OPTIONS: DatasetOptions = { sampleShape: [1, 2, 2], classes: 3, split: 'all', seed: 1 };

function read(arrays: Record<string, NpyArray>, change: Partial<DatasetOptions> = {}) {
  return npzDataset(writeNpz(arrays), 'f.npz', { ...OPTIONS, ...change });
}

const bytes = (shape: number[], from = 0): NpyArray =>
  npyArray(
    shape,
    Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
  );
const labels = (...values: number[]): NpyArray => npyArray([values.length], Int32Array.from(values));
const times255 = (samples: Float32Array): number[] => Array.from(samples, (v) => Math.round(v * 255));

describe('npzDataset', () => {
  const medmnist = {
    train_images: bytes([2, 2, 2]),
    train_labels: npyArray([2, 1], Uint8Array.of(0, 1)),
    val_images: bytes([1, 2, 2], 50),
    val_labels: npyArray([1, 1], Uint8Array.of(2)),
    test_images: bytes([2, 2, 2], 100),
    test_labels: npyArray([2, 1], Uint8Array.of(2, 0)),
  };

  it('takes train for local, test for test and everything for all', async () => {
    const local = await read(medmnist, { split: 'local' });
    expect(times255(local.samples)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(local).toMatchObject({
      kind: 'npz',
      name: 'f.npz',
      size: 2,
      sampleShape: [1, 2, 2],
      classNames: ['0', '1', '2'],
    });
    expect([...(await read(medmnist, { split: 'test' })).labels!]).toEqual([2, 0]);
    const all = await read(medmnist);
    expect([...all.labels!]).toEqual([0, 1, 2, 2, 0]);
    expect(times255(all.samples)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 50, 51, 52, 53, 100, 101, 102, 103, 104, 105, 106, 107,
    ]);
  });

  it('refuses labels of so few classes that the scores are features, unless classes are named', async () => {
    const data = { x: bytes([3, 2, 2]), y: labels(0, 2, 1) };
    expect((await read(data, { classes: 13 })).size).toBe(3);
    await expect(read(data, { classes: 14, output: "output 'embedding' [batch, 14]" })).rejects.toMatchObject(
      {
        code: 'E_DATA_FIT',
        message: expect.stringMatching(
          /14 classes \(output 'embedding' \[batch, 14\]\), .* labels from 0 to 2/,
        ),
        hint: expect.stringContaining('--classes'),
      },
    );
    expect((await read(data, { classes: 14, classFilter: [0, 1, 2] })).size).toBe(3);
    expect((await read({ x: data.x }, { classes: 14 })).labels).toBeUndefined();
  });

  it('makes images what the model reads', async () => {
    // Channels last to channels first.
    const rgb = await read({ x: bytes([1, 2, 2, 3]), y: labels(0) }, { sampleShape: [3, 2, 2] });
    expect(times255(rgb.samples)).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    const repeated = await read({ x: bytes([1, 2, 2, 1]), y: labels(0) }, { sampleShape: [3, 2, 2] });
    expect(times255(repeated.samples)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    const grey = await read({
      x: npyArray([1, 2, 2, 3], Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9)),
    });
    expect(times255(grey.samples)).toEqual([76, 150, 29, 9]);
    const flat = await read(
      { x: npyArray([1, 8, 8], new Uint8Array(64).fill(200)) },
      { sampleShape: [3, 5, 7] },
    );
    expect(times255(flat.samples)).toEqual(new Array(105).fill(200));
    const first = await read({ x: bytes([1, 3, 2, 4]) }, { sampleShape: [3, 2, 4] });
    expect(times255(first.samples)).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it('takes numbers of the right shape as they are, with or without the channel axis', async () => {
    const values = Float64Array.of(-1.5, 300, 0.25, 1e-3, 5, 6, 7, 8);
    for (const shape of [
      [2, 1, 4],
      [2, 4],
    ]) {
      const dataset = await read(
        { x: npyArray(shape, values), y: npyArray([2], BigInt64Array.of(2n, 1n)) },
        { sampleShape: [1, 4] },
      );
      expect(dataset.samples).toEqual(Float32Array.from(values));
      expect([...dataset.labels!]).toEqual([2, 1]);
    }
  });

  it('divides bytes of the shape of the model by 255, whatever the rank, and takes other integers as they are', async () => {
    for (const shape of [[6], [2, 3], [1, 2, 3], [1, 1, 2, 3], [2, 1, 3], [1, 1, 1, 2, 3]]) {
      const { samples } = await read({ x: bytes([2, ...shape], 100) }, { sampleShape: shape });
      expect(times255(samples)).toEqual(Array.from({ length: 12 }, (_, i) => 100 + i));
    }
    const withoutChannel = await read({ x: bytes([2, 2, 3, 2]) }, { sampleShape: [1, 2, 3, 2] });
    expect(times255(withoutChannel.samples)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    const plain = Int16Array.of(-5, 300, 7, 8, 9, 10);
    const table = await read({ x: npyArray([1, 6], plain) }, { sampleShape: [6] });
    expect([...table.samples]).toEqual([...plain]);
  });

  it('puts wide numbers into windows of any width', async () => {
    const x = npyArray([1, 2, 2], Uint32Array.of(0, 250_000, 500_000, 2_000_000));
    const image = { window: { low: 0, high: 1_000_000 } };
    const { samples } = await read({ x }, { contract: { image } });
    expect(Array.from(samples, (value) => Math.round(value * 1e4) / 1e4)).toEqual([0, 0.25, 0.5, 1]);
  });

  it('refuses labels that would become others, and maps high ones', async () => {
    const y = (label: bigint) => npyArray([2], BigInt64Array.of(1n, label));
    const contract = { classMap: { 0: 0, 1: 1, 2000000000: null } };
    await expect(read({ x: bytes([2, 2, 2]), y: y(2n ** 32n) }, { contract })).rejects.toThrow(
      /label 4294967296 is beyond 2147483647/,
    );
    const { labels, size } = await read({ x: bytes([2, 2, 2]), y: y(2_000_000_000n) }, { contract });
    expect([size, ...labels!]).toEqual([1, 1]);
  });

  it('takes labels of any integer type', async () => {
    for (const values of [Uint16Array.of(2, 1), Uint32Array.of(2, 1), BigUint64Array.of(2n, 1n)]) {
      const { labels } = await read({ x: bytes([2, 2, 2]), y: npyArray([2], values) });
      expect([...labels!]).toEqual([2, 1]);
    }
  });

  it('says which classes no sample has, and where each sample stands in the data', async () => {
    const some = await read({ x: bytes([2, 2, 2]), y: labels(1, 1) });
    expect(some.remarks).toEqual(['f.npz has no sample of classes 0, 2']);
    expect((await read({ x: bytes([2, 2, 2]), y: labels(1, 1) }, { classFilter: [1] })).remarks).toEqual([]);
    const all = await read(medmnist);
    const test = await read(medmnist, { split: 'test' });
    expect(new Set(all.positions).size).toBe(5);
    expect([...test.positions!]).toEqual([...all.positions!.subarray(3)]);
  });

  it('goes without labels', async () => {
    expect((await read({ x: bytes([2, 2, 2]) })).labels).toBeUndefined();
    await expect(read({ x: bytes([2, 2, 2]) }, { classFilter: [0] })).rejects.toThrow(/no labels/);
  });

  it.each<[string, Record<string, NpyArray>, Partial<DatasetOptions>, string, RegExp]>([
    [
      'a model of signals',
      { x: bytes([2, 4, 4]) },
      { sampleShape: [1, 256] },
      'E_DATA_FIT',
      /model reads \[1, 256\]/,
    ],
    [
      'numbers of another shape',
      { x: npyArray([2, 3, 2, 2], new Float32Array(24)) },
      {},
      'E_DATA_FIT',
      /model reads \[1, 2, 2\], the data is float32 \[3, 2, 2\]/,
    ],
    ['bytes of no image', { x: bytes([2, 2, 2, 2]) }, {}, 'E_DATA_FIT', /uint8 \[2, 2, 2\]/],
    ['a scalar', { x: npyArray([], Float32Array.of(1)) }, {}, 'E_DATA_FIT', /float32 \[\]/],
    [
      'a label too high',
      { x: bytes([1, 2, 2]), y: labels(9) },
      {},
      'E_DATA_FIT',
      /model has 3 classes, the data has label 9/,
    ],
    ['a negative label', { x: bytes([1, 2, 2]), y: labels(-1) }, {}, 'E_DATA', /whole number/],
    [
      'half a label',
      { x: bytes([1, 2, 2]), y: npyArray([1], Float32Array.of(0.5)) },
      {},
      'E_DATA',
      /whole number/,
    ],
    [
      'several labels a sample',
      { x: bytes([1, 2, 2]), y: bytes([1, 3]) },
      {},
      'E_DATA',
      /\[N\] or \[N, 1\], or a single 1 in each row of \[N, 3\]/,
    ],
    ['fewer labels than samples', { x: bytes([2, 2, 2]), y: labels(0) }, {}, 'E_DATA', /2 x and 1 y/],
    ['no known arrays', { other: bytes([1]) }, { split: 'test' }, 'E_DATA', /neither test_images nor x/],
    ['no samples', { x: bytes([0, 2, 2]), y: labels() }, {}, 'E_DATA', /no sample/],
    [
      'a gap',
      { x: npyArray([1, 1, 2, 2], Float32Array.of(1, Number.NaN, 2, 3)) },
      {},
      'E_DATA',
      /not a finite number/,
    ],
  ])('refuses %s', async (_, arrays, change, code, message) => {
    await expect(read(arrays, change)).rejects.toThrow(message);
    await expect(read(arrays, change)).rejects.toThrow(expect.objectContaining({ code }));
  });
});
