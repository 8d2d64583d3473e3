// Recordings of EDF as a data set: beats, stages, lists, gaps, rates; and the same as WFDB where both can say it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataFacts } from '../data-facts.ts';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import { openRecording } from '../recordings/open-recording.ts';
import { edfFile, type MadeAnnotation, type MadeEdf } from '../test-support/edf-file.ts';
import { writeRecord } from '../test-support/wfdb-record.ts';

const OPTIONS: DatasetOptions = { sampleShape: [1, 256], classes: 5, split: 'all', seed: 1 };
const SECONDS = 20;
const PEAKS = Array.from({ length: 24 }, (_, i) => 1 + 0.75 * i);

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-edf-'));
});
afterAll(() => rm(root, { recursive: true }));

function voltage(seconds: number): number {
  const wave = (peak: number, i: number): number =>
    (1 + 0.01 * i) * Math.exp(-0.5 * ((seconds - peak) / 0.02) ** 2) -
    0.2 * Math.exp(-0.5 * ((seconds - peak - 0.05) / 0.02) ** 2);
  return 0.1 * Math.sin(2 * seconds) + PEAKS.reduce((sum, peak, i) => sum + wave(peak, i), 0);
}

const sampled = (rate: number, scale = 1): number[] =>
  Array.from({ length: SECONDS * rate }, (_, i) => scale * voltage(i / rate));

const heart = (rate: number, label = 'ECG MLII') => ({
  ...{
    label,
    unit: 'uV',
    perRecord: rate,
    samples: sampled(rate, 1000),
    physical: [-3276.8, 3276.7] as const,
  },
});

const breath = { label: 'Resp', unit: 'V', perRecord: 25, samples: sampled(25) };

const beats: readonly MadeAnnotation[] = PEAKS.map((time, i) => ({ time, text: i % 3 === 0 ? 'V' : 'N' }));

async function folderOf(name: string, files: Readonly<Record<string, Partial<MadeEdf>>>): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  for (const [file, made] of Object.entries(files)) {
    await writeFile(join(folder, file), edfFile({ signals: [breath, heart(360)], ...made }));
  }
  return folder;
}

const worst = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);

