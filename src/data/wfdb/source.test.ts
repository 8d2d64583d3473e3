import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONG } from '../../util/test-support/rounds.ts';
import type { DatasetOptions } from '../dataset.ts';
import { readNpz } from '../npz/npz.ts';
import { openDataset } from '../open-dataset.ts';

const SHARED =
  process.env.BEDSIDE_SHARED ??
  join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', 'shared');
const MITDB = join(SHARED, 'data', 'mitdb');
const OPTIONS: DatasetOptions = { sampleShape: [1, 256], classes: 5, split: 'all', seed: 1 };

function counts(labels: Int32Array | undefined): number[] {
  return [0, 1, 2, 3, 4].map((label) => (labels ?? []).filter((other: number) => other === label).length);
}

describe('a record made by hand', () => {
  // Two leads in format 16, 1000 frames; MLII is the second, frame i holds 7 i + i mod 13 above a zero of 10.
  const lead = (i: number): number => 7 * i + (i % 13);
  const codes = [1, 8, 5, 6, 12, 28, 1, 1, 1]; // N A V F / + N N N
  const times = [99, 100, 200, 300, 400, 500, 600, 844, 845];
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-wfdb-'));
    await writeFile(
      join(folder, 'r1.hea'),
      'r1 2 360 1000\nr1.dat 16 100 16 0 0 0 0 V5\nr1.dat 16 50/mV 16 10 0 0 0 MLII\n',
    );
    await writeFile(
      join(folder, 'r1.dat'),
      new Uint8Array(Int16Array.from({ length: 2000 }, (_, i) => (i % 2 ? lead(i >> 1) + 10 : -5)).buffer),
    );
    let before = 0;
    const words = times.map((time, i) => {
      const bits = (codes[i]! << 10) | (time - before);
      before = time;
      return bits;
    });
    await writeFile(join(folder, 'r1.atr'), new Uint8Array(Uint16Array.from([...words, 0]).buffer));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('cuts [r - 100, r + 156) of MLII, normalised, and leaves out what leaves the record', async () => {
    const dataset = await openDataset(folder, OPTIONS);
    // 99 starts before the record, 845 ends after it (845 + 156 = 1001), 500 is no beat.
    expect([...dataset.labels!]).toEqual([1, 2, 3, 4, 0, 0]);
    expect(dataset).toMatchObject({
      kind: 'wfdb',
      size: 6,
      sampleShape: [1, 256],
      classNames: ['N', 'S', 'V', 'F', 'Q'],
    });
    expect(dataset.origins).toEqual(new Array(6).fill('r1'));
    const starts = [0, 100, 200, 300, 500, 744];
    for (const [beat, start] of starts.entries()) {
      const volts = Array.from({ length: 256 }, (_, i) => lead(start + i) / 50);
      const mean = volts.reduce((sum, v) => sum + v) / 256;
      const deviation = Math.sqrt(
        volts.map((v) => (v - mean) * (v - mean)).reduce((sum, v) => sum + v) / 256,
      );
      for (const i of [0, 1, 100, 255]) {
        expect(dataset.samples[beat * 256 + i]).toBeCloseTo((volts[i]! - mean) / (deviation + 1e-6), 5);
      }
    }
  });

  it('gives the first two thirds to local and the rest to test, scales the window to the model', async () => {
    expect([...(await openDataset(folder, { ...OPTIONS, split: 'local' })).labels!]).toEqual([1, 2, 3, 4]);
    expect([...(await openDataset(folder, { ...OPTIONS, split: 'test' })).labels!]).toEqual([0, 0]);
    // Half the length: 50 before the peak, so 99 fits and so do both last ones.
    const short = await openDataset(folder, { ...OPTIONS, sampleShape: [1, 128] });
    expect([...short.labels!]).toEqual([0, 1, 2, 3, 4, 0, 0, 0]);
  });

  it('leaves out windows with missing samples', async () => {
    const gap = join(folder, 'gap');
    await mkdir(gap);
    for (const file of ['r1.hea', 'r1.atr']) await copyFile(join(folder, file), join(gap, file));
    // Missing at frame 320: the windows from 100, 200 and 300 hold it.
    await writeFile(
      join(gap, 'r1.dat'),
      new Uint8Array(Int16Array.from({ length: 2000 }, (_, i) => (i === 641 ? -32768 : i % 97)).buffer),
    );
    expect([...(await openDataset(gap, OPTIONS)).labels!]).toEqual([1, 0, 0]);
  });

  it.each<[string, Partial<DatasetOptions>, string, RegExp]>([
    [
      'an image model',
      { sampleShape: [1, 64, 64] },
      'E_DATA_FIT',
      /model reads \[1, 64, 64\].*\[1, length\]/,
    ],
    ['two leads', { sampleShape: [2, 256] }, 'E_DATA_FIT', /model reads \[2, 256\]/],
    ['six classes', { classes: 6 }, 'E_DATA_FIT', /model has 6 classes, the data has 5 \(N, S, V, F, Q\)/],
    ['an unknown record', { records: ['r1', 'r9'] }, 'E_DATA', /no record r9/],
    [
      'a window longer than the record',
      { sampleShape: [1, 2000] },
      'E_DATA',
      /no window .* leaves the record/,
    ],
  ])('refuses %s', async (_, change, code, message) => {
    const failure = openDataset(folder, { ...OPTIONS, ...change });
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(expect.objectContaining({ code }));
  });

  it('names the record whose signal is short or whose annotations are missing', async () => {
    const broken = join(folder, 'broken');
    await mkdir(broken);
    await copyFile(join(folder, 'r1.hea'), join(broken, 'r1.hea'));
    await writeFile(join(broken, 'r1.dat'), new Uint8Array(3998));
    await expect(openDataset(broken, OPTIONS)).rejects.toThrow(
      /r1\.dat of record r1 is short: expected 4000 bytes, got 3998/,
    );
    await copyFile(join(folder, 'r1.dat'), join(broken, 'r1.dat'));
    await expect(openDataset(broken, OPTIONS)).rejects.toThrow(
      /record r1 has no readable annotations r1\.atr/,
    );
    await expect(openDataset(broken, OPTIONS)).rejects.toThrow(expect.objectContaining({ code: 'E_DATA' }));
  });
});

