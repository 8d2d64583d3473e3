// NIfTI-1: which way axes go, all types of voxels in both orders of bytes, scaling, gzip, pairs; and what is refused.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../archive/byte-source.ts';
import { openDataset } from '../open-dataset.ts';
import { type MadeNifti, niftiFile } from '../test-support/nifti-file.ts';
import { NiftiVolume } from './volume.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-nifti-'));
});
afterAll(() => rm(root, { recursive: true }));

const open = (bytes: Uint8Array) => NiftiVolume.open(memorySource(bytes), 'a.nii');
const SIZE = [2, 3, 4] as const;
const VALUES = Array.from({ length: 24 }, (_, i) => i);

/** A value for each place in the patient: 100 to the right, 10 forward, 1 up. */
const placed = (right: number, anterior: number, superior: number): number =>
  100 * right + 10 * anterior + superior;

describe('axes', () => {
  /** A volume whose axes are of the given ways; `LPI` goes to the left, back and down. */
  function volumeOf(ways: string, form: 'sform' | 'qform'): Uint8Array {
    const lengths = { R: 2, L: 2, A: 3, P: 3, S: 4, I: 4 };
    const size = [...ways].map((way) => lengths[way as keyof typeof lengths]);
    const pixels: number[] = [];
    for (let k = 0; k < (size[2] ?? 1); k++)
      for (let j = 0; j < (size[1] ?? 1); j++)
        for (let i = 0; i < (size[0] ?? 1); i++) {
          const at: Record<string, number> = {};
          for (const [axis, way] of [...ways].entries()) {
            const index = [i, j, k][axis] ?? 0;
            const own = 'LPI'.includes(way) ? (size[axis] ?? 1) - 1 - index : index;
            at[way.replace('L', 'R').replace('P', 'A').replace('I', 'S')] = own;
          }
          pixels.push(placed(at.R ?? 0, at.A ?? 0, at.S ?? 0));
        }
    return niftiFile({ size, values: pixels, type: 'int16', ways, form });
  }

  it.each(['RAS', 'LPS', 'LAS', 'RPI', 'PSR', 'SAL', 'ILP', 'ARS', 'SRP'])(
    '%s give the same slices by both forms',
    async (ways) => {
      for (const form of ['sform', 'qform'] as const) {
        const volume = await open(volumeOf(ways, form));
        expect([volume.header.orientation, volume.width, volume.height, volume.frames]).toEqual([
          form,
          2,
          3,
          4,
        ]);
        for (let slice = 0; slice < 4; slice++) {
          const { values } = volume.frame(slice);
          const expected = [2, 1, 0].flatMap((anterior) =>
            [1, 0].map((right) => placed(right, anterior, slice)),
          );
          expect([...values]).toEqual(expected);
        }
      }
    },
  );

  it('without a form are taken as right, anterior, superior', async () => {
    const volume = await open(niftiFile({ size: SIZE, values: VALUES, type: 'int16' }));
    expect(volume.header.orientation).toBe('none');
    expect([...volume.frame(0).values]).toEqual([5, 4, 3, 2, 1, 0]);
    expect(volume.frame(0).isUnoriented).toBe(true);
  });
});