describe('recordings of EDF as a data set', () => {
  it('give the windows of the same record in WFDB', async () => {
    const edf = await openDataset(await folderOf('beats', { 'a.edf': { annotations: beats } }), OPTIONS);
    const folder = join(root, 'as-wfdb');
    await mkdir(folder);
    const marks = PEAKS.map((time, i): [number, number] => [time * 360, i % 3 === 0 ? 5 : 1]);
    await writeRecord(folder, 'a', {
      rate: 360,
      leads: [{ name: 'MLII', signal: sampled(360) }],
      beats: marks,
    });
    const wfdb = await openDataset(folder, OPTIONS);
    expect([edf.kind, edf.size, edf.rate, edf.peak]).toEqual(['edf', wfdb.size, 360, 100]);
    expect([...(edf.labels ?? [])]).toEqual([...(wfdb.labels ?? [])]);
    expect(edf.leads).toEqual({ 'ECG MLII': 1 });
    expect(worst(edf.samples, wfdb.samples)).toBeLessThan(2e-3);
  });

  it('keep windows over epochs of one stage, and count beats of a file beside them that no sample belongs to', async () => {
    const epochs = [0, 5, 10].map((time) => ({ time, seconds: 5, text: 'Sleep stage W' }));
    const folder = await folderOf('epochs', { 'a.edf': { signals: [heart(100)], annotations: epochs } });
    const segment = { signal: { window: { around: 'segment' } } } as const;
    const options = { ...OPTIONS, sampleShape: [1, 200], classes: 1, rate: 100, contract: segment };
    const stages = await openDataset(folder, options);
    expect(stages.size).toBe(7);
    const gaps = await folderOf('lost', {
      'a.edf': {
        signals: [heart(360)],
        onsets: Array.from({ length: SECONDS }, (_, i) => (i < 5 ? i : i + 5)),
      },
    });
    const beside = {
      rate: 360,
      leads: [],
      beats: [
        [720, 1],
        [2500, 1],
        [4400, 5],
      ],
    } as const;
    await writeRecord(gaps, 'a', beside);
    const { size, passedOver } = await openDataset(join(gaps, 'a.edf'), OPTIONS);
    expect([size, passedOver?.[0]]).toEqual([
      2,
      { reason: 'beats outside of what was recorded', count: 1, examples: ['a.edf'] },
    ]);
  });

  it('may have more annotations in a data record than a call takes arguments', async () => {
    const annotations = new Array<MadeAnnotation>(150_000).fill({ time: 1, text: 'x' });
    const one = { perRecord: 7200, recordSeconds: 20, noteBytes: 150_000 * 6 + 20 };
    const signals = [{ ...heart(360), perRecord: one.perRecord }];
    const folder = await folderOf('many', { 'a.edf': { ...one, signals, annotations } });
    const { passedOver } = await openDataset(folder, { ...OPTIONS, sampleShape: [1, 3600] });
    expect(passedOver?.[0]?.count).toBe(150_000);
    expect((await openRecording(join(folder, 'a.edf'))).beats).toBeUndefined();
  });

  it('of one file, of 24 bits, of another rate and in whatever capitals', async () => {
    const folder = await folderOf('other', {
      'A.BDF': { bits: 24, signals: [breath, heart(500)], annotations: beats },
    });
    const one = await openDataset(join(folder, 'A.BDF'), OPTIONS);
    const own = await openDataset(join(root, 'beats'), OPTIONS);
    expect(one.size).toBe(PEAKS.length);
    expect(worst(one.samples, own.samples)).toBeLessThan(0.01);
    expect(one.remarks?.join()).toContain('500 Hz (A.BDF)');
    const leads = { leads: [['Resp'], ['II', 'MLII']] as const };
    const two = await openDataset(folder, { ...OPTIONS, sampleShape: [2, 256], contract: { signal: leads } });
    expect(two.leads).toEqual({ Resp: 1, 'ECG MLII': 1 });
    expect(two.size).toBe(PEAKS.length);
  });

  it('leave out beats in gaps and near them, by the times of the data records', async () => {
    const onsets = Array.from({ length: SECONDS }, (_, i) => (i < 10 ? i : i + 100));
    const moved = beats.map((beat) => (beat.time < 10 ? beat : { ...beat, time: beat.time + 100 }));
    const annotations = [...moved, { time: 50, text: 'V' }, { time: 51, text: 'NAME TEST' }];
    const gaps = await openDataset(await folderOf('gaps', { 'a.edf': { onsets, annotations } }), OPTIONS);
    const whole = await openDataset(join(root, 'beats'), OPTIONS);
    const kept = [...PEAKS.keys()].filter((i) => {
      const frame = Math.round((PEAKS[i] ?? 0) * 360);
      return frame + 155 < 3600 || frame - 100 >= 3600;
    });
    expect(gaps.size).toBe(kept.length);
    expect(kept.length).toBeLessThan(PEAKS.length);
    for (const [i, beat] of kept.entries()) {
      const rows = [
        gaps.samples.subarray(i * 256, (i + 1) * 256),
        whole.samples.subarray(beat * 256, (beat + 1) * 256),
      ];
      expect(worst(rows[0] as Float32Array, rows[1] as Float32Array)).toBeLessThan(1e-6);
    }
    expect(gaps.passedOver?.map(({ reason, count }) => [reason, count])).toEqual([
      ['annotations that name neither a beat nor a class', 1],
      ['beats outside of what was recorded', 1],
      ['beats with missing samples in their window', PEAKS.length - kept.length],
    ]);
    expect(JSON.stringify({ ...gaps, samples: 0 })).not.toContain('TEST');
  });

  it('are labelled by sleep stages, each as long as it lasts', async () => {
    const annotations = [
      { time: 2, seconds: 6, text: 'Sleep stage W' },
      { time: 8, seconds: 4, text: 'Sleep stage N2' },
      { time: 12, text: 'Sleep stage ?' },
      { time: 15, seconds: 3, text: 'Sleep stage W' },
    ];
    const folder = await folderOf('sleep', { 'a.edf': { annotations } });
    const options = { ...OPTIONS, sampleShape: [1, 360], classes: 2 };
    const data = await openDataset(folder, options);
    expect(data.classNames).toEqual(['Sleep stage N2', 'Sleep stage W']);
    expect([...(data.labels ?? [])]).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1]);
    expect(data.peak).toBeNull();
    expect(data.passedOver?.map(({ reason, count }) => [reason, count])).toEqual([
      ['windows before the first rhythm', 2],
      ['windows to which no annotation gives a label', 5],
    ]);
    expect(await dataFacts(folder)).toMatchObject({
      kind: 'edf',
      hasBeats: false,
      labels: data.classNames,
      rates: [360],
    });
  });

  it('are labelled by texts that the contract names, and by no others', async () => {
    const annotations = [
      { time: 0, seconds: 5, text: 'seizure' },
      { time: 5, seconds: 15, text: 'NAME TEST' },
    ];
    const folder = await folderOf('named', { 'a.edf': { annotations } });
    const contract = { classes: ['seizure', 'none'] };
    const data = await openDataset(folder, { ...OPTIONS, sampleShape: [1, 360], classes: 2, contract });
    expect([...(data.labels ?? [])]).toEqual([0, 0, 0, 0, 0]);
    expect(JSON.stringify({ ...data, samples: 0 })).not.toContain('TEST');
  });

  it('are labelled by a list, which says patients and splits too', async () => {
    const folder = await folderOf('listed', { 'a.edf': {}, 'b.edf': {}, 'c.edf': {}, 'd.edf': {} });
    await writeFile(
      join(folder, 'labels.csv'),
      'record,label,patient,split\na,sick,p1,train\nb.edf,well,p2,train\nc,sick,p1,test\n',
    );
    const options = { ...OPTIONS, sampleShape: [1, 360], classes: 2 };
    const data = await openDataset(folder, { ...options, split: 'local' });
    expect(data.classNames).toEqual(['sick', 'well']);
    expect([...(data.labels ?? [])]).toEqual([...new Array(20).fill(0), ...new Array(20).fill(1)]);
    expect(new Set(data.patients)).toEqual(new Set(['p1', 'p2']));
    expect((await openDataset(folder, { ...options, split: 'test' })).origins).toEqual(
      new Array(20).fill('c.edf'),
    );
    expect(data.passedOver).toEqual([
      { reason: 'records without a label in the list', count: 1, examples: ['d.edf'] },
    ]);
    expect(data.remarks?.join()).toContain('labelled by the list of records; in order: sick, well');
    await writeFile(join(folder, 'labels.csv'), 'record,label\na,10\nb,2\n');
    expect((await openDataset(folder, options)).classNames).toEqual(['2', '10']);
  });

  it('without annotations are windows one after the other, unless the network reads beats', async () => {
    const folder = await folderOf('bare', { 'a.edf': {} });
    const data = await openDataset(folder, OPTIONS);
    expect([data.size, data.labels, data.peak]).toEqual([28, undefined, null]);
    expect(data.remarks?.join()).toContain('without labels');
    const contract = { signal: { window: { around: 'beat', before: 100 } as const } };
    await expect(openDataset(folder, { ...OPTIONS, contract })).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringContaining('marks a beat, around which'),
    });
  });

  it('with beats in a file of WFDB beside them', async () => {
    const folder = await folderOf('beside', { 'r.edf': {} });
    const marks = PEAKS.map((time, i): [number, number] => [time * 360, i % 3 === 0 ? 5 : 1]);
    await writeRecord(folder, 'r.edf', { rate: 360, leads: [], beats: marks });
    await rm(join(folder, 'r.edf.hea'));
    await rm(join(folder, 'r.edf.dat'));
    await rm(join(folder, 'r.edf'), { force: true });
    await writeFile(join(folder, 'r.edf'), edfFile({ signals: [breath, heart(360)] }));
    const data = await openDataset(folder, OPTIONS);
    expect([data.kind, data.size]).toEqual(['edf', PEAKS.length]);
    expect(data.remarks?.join()).toContain('.atr beside recordings');
  });

  it('of the same patient count as one, whose name is not said', async () => {
    const own = { annotations: beats, patient: 'P-77 F 01-FEB-1903 NAME_TEST' };
    const folder = await folderOf('same', { 'a.edf': own, 'b.edf': own, 'c.edf': { annotations: beats } });
    const data = await openDataset(folder, OPTIONS);
    expect(new Set(data.patients)).toEqual(new Set(['a.edf', 'c.edf']));
    expect(JSON.stringify({ ...data, samples: 0 })).not.toMatch(/TEST|1903|P-77/);
  });
});
