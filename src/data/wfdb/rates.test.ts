// Records of other sampling rates and leads than the network's: brought to its rate, and said; what is passed over is counted.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import { openRecording } from '../recordings/open-recording.ts';
import { writeRecord } from '../test-support/wfdb-record.ts';

const OPTIONS: DatasetOptions = { sampleShape: [1, 256], classes: 5, split: 'all', seed: 1 };
const SECONDS = 20;
/** Seconds of the R peaks: whole samples at all rates that are tried. */
const PEAKS = Array.from({ length: 36 }, (_, i) => 1 + i / 2);

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-rates-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A heartbeat of smooth waves, no two alike, on a slow drift: known at every instant. */
function voltage(seconds: number): number {
  let sum = 0.2 * Math.sin(2 * Math.PI * 0.3 * seconds);
  PEAKS.forEach((peak, i) => {
    const bump = (height: number, at: number, width: number): void => {
      sum += height * Math.exp(-0.5 * ((seconds - peak - at) / width) ** 2);
    };
    bump(0.15, -0.16, 0.02);
    bump(1 + 0.01 * i, 0, 0.012);
    bump(-0.3, 0.035, 0.014);
    bump(0.25, 0.2 + 0.001 * i, 0.03);
  });
  return sum;
}

function recordOf(rate: number, lead = 'MLII', scale = 1) {
  const signal = Float64Array.from({ length: SECONDS * rate }, (_, i) => scale * voltage(i / rate));
  return {
    rate,
    leads: [{ name: lead, signal }],
    beats: PEAKS.map((peak, i): [number, number] => [Math.round(peak * rate), i % 3 === 0 ? 5 : 1]),
  };
}

async function folderOf(name: string, records: Record<string, ReturnType<typeof recordOf>>): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  for (const [record, what] of Object.entries(records)) await writeRecord(folder, record, what);
  return folder;
}

describe('values of records', () => {
  it('are in millivolts, and what was guessed about them is said', async () => {
    const folder = await folderOf('units', { a: recordOf(360), b: recordOf(360), c: recordOf(360) });
    for (const [name, gain] of [
      ['a', '4000/NU'],
      ['b', '0'],
    ] as const) {
      const header = await readFile(join(folder, `${name}.hea`), 'utf8');
      await writeFile(join(folder, `${name}.hea`), header.replace('4000/mV', gain));
    }
    const { remarks } = await openDataset(folder, OPTIONS);
    expect(remarks).toContain("values of MLII are in 'NU', which was taken for millivolts: a");
    expect(remarks).toContain('values of MLII are without a gain: 200 steps a millivolt were taken: b');
    const { read } = await openRecording(join(folder, 'a'));
    expect((await read('MLII')).remarks).toEqual(["MLII of a is in 'NU', which was taken for millivolts"]);
  });

  it('that give no window are refused with the reasons', async () => {
    const folder = await folderOf('none', { a: recordOf(360, 'V5') });
    const contract = { signal: { leads: ['V9'] } };
    await expect(openDataset(folder, { ...OPTIONS, contract })).rejects.toThrow(
      /no window of .* is left for the all split: 1 records without the leads V9/,
    );
  });

  it('come with what a list says of their records, once of each', async () => {
    const folder = await folderOf('listed', { a: recordOf(360) });
    const list = (text: string) => writeFile(join(folder, 'labels.csv'), `record,patient,split\n${text}\n`);
    await list('a,p,\nb,q,');
    const { patients, passedOver } = await openDataset(folder, OPTIONS);
    expect([patients?.[0], passedOver?.[0]?.count, passedOver?.[0]?.examples]).toEqual(['p', 1, ['b']]);
    await list('a,p,\na,q,');
    await expect(openDataset(folder, OPTIONS)).rejects.toThrow(/names a twice, and differently/);
    await list('a,p,trian');
    await expect(openDataset(folder, OPTIONS)).rejects.toThrow(/the row of 'a' has a split that is not/);
  });

  it('are cut in time order, also where annotations were added behind the others', async () => {
    const folder = await folderOf('order', { a: recordOf(360) });
    const at = (interval: number, code: number) => [
      59 << 10,
      (interval >>> 16) & 0xffff,
      interval & 0xffff,
      code << 10,
    ];
    const words = [...at(3000, 5), ...at(-2500, 1), ...at(400, 1), ...at(400, 1), 0];
    await writeFile(join(folder, 'a.atr'), new Uint8Array(Uint16Array.from(words).buffer));
    expect([...(await openDataset(folder, { ...OPTIONS, split: 'local' })).labels!]).toEqual([0, 0, 0]);
  });
});

