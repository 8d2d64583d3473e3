// Files with gaps, annotations at the edges of the format, and files that are refused.
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { memorySource } from '../archive/byte-source.ts';
import { edfFile, type MadeEdf } from '../test-support/edf-file.ts';
import { looksLikeEdf } from './header.ts';
import { EdfReader } from './reader.ts';

const MARK = 'NAME TEST 01-FEB-1903';

function made(more: Partial<MadeEdf> = {}): Uint8Array {
  const ramp = Array.from({ length: 40 }, (_, i) => i / 100);
  const slow = Array.from({ length: 8 }, (_, i) => -i);
  const signals = [
    { label: 'ECG II', unit: 'mV', perRecord: 10, samples: ramp, physical: [-3.2768, 3.2767] as const },
    { label: 'Temp', unit: 'degC', perRecord: 2, samples: slow, physical: [-32768, 32767] as const },
  ];
  return edfFile({ signals, patient: MARK, recording: MARK, ...more });
}

const opened = (bytes: Uint8Array) => EdfReader.open(memorySource(bytes), 'the file');

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await opened(bytes)
    .then((reader) => reader.recording())
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  if (!BedsideError.is(error, 'E_DATA')) throw new Error(`not refused: ${error}`);
  expect(`${error.message} ${error.hint}`).not.toContain('TEST');
  return error.message;
}

describe('annotations', () => {
  it('of large data records are read alone, and are the same as with the samples', async () => {
    const samples = new Float64Array(3 * 20_000).map((_, i) => Math.sin(i));
    const annotations = [
      { time: 0.5, text: 'N' },
      { time: 6.5, seconds: 1, text: 'V' },
    ];
    const signals = [{ label: 'EEG', unit: 'uV', perRecord: 20_000, samples }];
    const bytes = edfFile({ signals, annotations, onsets: [0, 1, 6] });
    const source = memorySource(bytes);
    let read = 0;
    const counted = (start: number, end: number) => {
      read += end - start;
      return source.read(start, end);
    };
    const reader = await EdfReader.open({ ...source, read: counted }, 'the file');
    const { runs, annotations: found } = await reader.outline();
    expect(read).toBeLessThan(2000);
    const whole = await reader.recording();
    expect(found).toEqual(whole.annotations);
    expect(found.map(({ time, text }) => [time, text])).toEqual([
      [0.5, 'N'],
      [6.5, 'V'],
    ]);
    expect(runs).toEqual(whole.runs);
  });
});

describe('a recording', () => {
  it('has its signals in their units and rates', async () => {
    const reader = await opened(made());
    const { signals, seconds, gaps, runs, startsAt } = await reader.recording();
    expect(signals.map(({ label, unit, rate }) => [label, unit, rate])).toEqual([
      ['ECG II', 'mV', 10],
      ['Temp', 'degC', 2],
    ]);
    expect(Array.from(signals[0]?.samples ?? [], (value) => Math.round(value * 100) + 0)).toEqual([
      ...Array(40).keys(),
    ]);
    expect([seconds, gaps, runs.length, startsAt]).toEqual([4, [], 1, '2026-01-31T12:00:00']);
  });

  it('gives nothing that names a patient', async () => {
    const reader = await opened(made({ annotations: [] }));
    expect(JSON.stringify([reader.header, await reader.recording(), reader.remarks])).not.toContain('TEST');
  });

  it('keeps the times of a file with gaps, and those of its annotations', async () => {
    const onsets = [0.25, 1.25, 10.5, 11.5];
    const annotations = [
      { time: 0.25, text: 'start' },
      { time: 10.75, seconds: 2, text: 'N' },
    ];
    const reader = await opened(made({ onsets, annotations }));
    const recording = await reader.recording();
    expect(recording.runs).toEqual([
      { time: 0, seconds: 2, record: 0, records: 2 },
      { time: 10.25, seconds: 2, record: 2, records: 2 },
    ]);
    expect(recording.gaps).toEqual([{ time: 2, seconds: 8.25 }]);
    expect(recording.seconds).toBe(12.25);
    expect(recording.startsAt).toBe('2026-01-31T12:00:00.250');
    expect(recording.annotations).toEqual([
      { time: 0, seconds: undefined, text: 'start' },
      { time: 10.5, seconds: 2, text: 'N' },
    ]);
    const times: number[] = [];
    for await (const { time } of reader.blocks([], 1)) times.push(time);
    expect(times).toEqual([1, 10.25, 11.25]);
  });

  it('reads what a device that is still recording has written', async () => {
    const whole = made({ saidRecords: -1 });
    const reader = await opened(whole.subarray(0, whole.length - 3));
    expect(reader.records).toBe(3);
    expect(reader.remarks[0]).toContain('3 whole ones');
  });

  it('knows files by their first bytes', () => {
    expect(looksLikeEdf(made())).toBe(true);
    expect(looksLikeEdf(made({ bits: 24 }))).toBe(true);
    expect(looksLikeEdf(new Uint8Array(300).fill(48))).toBe(false);
    expect(looksLikeEdf(made().subarray(0, 200))).toBe(false);
  });
});

describe('a malformed file is refused', () => {
  /** The file with text put over its header. */
  const withField = (at: number, text: string, more: Partial<MadeEdf> = {}): Uint8Array => {
    const bytes = Buffer.from(made(more));
    bytes.write(text, at, 'latin1');
    return bytes;
  };

  it.each([
    ['short', made().subarray(0, 800), 'it is short: expected '],
    ['cut in its header', made().subarray(0, 400), 'ends within its header'],
    ['empty', new Uint8Array(0), 'does not begin as a file of EDF'],
    ['no signals', withField(252, '0   '), 'number of signals'],
    ['another header size', withField(184, '1024    '), 'another size of its header'],
    ['records without a number', withField(236, 'many    '), 'number of data records'],
    ['more records than there are', withField(236, '99999999'), 'it is short'],
    ['a duration that is none', withField(244, '1e999   '), 'duration'],
    ['no duration', withField(244, '0       '), 'last 0 seconds'],
    ['negative samples', withField(256 + 216 * 2, '-5      '), 'signal 1'],
    ['a bomb of samples', withField(256 + 216 * 2, '99999999'), 'it is short'],
    ['no range', withField(256 + 120 * 2, '-32768  32767   -32768  '), 'no range'],
    ['overlaps', made({ onsets: [0, 1, 1.5, 3] }), 'data record 3 begins before'],
    ['goes back', made({ onsets: [0, 1, -7, 3] }), 'data record 3 begins before'],
  ])('%s', async (_, bytes, words) => {
    expect(await refusal(bytes)).toContain(words);
  });

  it('malformed annotations, by the number of their data record', async () => {
    const whole = Buffer.from(made({ annotations: [{ time: 1.5, text: MARK }] }));
    const at = whole.indexOf('+1.5');
    for (const text of ['1.5 ', '+1.\x15', '+x.5', '\x14+1.', '+1\x15\x15', '\x01\x01\x01\x01']) {
      const damaged = Buffer.from(whole);
      damaged.write(text, at, 'latin1');
      expect(await refusal(damaged)).toContain('annotations of data record 2');
    }
    const first = Buffer.from(made({ onsets: [0, 1, 2, 3] }));
    first.write('\0\0\0', first.indexOf('+2\x14'), 'latin1');
    expect(await refusal(first)).toContain('record 3 does not say its time');
  });
});
