// Recordings by a contract: leads by name, units, normalisation, windows, leads last, against values written out.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import type { SignalContract } from '../contract/contract.ts';
import type { DatasetOptions } from '../dataset.ts';
import { rowWriter } from '../npz/samples.ts';
import { openDataset } from '../open-dataset.ts';
import { writeRecord } from '../test-support/wfdb-record.ts';
import { signalTarget, writeWindows } from './steps.ts';

let folder: string;
const signal = (phase: number) =>
  Float64Array.from({ length: 400 }, (_, i) => Math.round(200 * Math.sin(i / 9 + phase)) / 200);
const [one, two, three] = [signal(0), signal(1), signal(2)];
const OPTIONS: DatasetOptions = { sampleShape: [2, 8], classes: 5, split: 'all', seed: 1, rate: 100 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-signals-'));
  const beats = [
    [100, 1],
    [200, 5],
  ] as const;
  const leads = [
    { name: 'V1', signal: two },
    { name: 'MLII', signal: one },
  ];
  await writeRecord(folder, 'a', { rate: 100, leads, beats });
  await writeRecord(folder, 'b', {
    rate: 100,
    leads: [
      { name: 'II', signal: one },
      { name: 'V5', signal: three },
    ],
    beats,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (signal: SignalContract, change: Partial<DatasetOptions> = {}) =>
  openDataset(folder, { ...OPTIONS, contract: { signal }, ...change });

/** The definition: samples from 97 to 104 of a lead. */
const cut = (lead: Float64Array, at = 100, before = 3) => [...lead.subarray(at - before, at - before + 8)];
const LEADS = [
  ['MLII', 'II'],
  ['V1', '*'],
] as const;

describe('records', () => {
  it('give leads by name, in the order of the network, raw or normalised', async () => {
    const none = { leads: LEADS, normalisation: { kind: 'none' } } as const;
    const { samples, leads, remarks, peak } = await read({ ...none, window: { around: 'beat', before: 3 } });
    expect([...samples.subarray(0, 16)]).toEqual(
      [...Float32Array.from([...cut(one), ...cut(two)])].map(near),
    );
    expect([...samples.subarray(32, 48)]).toEqual([...cut(one), ...cut(three)].map(near));
    expect(leads).toEqual({ MLII: 1, V1: 1, II: 1, V5: 1 });
    expect(remarks).toEqual(
      expect.arrayContaining([
        '1 of 2 records have no lead MLII; others were taken: b (II)',
        '1 of 2 records have no lead V1; others were taken: b (V5)',
      ]),
    );
    expect(peak).toBe(3);
  });

  it('are in the units of the network, with leads last where it reads them so', async () => {
    const contract = { leads: LEADS, units: 'uV', normalisation: { kind: 'none' } } as const;
    const last = await read({ ...contract, window: { around: 'beat', before: 3 } }, { sampleShape: [8, 2] });
    const wanted = cut(one).flatMap((value, i) => [1000 * value, 1000 * (cut(two)[i] ?? 0)]);
    expect([...last.samples.subarray(0, 16)]).toEqual(wanted.map(near));
    expect(last.remarks).toEqual(
      expect.arrayContaining([expect.stringMatching(/leads were taken to come last/)]),
    );
    const steps = await read(
      {
        leads: ['*'],
        units: 'steps',
        normalisation: { kind: 'none' },
        window: { around: 'beat', before: 3 },
      },
      { sampleShape: [8, 1], records: ['a'] },
    );
    expect([...steps.samples.subarray(0, 8)]).toEqual(cut(two).map((value) => near(4000 * value)));
  });

  it('have symbols for labels where classes are called after them', async () => {
    const leads = { leads: ['*'] } as const;
    const contract = { signal: leads, classes: ['N', 'L', 'V'] };
    const symbols = await read(leads, { sampleShape: [1, 8], classes: 3, contract });
    expect([[...(symbols.labels ?? [])], symbols.classNames]).toEqual([
      [0, 2, 0, 2],
      ['N', 'L', 'V'],
    ]);
    const aami = await read(leads, {
      sampleShape: [1, 8],
      contract: { signal: { ...leads, labels: 'aami' } },
    });
    expect(aami.classNames).toEqual(['N', 'S', 'V', 'F', 'Q']);
  });

  it('without a lead are passed over, or refused where they were asked for', async () => {
    const { size, passedOver } = await read({ leads: ['MLII', 'V1'] });
    expect(size).toBe(2);
    expect(passedOver).toContainEqual({
      reason: 'records without the leads MLII, V1',
      count: 1,
      examples: ['b'],
    });
    await expect(read({ leads: ['MLII', 'V1'] }, { records: ['b'] })).rejects.toThrow(
      'record b does not have the leads MLII, V1',
    );
  });

  it.each([
    [{}, 'E_DATA_FIT', /model reads \[2, 8\]/],
    [{ leads: LEADS, window: { around: 'segment' } }, 'E_DATA', /marks a rhythm, by which segments/],
    [{ leads: ['V1'] }, 'E_CONTRACT', /1 lead is named, and the network reads \[2, 8\]/],
    [
      { leads: LEADS, window: { around: 'beat', before: 3, after: 4 } },
      'E_CONTRACT',
      /3 samples before .* 4 from it on/,
    ],
  ] as const)('of another contract are refused: %j', async (contract, code, message) => {
    const error = await read(contract).catch((thrown: unknown) => thrown);
    expect([BedsideError.is(error, code as 'E_DATA'), String(error)]).toEqual([
      true,
      expect.stringMatching(message),
    ]);
  });
});

const near = (value: number) => expect.closeTo(value, 5);

describe('windows', () => {
  const windows = [Float64Array.from([1, 2, 3]), Float64Array.from([10, 20, 60])];
  const written = (contract: SignalContract, shape: readonly number[] = [2, 3]) => {
    const samples = new Float32Array(6);
    writeWindows(windows, signalTarget(shape, { leads: ['a', 'b'], ...contract }), samples, 0);
    return [...samples];
  };
  const score = (values: readonly number[], all: readonly number[], epsilon: number) => {
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const deviation = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
    return values.map((value) => near((value - mean) / (deviation + epsilon)));
  };
  const [a, b] = [
    [1, 2, 3],
    [10, 20, 60],
  ];

  it('are normalised by lead, as a whole, by fixed numbers, or not', () => {
    expect(written({})).toEqual([...score(a, a, 1e-6), ...score(b, b, 1e-6)]);
    const whole = { normalisation: { kind: 'z-score', per: 'window', epsilon: 0.5 } } as const;
    expect(written(whole)).toEqual([...score(a, [...a, ...b], 0.5), ...score(b, [...a, ...b], 0.5)]);
    const fixed = { normalisation: { kind: 'fixed', mean: [1, 10], deviation: 2 } } as const;
    expect(written(fixed)).toEqual([0, 0.5, 1, 0, 5, 25]);
    expect(written({ normalisation: { kind: 'none' } }, [3, 2])).toEqual([1, 10, 2, 20, 3, 60]);
  });

  it.each([
    [[256], 'leads-first', 256],
    [[1, 256], 'leads-first', 256],
    [[256, 1], 'leads-last', 256],
    [[1, 1, 256], 'leads-first', 256],
    [[1, 256, 1], 'leads-last', 256],
  ] as const)('of one lead of %j', (shape, layout, length) => {
    expect(signalTarget(shape)).toMatchObject({ layout, length });
  });
});

it.each([
  [[4], [4, 1]],
  [[1, 4], [4]],
  [
    [4, 1],
    [1, 4],
  ],
])('an archive of one lead of %j is read by a network of %j', async (of, to) => {
  const head = {
    dtype: 'float32',
    shape: [9, ...of],
    bigEndian: false,
    fortranOrder: false,
    itemBytes: 4,
    start: 0,
  } as const;
  const samples = new Float32Array(4);
  await rowWriter(head, to, 'x')(Float32Array.from([1, 2, 3, 4]), 0, samples, 0);
  expect([...samples]).toEqual([1, 2, 3, 4]);
});

it('refuses lists of means and deviations that are not one for each lead', () => {
  const leads = ['MLII', 'V1', 'V5'];
  const normalisation = { kind: 'fixed', mean: [1, 2], deviation: 1 } as const;
  expect(() => signalTarget([3, 8], { leads, normalisation })).toThrow(
    'signal.normalisation.mean has 2 numbers, and the network reads 3 leads',
  );
});
