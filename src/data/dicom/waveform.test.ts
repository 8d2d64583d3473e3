// ECG objects of DICOM: leads by their codes, sensitivities and units, groups; against pydicom where it is there.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../archive/byte-source.ts';
import { dataFacts } from '../data-facts.ts';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import { ecgFile, LEAD_CODES } from '../test-support/dicom-ecg.ts';
import { MARKS } from '../test-support/dicom-file.ts';
import { codedMark } from './beat-codes.ts';
import { readWaveform } from './waveform.ts';

const OPTIONS: DatasetOptions = { sampleShape: [1, 250], classes: 5, split: 'all', seed: 1, rate: 500 };
const groups = [
  {
    rate: 500,
    leads: ['I', 'II', 'III', 'aVR', 'aVL', 'aVF'],
    length: 1000,
    unit: 'uV',
    sensitivity: 2.5,
    baseline: 5,
  },
  {
    rate: 500,
    leads: ['V1', 'V2', 'V3', 'V4', 'V5', 'V6'],
    length: 1000,
    unit: 'mV',
    sensitivity: 0.005,
    baseline: 0,
  },
  { rate: 250, leads: ['II'], length: 100, unit: 'uV', sensitivity: 5, baseline: 0 },
];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-ecg-'));
  await writeFile(join(folder, 'a.dcm'), ecgFile(groups));
  await writeFile(join(folder, 'c.bin'), ecgFile(groups.map((group) => ({ ...group, baseline: 0 }))));
  await writeFile(join(folder, 'b.dcm'), ecgFile(groups));
});
afterAll(() => rm(folder, { recursive: true }));