describe('records of another rate', () => {
  it.each([128, 250, 500, 1000])('%d Hz give the windows of 360 Hz', async (rate) => {
    const own = await openDataset(await folderOf(`own${rate}`, { a: recordOf(360) }), OPTIONS);
    const other = await openDataset(await folderOf(`other${rate}`, { a: recordOf(rate) }), OPTIONS);
    expect([...other.labels!]).toEqual([...own.labels!]);
    expect(other.size).toBe(PEAKS.length);
    const worst = other.samples.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - own.samples[i]!)),
      0,
    );
    // Windows are in standard deviations; R peaks have about 4 of them.
    expect(worst).toBeLessThan(0.02);
    expect(own.remarks).toEqual([expect.stringContaining('no sample of classes')]);
    expect(other.remarks).toContainEqual(
      expect.stringMatching(`^records sampled at ${rate} Hz .a. were brought to 360 Hz, which is assumed`),
    );
    expect(other).toMatchObject({ rate: 360, leads: { MLII: 1 } });
  });

  it('are brought to the rate that the network says', async () => {
    const folder = await folderOf('told', { a: recordOf(250) });
    const same = await openDataset(folder, { ...OPTIONS, rate: 250 });
    expect(same.rate).toBe(250);
    expect(same.remarks?.filter((text) => /Hz/.test(text))).toEqual([]);
    const slower = await openDataset(folder, { ...OPTIONS, rate: 125, sampleShape: [1, 128] });
    expect(slower.remarks).toContainEqual(
      "records sampled at 250 Hz (a) were brought to the network's 125 Hz",
    );
    // Every second sample of the same window, as all of the signal lies far below 62 Hz.
    const every = slower.samples.map((_, i) => same.samples[(i >> 7) * 256 + 2 * (i & 127)]!);
    const mean = (of: Float32Array): number => of.reduce((sum, v) => sum + v, 0) / of.length;
    const peak = slower.samples[50]! - mean(slower.samples.subarray(0, 128));
    expect(peak).toBeCloseTo(every[50]! - mean(every.subarray(0, 128)), 0);
  });

  it('in one folder are all said, and the mixture gives what each alone gives', async () => {
    const folder = await folderOf('mixed', { a: recordOf(360), b: recordOf(128), c: recordOf(360) });
    const mixed = await openDataset(folder, OPTIONS);
    expect(mixed.remarks?.[0]).toMatch(/^records differ in sampling rate: 128 Hz \(b\), 360 Hz \(a, c\)/);
    expect(mixed.remarks?.[0]).toMatch(/above 64 Hz the slowest hold nothing/);
    const alone = await openDataset(folder, { ...OPTIONS, records: ['b'] });
    const n = PEAKS.length * 256;
    expect(mixed.samples.subarray(n, 2 * n)).toEqual(alone.samples);
    expect([...alone.positions!]).toEqual([...mixed.positions!.subarray(PEAKS.length, 2 * PEAKS.length)]);
  });

  it('so far from it that it is a mistake are refused', async () => {
    const folder = await folderOf('absurd', { a: { ...recordOf(360), rate: 1e6 } });
    await expect(openDataset(folder, OPTIONS)).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringMatching(/record a has 1000000 samples a second/),
    });
  });
});

describe('what is taken in the place of another', () => {
  it('names records without the lead', async () => {
    const folder = await folderOf('leads', {
      a: recordOf(360),
      b: recordOf(360, 'V5'),
      c: recordOf(360, 'II'),
    });
    const dataset = await openDataset(folder, OPTIONS);
    expect(dataset.remarks).toContain(
      '2 of 3 records have no lead MLII; their first one was taken: b (V5), c (II)',
    );
    expect(dataset.leads).toEqual({ MLII: 1, V5: 1, II: 1 });
  });
});

describe('what is passed over', () => {
  it('is counted and named: records without annotations, beats at the ends, folders', async () => {
    const { beats: _, ...bare } = recordOf(360);
    const folder = await folderOf('passed', { a: recordOf(360) });
    await writeRecord(folder, 'bare', bare);
    await writeRecord(folder, 'rhythm', { ...bare, beats: [[5, 28]] });
    await writeRecord(folder, 'ends', {
      ...bare,
      beats: [
        [20, 1],
        [400, 1],
        [7150, 1],
      ],
    });
    await mkdir(join(folder, 'more'));
    await mkdir(join(folder, '.git'));
    const dataset = await openDataset(folder, OPTIONS);
    expect(dataset.size).toBe(PEAKS.length + 1);
    expect(dataset.passedOver).toEqual([
      { reason: 'folders beside the records, which are not read', count: 1, examples: ['more'] },
      { reason: 'beats whose window leaves the record', count: 2, examples: ['ends'] },
      { reason: 'records of which no annotation (.atr) marks a beat', count: 1, examples: ['rhythm'] },
      { reason: 'records without annotations (.atr)', count: 1, examples: ['bare'] },
    ]);
    await expect(openDataset(folder, { ...OPTIONS, records: ['a', 'bare'] })).rejects.toThrow(
      /record bare has no readable annotations/,
    );
  });
});

describe('records without a beat', () => {
  it('are refused by what they lack', async () => {
    const folder = await folderOf('rhythms', {});
    await writeRecord(folder, 'r', { ...recordOf(360), beats: [[5, 28]] });
    await expect(openDataset(folder, OPTIONS)).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringMatching(/no annotation of .*rhythms .* marks a beat/),
    });
  });
});

describe('a day of heartbeats', () => {
  it('is read: 130,000 beats of one record', async () => {
    const beats = Array.from({ length: 130_000 }, (_, i): [number, number] => [10 + i, 1]);
    const folder = join(root, 'holter');
    await mkdir(folder);
    const signal = Float64Array.from({ length: 130_100 }, (_, i) => Math.sin(i));
    await writeRecord(folder, 'day', { rate: 360, leads: [{ name: 'MLII', signal }], beats });
    const dataset = await openDataset(folder, { ...OPTIONS, sampleShape: [1, 8] });
    expect(dataset.size).toBe(130_000);
  });
});
