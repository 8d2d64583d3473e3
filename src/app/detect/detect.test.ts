// Detection in recordings: records and a file written by the test, and two of the real ones.
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runHere } from '../../cli/test-support/in-process.ts';
import { edfFile } from '../../data/test-support/edf-file.ts';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { madeSignal, regularBeats } from '../../signal/test-support/made-signal.ts';
import { detect } from './detect.ts';

const SHARED = process.env.BEDSIDE_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const MITDB = join(SHARED, 'data', 'mitdb');
const RATE = 250;
const SECONDS = 40;
const [NORMAL, FLUTTER_ON, FLUTTER_OFF] = [1, 32, 33];

const made = regularBeats(SECONDS);
const signal = madeSignal(made, { rate: RATE, seconds: SECONDS });
const marks = made.map(({ at }) => [Math.round(at * RATE), NORMAL] as const);
let folder: string;
let marked: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-detect-'));
  marked = join(await mkdtemp(join(folder, 'marked-')), 'marked.edf');
  const leads = [
    { name: 'V5', signal: signal.map((value) => -value / 2) },
    { name: 'MLII', signal },
  ];
  await writeRecord(folder, 'whole', { rate: RATE, leads, beats: marks });
  // Every tenth beat is not annotated, and from 20 s to 30 s there is flutter in which nothing counts.
  const inside = (frame: number) => frame > 20 * RATE && frame < 30 * RATE;
  const beats = marks.filter(([frame], i) => i % 10 !== 9 && !inside(frame));
  const flutter = [
    [20 * RATE, FLUTTER_ON],
    [30 * RATE, FLUTTER_OFF],
  ] as const;
  const all = [...beats, ...flutter].sort(([a], [b]) => a - b);
  await writeRecord(folder, 'part', { rate: RATE, leads: leads.slice(1), beats: all });
  const heart = {
    label: 'ECG II',
    unit: 'uV',
    perRecord: RATE,
    samples: signal.map((v) => v * 1000),
    physical: [-3000, 3000],
  } as const;
  await writeFile(join(folder, 'night.edf'), edfFile({ signals: [heart] }));
  const annotations = made.map(({ at }) => ({ time: Math.round(at * RATE) / RATE, text: 'N' }));
  // Annotations are told by the fastest signal, which is not the one that is searched.
  const faster = {
    label: 'EMG',
    unit: 'mV',
    perRecord: 2 * RATE,
    samples: new Float64Array(2 * RATE * SECONDS),
  };
  await writeFile(join(marked, '..', 'rates.rec'), edfFile({ signals: [heart, faster], annotations }));
  await writeFile(
    marked,
    edfFile({ signals: [heart], annotations: [...annotations, { time: 1, text: 'woke' }] }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const json = async (...words: string[]) => {
  const { status, stdout } = await runHere(['detect', ...words, '--json', '--quiet']);
  return { status, ...JSON.parse(stdout) };
};

describe('detect', () => {
  it('compares found beats with annotated ones, outside of flutter', async () => {
    const found = await json(folder, '--learning', '3');
    const [night, part, whole] = found.records;
    const after = marks.filter(([frame]) => frame >= 3 * RATE);
    expect(whole).toMatchObject({
      name: 'whole',
      lead: 'MLII',
      rate: RATE,
      seconds: SECONDS,
      tp: after.length,
    });
    expect(whole).toMatchObject({ fp: 0, fn: 0, sensitivity: 1, positivePredictivity: 1 });
    const counted = after.filter(([frame]) => frame < 20 * RATE || frame > 30 * RATE);
    const unmarked = counted.filter(([frame]) => marks.findIndex(([own]) => own === frame) % 10 === 9);
    expect(part).toMatchObject({ tp: counted.length - unmarked.length, fp: unmarked.length, fn: 0 });
    expect(night).toMatchObject({ name: 'night.edf', lead: 'ECG II', tp: null, fn: null, sensitivity: null });
    expect(night.beats).toBe(whole.beats);
    expect(found.gross).toMatchObject({ tp: whole.tp + part.tp, fp: part.fp, fn: 0 });
    expect(found.average.positivePredictivity).toBeCloseTo((1 + part.positivePredictivity) / 2, 12);
    expect(found.remarks).toEqual([expect.stringMatching(/night\.edf has no annotated beats/)]);
    expect(whole.longestDelay).toBeLessThanOrEqual(0.5);
    expect(whole.load).toBeLessThan(0.01);
  });

  it('compares with beats that annotations of EDF+ name', async () => {
    const found = await json(marked, '--learning', '3');
    const after = marks.filter(([frame]) => frame >= 3 * RATE);
    expect(found.records[0]).toMatchObject({ name: 'marked.edf', tp: after.length, fp: 0, fn: 0 });
    const faster = await json(join(marked, '..', 'rates.rec'), '--learning', '3');
    expect(faster.records[0]).toMatchObject({ rate: RATE, tp: after.length, fp: 0, fn: 0 });
  });

  it('takes what data sets take: .rec, any ending, names of leads without their type, beats of WFDB beside', async () => {
    const other = await mkdtemp(join(folder, 'other-'));
    await copyFile(marked, join(other, 'a.REC'));
    await copyFile(marked, join(other, 'b'));
    const after = marks.filter(([frame]) => frame >= 3 * RATE).length;
    const { records } = await detect([other, join(other, 'b')], { lead: 'II', learning: 3 });
    expect(records.map(({ name, lead, tp, fp }) => [name, lead, tp, fp])).toEqual([
      ['a.REC', 'ECG II', after, 0],
      ['b', 'ECG II', after, 0],
    ]);
    await copyFile(join(folder, 'night.edf'), join(other, 'night.edf'));
    await copyFile(join(folder, 'whole.atr'), join(other, 'night.atr'));
    const beside = await detect([join(other, 'night.edf')], { learning: 3 });
    expect(beside.records[0]).toMatchObject({ tp: after, fp: 0, fn: 0 });
  });

  it('looks at the lead that is asked for', async () => {
    const { records } = await detect([join(folder, 'whole')], { lead: 'V5', learning: 3 });
    expect(records[0]).toMatchObject({ lead: 'V5', fp: 0, fn: 0 });
  });

  it('says where a lead is flat, saturated or missing, and finds no beats there', async () => {
    const troubled = signal.map((value, i) => {
      if (i >= 10 * RATE && i < 14 * RATE) return 0.25;
      if (i >= 20 * RATE && i < 20.5 * RATE) return 5 * (i % 2 === 0 ? 1 : -1);
      return i >= 30 * RATE && i < 32 * RATE ? Number.NaN : value;
    });
    const own = await mkdtemp(join(folder, 'troubled-'));
    await writeRecord(own, 't', { rate: RATE, leads: [{ name: 'II', signal: troubled }], beats: marks });
    const { records } = await detect([join(own, 't')], { learning: 0, saturation: 4.5 });
    const { times, flat, saturated, missing } = records[0]?.signal ?? {};
    expect(times).toEqual({ missing: 1, flat: 1, saturated: 1 });
    expect([flat, saturated, missing]).toEqual([
      expect.closeTo(4, 1),
      expect.closeTo(0.5, 1),
      expect.closeTo(2, 1),
    ]);
    const hidden = made.filter(
      ({ at }) => (at > 10 && at < 14) || (at > 20 && at < 20.5) || (at > 30 && at < 32),
    );
    expect(records[0]?.fp).toBe(0);
    expect(records[0]?.fn).toBeGreaterThanOrEqual(hidden.length);
    const { stdout } = await runHere(['detect', join(own, 't'), '--saturation', '4.5']);
    expect(stdout).toMatch(
      /t: 2\.00 s missing \(1 time\), 4\.00 s flat \(1 time\), 50\d ms saturated \(1 time\)/,
    );
    expect((await json(join(folder, 'whole'))).records[0].signal).toEqual({
      ...{ missing: 0, flat: 0, saturated: 0, times: { missing: 0, flat: 0, saturated: 0 } },
    });
  });

  it('says that a record is shorter than what is left out, and prints a table', async () => {
    const { status, stdout, stderr } = await runHere(['detect', join(folder, 'whole')]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/whole +MLII +\d+ +- /);
    expect(stderr).toMatch(/not longer than the 300 s/);
  });

  it.each([
    [['none'], 'E_FILE', /none/],
    [['whole', '--lead', 'aVR'], 'E_DATA', /has no lead aVR/],
    [['whole', 'whole.hea'], 'E_USAGE', /given twice/],
    [['whole', '--learning', 'x'], 'E_USAGE', /learning/],
  ])('refuses %j with %s', async (words, code, says) => {
    const [name = '', ...rest] = words;
    const paths = rest.includes('whole.hea')
      ? [join(folder, name), join(folder, 'whole.hea')]
      : [join(folder, name), ...rest];
    const { error } = await json(...paths);
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) });
  });

  it.skipIf(!existsSync(MITDB))('finds the beats of real records (skipped without them)', async () => {
    const { gross } = await detect([join(MITDB, '103'), join(MITDB, '213')]);
    expect(gross.sensitivity).toBeGreaterThan(0.995);
    expect(gross.positivePredictivity).toBeGreaterThan(0.995);
  });
});
