// Headers, signals and annotations from bytes made by hand after the WFDB Application Guide.
import { describe, expect, it } from 'vitest';
import { annotationResolution, parseAnnotations } from './annotations.ts';
import { parseWfdbHeader, saysSegments } from './header.ts';
import { decodeSignal } from './signals.ts';

describe('parseWfdbHeader', () => {
  it('reads a header of the MIT-BIH Arrhythmia Database', () => {
    const text =
      '100 2 360 650000\n100.dat 212 200 11 1024 995 -22131 0 MLII\n100.dat 212 200 11 1024 1011 20052 0 V5\n# 69 M\n';
    const header = parseWfdbHeader(text, '100');
    expect(header).toMatchObject({ record: '100', rate: 360, frames: 650000 });
    expect(header.signals).toHaveLength(2);
    expect(header.signals[0]).toEqual({
      file: '100.dat',
      format: 212,
      samplesPerFrame: 1,
      skew: 0,
      offset: 0,
      gain: 200,
      hasGain: true,
      baseline: 1024,
      initial: 995,
      units: 'mV',
      description: 'MLII',
    });
  });

  it('reads frames, skew, offset, baseline, units, rates with counters and long descriptions', () => {
    const header = parseWfdbHeader(
      '# a comment\r\nr_1-2 1 250.5/360(12) 1000 12:00:00 01/02/2003\r\nr.dat 16x4:3+24 1.5e2(-7)/uV 16 5 0 0 0 lead II, chest\r\n',
      'r',
    );
    expect(header).toMatchObject({ record: 'r_1-2', rate: 250.5, frames: 1000 });
    expect(header.signals[0]).toMatchObject({
      format: 16,
      samplesPerFrame: 4,
      skew: 3,
      offset: 24,
      gain: 150,
      baseline: -7,
      units: 'uV',
      description: 'lead II, chest',
    });
  });

  it('reads names with a dot, as of records in .mat files', () => {
    expect(parseWfdbHeader('E07.mat 1 500\nE07.mat 16+24 1000/mV\n', 'E07').record).toBe('E07.mat');
  });

  it('fills in what may be left out: 250 Hz, gain 200, ADC zero 0', () => {
    const header = parseWfdbHeader('r 2\nr.dat 16\nr.dat 16 0 12 7\n', 'r');
    expect(header).toMatchObject({ rate: 250, frames: undefined });
    expect(header.signals[0]).toMatchObject({ gain: 200, baseline: 0, units: 'mV', description: '' });
    expect(header.signals[1]).toMatchObject({ gain: 200, baseline: 7 });
  });

  it('takes no longer for long numbers and many blank lines than for others', () => {
    const began = performance.now();
    expect(() => parseWfdbHeader(`r 1\nr.dat 16 ${'1'.repeat(200_000)}x\n`, 'r')).toThrow(/not a number/);
    expect(saysSegments(`${'\n'.repeat(50_000)}r 1 360\n`)).toBe(false);
    expect(saysSegments(`${'\n'.repeat(50_000)}r/2 1 360\n`)).toBe(true);
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it.each([
    ['r 1\nr.dat 16 1e999', /gain is too large/],
    ['r 1 1e999\nr.dat 16', /sampling rate/],
    ['', /record line/],
    ['r/3 2 360\ns 100', /expected 3 segment lines, got 1/],
    ['r/1 2 360\ns x', /segment line 1/],
    ['r/1 2 360\n../s 100', /leaves its folder/],
    ['r two 360', /'two' is not a number of signals/],
    ['r', /no number of signals/],
    ['r 1 360\n/etc/r.dat 16', /a file of its folder/],
    ['r 1 zero\nr.dat 16', /sampling rate/],
    ['r 1 -5\nr.dat 16', /sampling rate/],
    ['r 1 360 1.5\nr.dat 16', /number of samples/],
    ['r 2 360\nr.dat 16', /expected 2 signal lines, got 1/],
    ['r 1 360\n../r.dat 16', /a file of its folder/],
    ['r 1 360\nr.dat x', /no signal format/],
    ['r 1 360\nr.dat 16x0', /no samples in a frame/],
    ['r 1 360\nr.dat 16 abc', /gain/],
  ])('refuses %j', (text, message) => {
    expect(() => parseWfdbHeader(text, 'rec')).toThrow(message);
    expect(() => parseWfdbHeader(text, 'rec')).toThrow(expect.objectContaining({ code: 'E_DATA' }));
  });
});

describe('decodeSignal', () => {
  const signals = (text: string) => parseWfdbHeader(text, 'r');

  it('unpacks format 212: two samples in three bytes', () => {
    // 1 = 0x001, -1 = 0xfff: low bytes 0x01 and 0xff, middle byte f (second's high) 0 (first's high).
    // 2047 = 0x7ff, -2047 = 0x801: low bytes 0xff and 0x01, middle byte 8 7. -5 = 0xffb, then 3 = 0x003.
    const bytes = Uint8Array.of(0x01, 0xf0, 0xff, 0xff, 0x87, 0x01, 0xfb, 0x0f, 0x03);
    const one = signals('r 1 360 6\nr.dat 212 1 12 0\n');
    expect([...decodeSignal(one, one.signals[0]!, bytes)]).toEqual([1, -1, 2047, -2047, -5, 3]);
    // Two signals take turns.
    const two = signals('r 2 360 3\nr.dat 212 2 12 1\nr.dat 212 1 12 0\n');
    expect([...decodeSignal(two, two.signals[0]!, bytes)]).toEqual([0, 1023, -3]);
    expect([...decodeSignal(two, two.signals[1]!, bytes)]).toEqual([-1, -2047, 3]);
    // An odd number of samples ends after two bytes.
    const odd = signals('r 1 360 5\nr.dat 212 1 12 0\n');
    expect([...decodeSignal(odd, odd.signals[0]!, bytes.subarray(0, 8))]).toEqual([1, -1, 2047, -2047, -5]);
  });

  it('reads format 16, with an offset, a baseline, and units', () => {
    const bytes = Uint8Array.of(0xaa, 0xbb, 0xe8, 0x03, 0x18, 0xfc, 0xff, 0x7f); // 1000, -1000, 32767
    const header = signals('r 1 360\nr.dat 16+2 10(1000)/mV\n');
    expect([...decodeSignal(header, header.signals[0]!, bytes)]).toEqual([0, -200, 3176.7]);
    const micro = signals('r 1 360\nr.dat 16+2 10(1000)/uV\n');
    expect(decodeSignal(micro, micro.signals[0]!, bytes)[1]).toBeCloseTo(-0.2, 12);
  });

  it('averages the samples of a frame, undoes skew, and marks missing samples', () => {
    // Frames of three samples: two of signal A, one of signal B; B lags by one frame.
    const samples = [2, 4, 0, 6, 8, 11, -32768, 5, 12];
    const bytes = new Uint8Array(Int16Array.from(samples).buffer);
    const header = signals('r 2 360 3\nr.dat 16x2 1\nr.dat 16:1 1\n');
    expect([...decodeSignal(header, header.signals[0]!, bytes)]).toEqual([3, 7, Number.NaN]);
    expect([...decodeSignal(header, header.signals[1]!, bytes)]).toEqual([11, 12, Number.NaN]);
  });

  it('says how short a signal file is', () => {
    const header = signals('r 2 360 100\nr.dat 212 200\nr.dat 212 200\n');
    expect(() => decodeSignal(header, header.signals[0]!, new Uint8Array(299))).toThrow(
      /r\.dat of record r is short: expected 300 bytes, got 299/,
    );
  });
});

describe('parseAnnotations', () => {
  /** One 16-bit word, low byte first. */
  const word = (code: number, value: number): number[] => {
    const bits = (code << 10) | (value & 0x3ff);
    return [bits & 255, bits >> 8];
  };
  const END = [0, 0];

  it('reads times as differences and codes as mnemonics', () => {
    const bytes = [
      word(1, 18),
      word(5, 300),
      word(28, 0),
      word(12, 1023),
      word(38, 5),
      word(42, 1),
      END,
    ].flat();
    const annotations = parseAnnotations(Uint8Array.from(bytes), 'r');
    expect(annotations.map(({ time, symbol }) => [time, symbol])).toEqual([
      [18, 'N'],
      [318, 'V'],
      [318, '+'],
      [1341, '/'],
      [1346, 'f'],
      [1347, '[42]'],
    ]);
  });

  it('knows every code of ecgcodes.h that marks a beat', () => {
    const codes = {
      N: 1,
      L: 2,
      R: 3,
      a: 4,
      V: 5,
      F: 6,
      J: 7,
      A: 8,
      S: 9,
      E: 10,
      j: 11,
      '/': 12,
      Q: 13,
      e: 34,
      f: 38,
    };
    const bytes = [...Object.values(codes).map((code) => word(code, 1)), END].flat();
    expect(
      parseAnnotations(Uint8Array.from(bytes), 'r')
        .map(({ symbol }) => symbol)
        .sort(),
    ).toEqual(Object.keys(codes).sort());
  });

  it('reads SKIP (high word first, also backwards), SUB, CHN, NUM and AUX', () => {
    const bytes = [
      // 0x00012345 frames, then 5 more.
      [...word(59, 0), 0x01, 0x00, 0x45, 0x23],
      word(1, 5),
      word(61, 0xff),
      word(62, 1),
      word(60, 3),
      [...word(63, 3), ...Buffer.from('(AF'), 0],
      // The subtype and the text are gone, channel and number hold.
      word(8, 10),
      [...word(59, 0), 0xff, 0xff, 0xf6, 0xff],
      word(5, 0),
      [...word(63, 4), ...Buffer.from('(VT'), 0],
      word(62, 0),
      END,
    ].flat();
    expect(parseAnnotations(Uint8Array.from(bytes), 'r')).toEqual([
      { time: 0x12345 + 5, symbol: 'N', subtype: -1, channel: 1, number: 3, aux: '(AF' },
      { time: 0x12345 + 15, symbol: 'A', subtype: 0, channel: 1, number: 3, aux: undefined },
      { time: 0x12345 + 5, symbol: 'V', subtype: 0, channel: 0, number: 3, aux: '(VT' },
    ]);
  });

  it('finds the time resolution a file states', () => {
    const text = '## time resolution: 1000';
    const bytes = [word(22, 0), [...word(63, text.length), ...Buffer.from(text)], word(1, 5), END].flat();
    expect(annotationResolution(parseAnnotations(Uint8Array.from(bytes), 'r'))).toBe(1000);
    expect(
      annotationResolution(parseAnnotations(Uint8Array.from([...word(1, 5), ...END]), 'r')),
    ).toBeUndefined();
  });

  it.each<[string, number[], RegExp]>([
    ['no end mark', word(1, 5), /without an end mark after 0 annotations/],
    ['an odd byte', [...word(1, 5), 0], /without an end mark/],
    ['a text that is cut off', [...word(1, 5), ...word(63, 40), 65], /text of annotation 1 is cut off/],
    ['half a SKIP', [...word(59, 0), 0, 0], /without an end mark/],
    ['a modifier first', [...word(61, 1), ...END], /modifier/],
    [
      'a time before 0',
      [...word(59, 0), 0xff, 0xff, 0, 0, ...word(1, 1), ...END],
      /before the record's start/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseAnnotations(Uint8Array.from(bytes), 'rec')).toThrow(message);
    expect(() => parseAnnotations(Uint8Array.from(bytes), 'rec')).toThrow(
      expect.objectContaining({ code: 'E_DATA' }),
    );
  });
});
