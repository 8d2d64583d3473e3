// One live signal: its windows are those that the data set of the same record has; gaps and rates on the way.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataset } from '../../data/index.ts';
import { type SignalContract, signalTarget } from '../../data/internal.ts';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { madeSignal, regularBeats } from '../../signal/test-support/made-signal.ts';
import { Bed, type BedOptions, type FoundBeat } from './bed.ts';
import type { SignalEvent } from './events.ts';

const LENGTH = 256;
const input = (leads: string[] = ['MLII'], more: SignalContract = {}) => ({
  target: signalTarget([leads.length, LENGTH], { leads, ...more }),
  ...{ rate: 360, shape: [leads.length, LENGTH] },
});

/** Gives a bed a signal in pieces of a length. */
function through(
  leads: Record<string, Float64Array>,
  rate: number,
  options: Partial<BedOptions> = {},
  piece = 37,
): { beats: FoundBeat[]; events: Omit<SignalEvent, 'bed' | 'kind'>[]; bed: Bed } {
  const beats: FoundBeat[] = [];
  const events: Omit<SignalEvent, 'bed' | 'kind'>[] = [];
  const listener = {
    beat: (beat: FoundBeat) => void beats.push(beat),
    signal: (event: (typeof events)[0]) => void events.push(event),
  };
  const bed = new Bed({ input: input(Object.keys(leads)), ...options }, listener);
  const length = Object.values(leads)[0]?.length ?? 0;
  for (let from = 0; from < length; from += piece) {
    const parts = Object.entries(leads).map(
      ([name, all]) => [name, all.subarray(from, from + piece)] as const,
    );
    bed.push({ rate, leads: new Map(parts) });
  }
  bed.end();
  return { beats, events, bed };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-bed-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a bed', () => {
  it.each([360, 250, 500])('cuts the windows that the data set has, at %i samples a second', async (rate) => {
    const made = regularBeats(30);
    const peaks = made.map(({ at }) => Math.round(at * rate));
    const signal = madeSignal(made, { rate, seconds: 30 }).map((value) => Math.round(4000 * value) / 4000);
    const other = signal.map((value, i) => Math.round(-2000 * value + (i % 7)) / 4000);
    await writeRecord(folder, `r${rate}`, {
      rate,
      leads: [
        { name: 'MLII', signal },
        { name: 'V1', signal: other },
      ],
      beats: peaks.map((frame) => [frame, 1] as const),
    });
    // Also units and normalisation of the contract.
    const more: SignalContract = rate === 500 ? { units: 'uV', normalisation: { kind: 'none' } } : {};
    const contract = { signal: { leads: ['MLII', 'V1'], ...more } };
    const dataset = await openDataset(folder, {
      sampleShape: [2, LENGTH],
      classes: 5,
      split: 'all',
      seed: 1,
      contract,
      records: [`r${rate}`],
    });
    const { beats } = through({ MLII: signal, V1: other }, rate, {
      peaks,
      input: input(['MLII', 'V1'], more),
    });
    const cut = beats.filter((beat) => beat.input !== undefined);
    expect(cut.length).toBe(dataset.size);
    expect(beats.length).toBe(peaks.length);
    for (const [i, beat] of cut.entries()) {
      const expected = dataset.samples.subarray(i * 2 * LENGTH, (i + 1) * 2 * LENGTH);
      const off = Math.max(
        ...expected.map((value, at) => Math.abs(value - (beat.input?.[at] ?? Number.NaN))),
      );
      expect(off).toBeLessThan(rate === 500 ? 1e-3 : 1e-5);
    }
  });

  it('finds beats at once: the same however the signal is cut into packets', () => {
    const signal = madeSignal(regularBeats(20), { rate: 360, seconds: 20 });
    const small = through({ MLII: signal }, 360, {}, 1).beats;
    const large = through({ MLII: signal }, 360, {}, 5000).beats;
    const plain = ({ waited: _, ...beat }: FoundBeat) => beat;
    expect(small.map(plain)).toEqual(large.map(plain));
    expect(Math.max(...small.filter((beat) => beat.input).map(({ waited }) => waited))).toBeLessThan(0.5);
    expect(Math.max(...large.map(({ waited }) => waited))).toBeGreaterThan(5);
  });

  it('tells gaps and saturation, and why beats beside them have no window', () => {
    const rate = 360;
    const signal = madeSignal(regularBeats(40), { rate, seconds: 40 });
    signal.fill(Number.NaN, 10 * rate, 10 * rate + 50);
    signal.fill(12, 20 * rate, 21 * rate);
    signal.fill(0.3, 30 * rate, 33 * rate);
    const { beats, events, bed } = through({ MLII: signal }, rate);
    expect(events.map(({ what, at }) => [what, Math.round(at)])).toEqual([
      ['saturated', 20],
      ['readable', 21],
      ['flat', 30],
      ['readable', 33],
    ]);
    expect(bed.counts.flat).toBeCloseTo(3, 1);
    expect(bed.counts.saturated).toBeCloseTo(1, 2);
    expect(bed.counts.missing).toBeCloseTo(50 / rate, 5);
    expect(beats.filter(({ at }) => at > 20 && at < 21)).toEqual([]);
    for (const { input: window } of beats) if (window) expect(window.every(Number.isFinite)).toBe(true);
    expect(beats.filter(({ isApart }) => isApart).map(({ at }) => Math.floor(at / 10))).toEqual([2, 3]);
  });

  it('goes on at another rate, and after a jump of the clock, without a beat across', () => {
    const listener = { beats: [] as FoundBeat[], events: [] as string[] };
    const bed = new Bed(
      { input: input() },
      {
        beat: (beat) => void listener.beats.push(beat),
        signal: ({ what }) => void listener.events.push(what),
      },
    );
    for (const [at, rate] of [
      [0, 360],
      [20, 250],
      [5000, 250],
      [0, 250],
    ] as const) {
      const signal = madeSignal(regularBeats(20), { rate, seconds: 20 });
      bed.push({ at, rate, leads: new Map([['MLII', signal]]) });
    }
    bed.end();
    expect(listener.events).toEqual(['rate', 'gap', 'restart']);
    expect(bed.counts).toMatchObject({ rateChanges: 1, gaps: 1, restarts: 1 });
    expect(bed.seconds).toBeCloseTo(5000 + 40, 0);
    const times = listener.beats.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(listener.beats.filter((beat) => beat.input).length).toBeGreaterThan(4 * 20);
    expect(listener.beats.filter(({ isApart }) => isApart).length).toBe(3);
  });

  it('refuses packets that are none, and takes nothing of them', () => {
    const bed = new Bed({ input: input() }, { beat: () => {}, signal: () => {} });
    const some = new Float64Array(10);
    expect(() => bed.push({ leads: new Map([['MLII', some]]) })).toThrow(/how many samples a second/);
    expect(() => bed.push({ rate: 7, leads: new Map([['MLII', some]]) })).toThrow(/7 samples a second/);
    expect(() => bed.push({ rate: 250, leads: new Map([['aVR', some]]) })).toThrow(/no lead MLII/);
    const uneven = new Map([
      ['MLII', some],
      ['V1', some.subarray(1)],
    ]);
    expect(() => bed.push({ rate: 250, leads: uneven })).toThrow(/different numbers/);
    expect([bed.seconds, bed.lead]).toEqual([0, '']);
    bed.push({ rate: 250, leads: new Map([['MLII', some]]) });
    expect(() => bed.push({ leads: new Map([['V1', some]]) })).toThrow(/lead MLII/);
    expect(bed.seconds).toBeCloseTo(0.04);
    expect(() => bed.push({ rate: 20_000, leads: new Map([['MLII', some]]) })).toThrow(/not found at 20000/);
  });
});