const hasPydicom = ((): boolean => {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import pydicom'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
if (!hasPydicom) console.log('skipped: no pydicom (python3-pydicom) to compare with');

describe('waveforms of DICOM', () => {
  it('are groups of one time together, with leads by their codes', async () => {
    const { groups: found } = await readWaveform(memorySource(ecgFile(groups)));
    expect(
      found.map(({ rate, length, channels }) => [rate, length, channels.map(({ name }) => name)]),
    ).toEqual([
      [500, 1000, Object.keys(LEAD_CODES)],
      [250, 100, ['II']],
    ]);
    const [first] = found;
    // 300 sin(0 + 0) steps of 2.5 uV above a baseline of 5 uV.
    expect(first?.channels[0]?.samples()[0]).toBe(5);
    expect(found[0]?.channels.map(({ unit }) => unit)).toEqual([
      ...new Array(6).fill('uV'),
      ...new Array(6).fill('mV'),
    ]);
  });

  it.skipIf(!hasPydicom)('have the values that pydicom gives', async () => {
    const script =
      'import sys, pydicom\nds = pydicom.dcmread(sys.argv[1])\n' +
      'for i in range(3):\n  a = ds.waveform_array(i)\n  print(",".join(repr(float(v)) for v in a.T.flatten()))';
    const lines = execFileSync('/usr/bin/python3', ['-c', script, join(folder, 'c.bin')], {
      encoding: 'utf8',
    })
      .trim()
      .split('\n');
    const theirs = lines.flatMap((line) => line.split(',').map(Number));
    const { groups: found } = await readWaveform(
      memorySource(ecgFile(groups.map((group) => ({ ...group, baseline: 0 })))),
    );
    const own = found.flatMap(({ channels }) => channels.flatMap((channel) => [...channel.samples()]));
    expect(own.length).toBe(theirs.length);
    expect(
      own.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (theirs[i] ?? Number.NaN))), 0),
    ).toBeLessThan(1e-9);
  });

  it('are recordings: windows of leads in millivolts, of one patient, named by nobody', async () => {
    const signal = { leads: [['II'], ['V5']], normalisation: { kind: 'none' } } as const;
    const data = await openDataset(folder, { ...OPTIONS, sampleShape: [2, 250], contract: { signal } });
    expect([data.kind, data.size, data.rate, data.leads]).toEqual(['dicom', 8, 500, { II: 2, V5: 2 }]);
    expect(new Set(data.patients)).toEqual(new Set(['a.dcm']));
    const { groups: found } = await readWaveform(memorySource(ecgFile(groups)));
    const two = found[0]?.channels.find(({ name }) => name === 'II')?.samples() ?? [];
    const five = found[0]?.channels.find(({ name }) => name === 'V5')?.samples() ?? [];
    expect(data.samples[10]).toBeCloseTo((two[10] ?? Number.NaN) / 1000, 6);
    expect(data.samples[250 + 10]).toBeCloseTo(five[10] ?? Number.NaN, 6);
    expect(JSON.stringify({ ...data, samples: 0 })).not.toMatch(
      new RegExp(MARKS.map((mark) => mark.replace('^', '.')).join('|')),
    );
    const one = await openDataset(join(folder, 'a.dcm'), OPTIONS);
    expect([one.size, one.leads]).toEqual([4, { II: 1 }]);
    expect(await dataFacts(folder)).toMatchObject({ kind: 'waveforms', rates: [250, 500] });
  });

  it('have windows around the beats that their annotations name, by samples or by seconds', async () => {
    const own = await mkdtemp(join(folder, 'notes-'));
    const group = { ...groups[0], length: 5000 } as (typeof groups)[0];
    const slow = { ...groups[2], length: 2500 } as (typeof groups)[0];
    const bytes = ecgFile(
      [group, slow],
      [
        { text: 'N', samples: [1001, 2001] },
        // The same beat in another lead, one by the samples of the slow group, and one in seconds.
        { text: 'N', samples: [1001] },
        { text: 'V', group: 2, samples: [1501] },
        { text: 'V', seconds: [8] },
        { text: 'V', seconds: [99] },
        { text: 'NAME TEST', samples: [500] },
      ],
    );
    await writeFile(join(own, 'a.dcm'), bytes);
    const data = await openDataset(own, OPTIONS);
    expect([data.size, [...(data.labels ?? [])]]).toEqual([4, [0, 0, 2, 2]]);
    const { annotations } = await readWaveform(memorySource(bytes));
    expect(annotations.slice(0, 5).map(({ time, text }) => [time, text])).toEqual([
      [499 / 500, 'NAME TEST'],
      [2, 'N'],
      [4, 'N'],
      [6, 'V'],
      [8, 'V'],
    ]);
    // The window is the one around that peak, of the lead that is read.
    const { groups: found } = await readWaveform(memorySource(bytes));
    const lead = found[0]?.channels.find(({ name }) => name === 'II')?.samples() ?? new Float64Array(0);
    const signal = { leads: [['II']], normalisation: { kind: 'none' } } as const;
    const raw = await openDataset(own, { ...OPTIONS, contract: { signal } });
    const starts = Array.from({ length: 4000 }, (_, i) => i).filter((start) =>
      raw.samples
        .subarray(0, 250)
        .every((value, i) => Math.abs(value - (lead[start + i] ?? 0) / 1000) < 1e-6),
    );
    expect(starts).toEqual([expect.any(Number)]);
    // About 100 of 256 samples are before the peak.
    expect(Math.abs(1000 - (starts[0] ?? 0) - 98)).toBeLessThan(3);
    expect(JSON.stringify({ ...data, samples: 0 })).not.toContain('NAME');
    expect(await dataFacts(own)).toMatchObject({ hasBeats: true });
  });

  it('have beats and rhythms by codes, and name codes that are not read', async () => {
    const mdc = (value: string, meaning = '', more: object = {}) => ({ code: { value, meaning, ...more } });
    const notes = [
      { ...mdc('10:8208'), samples: [1001, 2001] },
      { ...mdc('10:8336'), samples: [3001] },
      // The standard gives this code to a spike of a defibrillator too.
      { ...mdc('10:8704', 'Paced beat'), seconds: [8] },
      { ...mdc('10:8704', 'ventricle Defibrillation spike'), seconds: [8.5] },
      { ...mdc('10:1024', 'T wave'), samples: [1101] },
      { ...mdc('NAME TEST', 'NAME TEST', { scheme: '99OWN' }), samples: [1201] },
      { ...mdc('10:8336'), type: 'SEGMENT', samples: [4001, 4101] },
      { text: 'V', type: 'SEGMENT', samples: [4201, 4301] },
      {
        ...mdc('10:9472', 'Atrial fibrillation', { tag: '0040A168' }),
        type: 'SEGMENT',
        samples: [501, 1501],
      },
    ];
    const group = { ...groups[0], length: 5000 } as (typeof groups)[0];
    const bytes = ecgFile([group], notes);
    const { annotations, unread } = await readWaveform(memorySource(bytes));
    expect(annotations.map(({ time, seconds, text }) => [time, seconds, text])).toEqual([
      [1, 2, '(AFIB'],
      [2, undefined, 'N'],
      [4, undefined, 'N'],
      [6, undefined, 'V'],
      [8, undefined, '/'],
    ]);
    expect(Object.fromEntries(unread)).toEqual({
      ...{ 'MDC 10:8704': 1, 'MDC 10:1024': 1, 'of another scheme': 1, 'of a beat, without its R peak': 2 },
    });
    const own = await mkdtemp(join(folder, 'codes-'));
    await writeFile(join(own, 'a.dcm'), bytes);
    const data = await openDataset(own, OPTIONS);
    expect([...(data.labels ?? [])]).toEqual([0, 0, 2, 4]);
    const said = JSON.stringify(data.passedOver);
    expect(said).toContain('annotations with a code that is not read (MDC 10:1024)');
    expect(said).not.toContain('NAME');
  });

  it.skipIf(!hasPydicom)('have the codes of pydicom’s tables', () => {
    const script =
      'import json, pydicom.sr._concepts_dict as d\n' +
      'print(json.dumps([[c, m] for v in d.concepts["MDC"].values() for c, (m, i) in v.items() if 3335 in i or 3415 in i]))';
    const table = JSON.parse(execFileSync('/usr/bin/python3', ['-c', script], { encoding: 'utf8' })) as [
      string,
      string,
    ][];
    const read = table.flatMap(([value, meaning]) => {
      const mark = codedMark('MDC', value, meaning);
      return mark === undefined ? [] : [[mark, meaning] as const];
    });
    expect(read.length).toBeGreaterThan(30);
    const WORDS: Readonly<Record<string, RegExp>> = {
      ...{
        N: /^Normal beat/,
        S: /^Supraventricular premature/,
        A: /^Atrial premature/,
        J: /^Junctional .* premature/,
      },
      ...{
        a: /^Aberrated atrial/,
        V: /premature (contraction|ventricular)/i,
        F: /^Fusion of ventricular and normal/,
      },
      ...{
        E: /^Ventricular escape beat/,
        e: /^Atrial escape/,
        j: /^Junctional .* escape/,
        L: /left bundle/i,
      },
      ...{ R: /right bundle/i, f: /^Pacemaker Fusion/, Q: /^Unclassifiable/, '/': /^Paced beat/ },
      ...{ '(N': /^(Normal )?Sinus Rhythm/, '(SBR': /^Sinus Bradycardia/, '(AFIB': /^Atrial fibrillation/ },
      ...{ '(AFL': /^Atrial flutter/, '(AB': /^Atrial Bigeminy/, '(SVTA': /^Supraventricular .*Tachycardia/ },
      ...{ '(NOD': /^AV junctional/, '(IVR': /^Idioventricular/, '(B': /^Ventricular Bigeminy/ },
      ...{ '(T': /^Ventricular Trigeminy/, '(VT': /Ventricular Tachycardia/, '(VFL': /^Ventricular Flutter/ },
      ...{
        '(VF': /^Ventricular Fibrillation/,
        '(PREX': /^pre-excitation/,
        '(BII': /^Second Degree AV Block$/,
      },
    };
    for (const [mark, meaning] of read) expect(meaning, mark).toMatch(WORDS[mark] ?? /^$/);
  });

  it('that are damaged are refused', async () => {
    const whole = ecgFile([{ ...groups[0], length: 10 } as (typeof groups)[0]]);
    const error = await readWaveform(memorySource(whole.subarray(0, whole.length - 30))).catch(
      (thrown: Error) => thrown,
    );
    expect(String(error)).toMatch(/short|malformed/);
    await expect(readWaveform(memorySource(ecgFile([])))).rejects.toThrow('no waveforms');
  });
});