const skipReason = existsSync(MITDB) ? '' : ` (skipped: ${MITDB} is missing)`;
describe.skipIf(skipReason !== '')(`the MIT-BIH Arrhythmia Database${skipReason}`, () => {
  it('has the documented counts, and beats equal to the reference ones', async () => {
    // The whole database takes three times as long as its test split: `npm run test:long`.
    if (LONG) {
      const all = await openDataset(MITDB, OPTIONS);
      expect(counts(all.labels)).toEqual([90591, 2781, 7235, 802, 8039]);
    }
    const test = await openDataset(MITDB, { ...OPTIONS, split: 'test' });
    expect(counts(test.labels)).toEqual([30074, 945, 2460, 187, 2800]);

    // The reference inputs are test beats, stored in half precision: 11 bits of mantissa.
    const reference = await readNpz(join(SHARED, 'oracle', 'ecg-resnet1d.lrp.npz'), {
      only: (name) => /^(input|target)$/.test(name),
    });
    const inputs = reference.get('input')!.data as Float32Array;
    const targets = [...(reference.get('target')!.data as BigInt64Array)].map(Number);
    const near = (value: number, other: number): boolean =>
      Math.abs(value - other) <= Math.abs(other) * 2 ** -10 + 1e-6;
    for (const [i, target] of targets.entries()) {
      const input = inputs.subarray(i * 256, (i + 1) * 256);
      const matches: number[] = [];
      for (let beat = 0; beat < test.size; beat++) {
        const window = test.samples.subarray(beat * 256, (beat + 1) * 256);
        if (near(window[0]!, input[0]!) && window.every((value, k) => near(value, input[k]!)))
          matches.push(beat);
      }
      expect(matches).toHaveLength(1);
      expect(test.labels![matches[0]!]).toBe(target);
    }
  });

  it('takes chosen records and a seeded sample of each class', async () => {
    const options = { ...OPTIONS, records: ['208', '100'], perClass: 3, seed: 5 };
    const some = await openDataset(MITDB, options);
    expect([...new Set(some.origins)]).toEqual(['100', '208']);
    expect(counts(some.labels)).toEqual([3, 3, 3, 3, 2]);
    expect((await openDataset(MITDB, options)).hash).toBe(some.hash);
    expect((await openDataset(MITDB, { ...options, seed: 6 })).hash).not.toBe(some.hash);
  });
});