describe('voxels', () => {
  it.each([
    'uint8',
    'int8',
    'int16',
    'uint16',
    'int32',
    'uint32',
    'int64',
    'uint64',
    'float32',
    'float64',
  ] as const)('of %s in both orders of bytes, scaled', async (type) => {
    for (const isBig of [false, true]) {
      const bytes = niftiFile({ size: SIZE, values: VALUES, type, isBig, slope: 2, intercept: -5 });
      const frame = (await open(bytes)).frame(3);
      expect([...frame.values]).toEqual([23, 22, 21, 20, 19, 18].map((v) => 2 * v - 5));
      expect([frame.low, frame.high]).toEqual([-5, 41]);
    }
  });

  it('of colours', async () => {
    const values = Array.from({ length: 18 }, (_, i) => i * 10);
    const frame = (await open(niftiFile({ size: [2, 3], values, type: 'rgb24' }))).frame(0);
    expect([...frame.values].slice(0, 6)).toEqual([150, 160, 170, 120, 130, 140]);
  });

  it('of several times, one after the other, and where some are no numbers', async () => {
    const values = [...VALUES, ...VALUES.map((v) => v + 100)];
    values[0] = Number.NaN;
    const volume = await open(niftiFile({ size: [...SIZE, 2], values, type: 'float32' }));
    expect(volume.frames).toBe(8);
    expect(volume.frame(4).values[5]).toBe(100);
    const { values: first, low, hasHoles } = volume.frame(0);
    expect([first[5], low, hasHoles, volume.frame(1).hasHoles]).toEqual([1, 1, true, false]);
  });
});

describe('NIfTI as a data set', () => {
  const made: MadeNifti = { size: SIZE, values: VALUES, type: 'int16', ways: 'RAS', form: 'sform' };
  const options = { sampleShape: [1, 3, 2], classes: 2, split: 'all', seed: 1 } as const;

  it('gives slices of class folders: packed, plain, pairs', async () => {
    const pair = niftiFile({ ...made, isPair: true });
    const files = {
      'a/1.nii': niftiFile({ size: SIZE, values: VALUES, type: 'int16' }),
      'a/2.nii.gz': gzipSync(niftiFile(made)),
      'b/3.hdr': pair.subarray(0, 352),
      'b/3.img': pair.subarray(352),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(join(root, 'set', name, '..'), { recursive: true });
      await writeFile(join(root, 'set', name), bytes);
    }
    const data = await openDataset(join(root, 'set'), options);
    expect([data.kind, data.size, data.passedOver]).toEqual(['nifti', 12, []]);
    expect(data.remarks?.join()).toMatch(/,4 slices or volumes of .* do not say how they lie/);
    expect(data.origins?.slice(3, 6)).toEqual(['a/1.nii#4', 'a/2.nii.gz#1', 'a/2.nii.gz#2']);
    const slices = [0, 4, 8].map((i) =>
      [...data.samples.subarray(i * 6, i * 6 + 6)].map((v) => Math.round(v * 23)),
    );
    expect(slices).toEqual([
      [5, 4, 3, 2, 1, 0],
      [5, 4, 3, 2, 1, 0],
      [5, 4, 3, 2, 1, 0],
    ]);
    const windowed = { ...options, contract: { image: { window: { low: 0, high: 10 } } } };
    const one = await openDataset(join(root, 'set', 'a', '2.nii.gz'), windowed);
    expect([...one.samples.subarray(0, 6)].map((v) => Math.round(v * 10))).toEqual([5, 4, 3, 2, 1, 0]);
  });

  it('is refused where it is damaged', async () => {
    const whole = Buffer.from(niftiFile(made));
    const changed = (at: number, write: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(whole);
      write(bytes.subarray(at));
      return bytes;
    };
    const cases: readonly [Uint8Array, string][] = [
      [whole.subarray(0, 380), 'it is short'],
      [whole.subarray(0, 200), 'the mark of NIfTI-1'],
      [changed(40, (b) => b.writeInt16LE(9)), 'has 9 axes'],
      [changed(42, (b) => b.writeInt16LE(-1)), 'no length'],
      [changed(46, (b) => b.writeInt16LE(32767)), 'it is short'],
      [changed(70, (b) => b.writeInt16LE(32)), 'type 32'],
      [changed(108, (b) => b.writeFloatLE(Number.NaN)), 'begin nowhere'],
      [gzipSync(whole).subarray(0, 60), 'unpack'],
      [gzipSync(Buffer.concat([whole, Buffer.alloc(2 ** 22)])), 'unpacks to more'],
    ];
    for (const [bytes, words] of cases) await expect(open(bytes), words).rejects.toThrow(words);
  });
});
