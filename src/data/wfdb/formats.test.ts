// Every signal format, written by an encoder of its own (bits laid down one by one after the WFDB Application Guide) and
// read back from a folder; records of segments, of other annotators, below folders, and labelled by rhythm.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import type { DatasetOptions } from '../dataset.ts';
import { openDataset } from '../open-dataset.ts';
import { PassedOverCount } from '../passed-over.ts';
import { patientOf } from '../recordings/record-patients.ts';
import { listRecords } from './folder.ts';
import { openRecord, readSignal } from './segments.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-formats-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Writes files below a new folder. */
async function folderOf(name: string, files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name, path)), { recursive: true });
    await writeFile(join(root, name, path), content);
  }
  return join(root, name);
}

/** Bits of numbers in two's complement, lowest first, to bytes. */
function packed(values: readonly number[], bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((values.length * bits) / 8));
  values.forEach((value, i) => {
    for (let bit = 0; bit < bits; bit++) {
      const set = Math.floor((value < 0 ? value + 2 ** bits : value) / 2 ** bit) % 2;
      const at = i * bits + bit;
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (set << (at & 7));
    }
  });
  return bytes;
}

/** Groups of three in four bytes. */
function inFours(values: readonly number[], word: (three: readonly number[]) => number): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < values.length; i += 3) {
    const three = [0, 1, 2].map((k) => (values[i + k] ?? 0) & 0x3ff);
    const whole = word(three);
    for (let k = 0; k < 4; k++) bytes.push(Math.floor(whole / 2 ** (8 * k)) & 0xff);
  }
  return Uint8Array.from(bytes);
}

interface Written {
  readonly bits: number;
  readonly encode: (values: readonly number[]) => Uint8Array;
}

const WRITERS: Readonly<Record<number, Written>> = {
  16: { bits: 16, encode: (values) => packed(values, 16) },
  24: { bits: 24, encode: (values) => packed(values, 24) },
  32: { bits: 32, encode: (values) => packed(values, 32) },
  61: {
    bits: 16,
    encode: (values) => Uint8Array.from(values.flatMap((value) => [(value >> 8) & 0xff, value & 0xff])),
  },
  80: { bits: 8, encode: (values) => Uint8Array.from(values, (value) => value + 128) },
  160: {
    bits: 16,
    encode: (values) =>
      packed(
        values.map((value) => value + 32768),
        16,
      ),
  },
  212: {
    bits: 12,
    encode: (values) =>
      Uint8Array.from(
        Array.from({ length: Math.ceil(values.length / 2) }, (_, i) => {
          const [a, b] = [(values[2 * i] ?? 0) & 0xfff, (values[2 * i + 1] ?? 0) & 0xfff];
          return [a & 0xff, (a >> 8) | ((b >> 8) << 4), b & 0xff];
        }).flat(),
      ),
  },
  310: {
    bits: 10,
    encode: (values) =>
      inFours(values, ([a = 0, b = 0, c = 0]) => {
        const [low, high] = [(a << 1) | ((c & 0x1f) << 11), (b << 1) | ((c >> 5) << 11)];
        return low + high * 2 ** 16;
      }),
  },
  311: {
    bits: 10,
    encode: (values) => inFours(values, ([a = 0, b = 0, c = 0]) => a + b * 2 ** 10 + c * 2 ** 20),
  },
};

/** Values over the whole range of a format, without its mark of a missing sample. */
function valuesOf(bits: number, count: number): number[] {
  const random = new Random(bits);
  const most = 2 ** (bits - 1) - 1;
  const values = Array.from({ length: count }, () => Math.round((random.uniform() * 2 - 1) * most));
  return [most, -most, 0, -1, ...values].slice(0, count);
}

describe('signal formats', () => {
  it.each(Object.entries(WRITERS))(
    '%s: two signals in frames, one of two samples, with an offset',
    async (code, written) => {
      const missing = -(2 ** (written.bits - 1));
      for (const frames of [20, 21, 22]) {
        const values = valuesOf(written.bits, frames * 3);
        values[5] = missing;
        const bytes = Buffer.concat([Buffer.alloc(7, 0xee), written.encode(values)]);
        const header = `r 2 250 ${frames}\nr.dat ${code}x2+7 10(3)/mV 12 0 0 0 0 A\nr.dat ${code}+7 1/mV 12 0 0 0 0 B\n`;
        const folder = await folderOf(`format-${code}-${frames}`, { 'r.hea': header, 'r.dat': bytes });
        const record = await openRecord(folder, 'r');
        expect(record.leads).toEqual(['A', 'B']);
        const [a, b] = [await readSignal(folder, record, 'A'), await readSignal(folder, record, 'B')];
        for (let i = 0; i < frames; i++) {
          const [x, y, z] = values.slice(3 * i) as [number, number, number];
          expect(a[i]).toBeCloseTo(((x + y) / 2 - 3) / 10, 6);
          expect(b[i]).toBe(i === 1 ? Number.NaN : z);
        }
        // Without a number of samples the file tells: no fewer frames, and at most padding more.
        const open = await folderOf(`open-${code}-${frames}`, {
          'r.hea': header.replace(` ${frames}\n`, '\n'),
          'r.dat': bytes,
        });
        const length = (await readSignal(open, await openRecord(open, 'r'), 'A')).length;
        expect(length - frames).toBeGreaterThanOrEqual(0);
        expect(length - frames).toBeLessThanOrEqual(1);
        // A file that is cut off is told, and not read beyond.
        const cut = await folderOf(`cut-${code}-${frames}`, {
          'r.hea': header,
          'r.dat': bytes.subarray(0, bytes.length - 5),
        });
        await expect(readSignal(cut, await openRecord(cut, 'r'), 'A')).rejects.toMatchObject({
          code: 'E_DATA',
        });
      }
    },
  );

  it('8: differences from the initial value of each signal, with a skew', async () => {
    const [a, b] = [
      [5, 5, 10, 130, 30, 31],
      [-7, -7, -8, 0, 1, 2],
    ];
    const differences = a.flatMap((value, i) => [value - (a[i - 1] ?? 5), b[i]! - (b[i - 1] ?? -7)]);
    const folder = await folderOf('format-8', {
      'r.hea': 'r 2 250 6\nr.dat 8 1 8 0 5 0 0 A\nr.dat 8:2 1 8 0 -7 0 0 B\n',
      'r.dat': Int8Array.from(differences) as unknown as Uint8Array,
    });
    const record = await openRecord(folder, 'r');
    expect([...(await readSignal(folder, record, 'A'))]).toEqual(a);
    expect([...(await readSignal(folder, record, 'B'))]).toEqual([...b.slice(2), Number.NaN, Number.NaN]);
  });

  it('that are not read do not matter where another signal is wanted, and are told where it is this one', async () => {
    const folder = await folderOf('mixed', {
      'r.hea': 'r 2 250 2\r\nx.dat 516 1 8 0 0 0 0 RESP\r\nr.dat 80 1 8 0 0 0 0 ECG\r\n# CRLF\r\n',
      'r.dat': Uint8Array.of(130, 127),
      's.hea': 's 1 250 2\nx.dat 508 1\n',
    });
    const record = await openRecord(folder, 'r');
    expect(record.leads).toEqual(['ECG']);
    expect([...(await readSignal(folder, record, 'ECG'))]).toEqual([2, -1]);
    const packedOne = await openRecord(folder, 's');
    await expect(readSignal(folder, packedOne, packedOne.leads[0]!)).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringContaining('FLAC'),
    });
  });
});

const int16 = (...values: number[]): Uint8Array => new Uint8Array(Int16Array.from(values).buffer);

describe('records of segments', () => {
  it('of a fixed layout are read as one', async () => {
    const folder = await folderOf('fixed', {
      'm.hea': 'm/3 1 250 7\ns1 2\n~ 2\ns2 3\n',
      's1.hea': 's1 1 250 2\ns1.dat 16 1 16 0 0 0 0 II\n',
      's1.dat': int16(1, 2),
      's2.hea': 's2 1 250 3\ns2.dat 16 2 16 0 0 0 0 II\n',
      's2.dat': int16(6, 8, 10),
    });
    expect(await listRecords(folder, new PassedOverCount())).toEqual(['m']);
    const signal = await readSignal(folder, await openRecord(folder, 'm'), 'II');
    expect([...signal]).toEqual([1, 2, Number.NaN, Number.NaN, 3, 4, 5]);
  });

  it('of a variable layout lack a signal where a segment does', async () => {
    const folder = await folderOf('variable', {
      'a/m.hea': 'm/3 2 250 4\nlay 0\ns1 2\ns2 2\n',
      'a/lay.hea': 'lay 2 250 0\n~ 0 1 0 0 0 0 0 II\n~ 0 1 0 0 0 0 0 V\n',
      'a/s1.hea': 's1 2 250 2\ns1.dat 16 1 16 0 0 0 0 V\ns1.dat 16 1 16 0 0 0 0 II\n',
      'a/s1.dat': int16(1, 2, 3, 4),
      'a/s2.hea': 's2 1 250 2\ns2.dat 16 1 16 0 0 0 0 V\n',
      'a/s2.dat': int16(5, 6),
    });
    const record = await openRecord(folder, 'a/m');
    expect(record.leads).toEqual(['II', 'V']);
    expect([...(await readSignal(folder, record, 'V'))]).toEqual([1, 3, 5, 6]);
    expect([...(await readSignal(folder, record, 'II'))]).toEqual([2, 4, Number.NaN, Number.NaN]);
  });

  it('are refused where segments contradict them', async () => {
    const folder = await folderOf('wrong', {
      'm.hea': 'm/1 1 250\ns1 2\n',
      's1.hea': 's1 1 360 2\ns1.dat 16\n',
      'n.hea': 'n/1 1 250\nm 2\n',
      'big.hea': 'big/2 1 250\n~ 99999999999999\ns2 1\n',
      's2.hea': 's2 1 250 1\ns2.dat 16 1 16 0 0 0 0 II\n',
      's2.dat': int16(1),
    });
    for (const name of ['m', 'n']) {
      await expect(openRecord(folder, name)).rejects.toMatchObject({ code: 'E_DATA' });
    }
    const big = await openRecord(folder, 'big');
    await expect(readSignal(folder, big, 'II')).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringContaining('memory'),
    });
  });
});

/** Annotations in MIT format: frame, code, and text. */
function annotations(...marks: readonly (readonly [number, number, string?])[]): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number): void => void bytes.push(value & 0xff, value >> 8);
  let before = 0;
  for (const [frame, code, text] of marks) {
    word(59 << 10);
    word((frame - before) >>> 16);
    word((frame - before) & 0xffff);
    word(code << 10);
    before = frame;
    if (text === undefined) continue;
    word((63 << 10) | text.length);
    for (const character of text) bytes.push(character.charCodeAt(0));
    if (text.length % 2 === 1) bytes.push(0);
  }
  word(0);
  return Uint8Array.from(bytes);
}

const FRAMES = 1000;
const header = (name: string): string => `${name} 1 100 ${FRAMES}\n${name}.dat 16 100 16 0 0 0 0 II\n`;
const wave = int16(...Array.from({ length: FRAMES }, (_, i) => Math.round(100 * Math.sin(i))));
const OPTIONS: DatasetOptions = { sampleShape: [1, 50], classes: 5, split: 'all', seed: 1, rate: 100 };

describe('records of other folders and annotators', () => {
  it('are read below the folder, under names with dots, and with files named by another folder', async () => {
    const dotted =
      'E07.mat 1 100 1000 05-May-2020 09:49:17\nsub/E07.mat 16+24 1000/mV 16 0 -268 14726 0 II\n#Age: 71\n';
    const folder = await folderOf('tree', {
      RECORDS: 'p01/r1\r\np02/E07\np03/gone\n',
      'p01/r1.hea': header('r1'),
      'p01/r1.dat': wave,
      'p01/r1.atr': annotations([200, 1], [300, 5]),
      'p02/E07.hea': dotted,
      'p02/E07.mat': Buffer.concat([Buffer.alloc(24), wave]),
      'p02/E07.atr': annotations([400, 8]),
    });
    const dataset = await openDataset(folder, OPTIONS);
    expect(dataset.origins).toEqual(['p01/r1', 'p01/r1', 'p02/E07']);
    expect([...dataset.labels!]).toEqual([0, 2, 1]);
    expect(dataset.patients).toEqual(['p01', 'p01', 'p02']);
    expect(dataset.passedOver).toEqual([
      { reason: 'records that RECORDS names and the folder does not hold', count: 1, examples: ['p03/gone'] },
    ]);
    const one = await openDataset(folder, { ...OPTIONS, records: ['p02/E07'] });
    expect(one.size).toBe(1);
    const split = (name: 'local' | 'test') =>
      openDataset(folder, { ...OPTIONS, split: name, splitBy: 'patient' });
    expect(new Set((await split('local')).patients)).toEqual(new Set(['p01']));
    expect(new Set((await split('test')).patients)).toEqual(new Set(['p02']));
  });

  it('give beats of .qrs where .atr marks none, and say so', async () => {
    const folder = await folderOf('qrs', {
      'a.hea': header('a'),
      'a.dat': wave,
      'a.atr': annotations([5, 28]),
      'a.qrs': annotations([200, 1], [300, 1]),
    });
    const dataset = await openDataset(folder, OPTIONS);
    expect(dataset.size).toBe(2);
    expect(dataset.remarks).toContainEqual(
      expect.stringMatching(/from \.qrs where \.atr marks none: 1 of 1/),
    );
  });

  it('are of the patients of a list beside them, and without labels for a task that is not of classes', async () => {
    const record = { dat: wave, atr: annotations([200, 1], [300, 1]) };
    const folder = await folderOf('listed', {
      'who.csv': 'record,patient_id,age\nb,x,70\na,x,70\n',
      ...Object.fromEntries(
        ['a', 'b', 'c'].flatMap((name) => [
          [`${name}.hea`, header(name)],
          [`${name}.dat`, record.dat],
          [`${name}.atr`, record.atr],
        ]),
      ),
    });
    const dataset = await openDataset(folder, OPTIONS);
    expect(dataset.patients).toEqual(['x', 'x', 'x', 'x', 'c', 'c']);
    const task = { task: 'segmentation', classes: 2, outputShape: [1, 50] } as const;
    const unlabelled = await openDataset(folder, { ...OPTIONS, ...task });
    expect(unlabelled.labels).toBeUndefined();
    expect(unlabelled.samples).toEqual(dataset.samples);
    expect(unlabelled.remarks).toContainEqual(expect.stringContaining('without labels'));
  });

  it('are of one patient each, or of that of their folder, but for the two of one man', () => {
    const mitdb = { rate: 360, frames: 650000 };
    expect(patientOf('202', mitdb)).toBe(patientOf('201', mitdb));
    expect(patientOf('202', { rate: 250, frames: 650000 })).toBe('202');
    expect(patientOf('p10/p10014354/81/r1', mitdb)).toBe('p10/p10014354');
    expect(patientOf('records100/00000/00001_lr', mitdb)).toBe('records100/00000/00001_lr');
  });
});

describe('records labelled by rhythm alone', () => {
  const files = {
    'a.hea': header('a'),
    'a.dat': wave,
    // Half a second is a window: 20 of them; the rhythm changes in the sixth and at the eleventh.
    'a.atr': annotations([50, 28, '(N\0'], [275, 28, '(AFIB'], [500, 28, '(N']),
    'b.hea': header('b'),
    'b.dat': wave,
    'b.atr': annotations([0, 28, '(AFL']),
  };

  it('give windows of one rhythm each', async () => {
    const folder = await folderOf('rhythm', files);
    const dataset = await openDataset(folder, { ...OPTIONS, classes: 3 });
    expect(dataset.classNames).toEqual(['AFIB', 'AFL', 'N']);
    expect([...dataset.labels!]).toEqual([
      ...new Array<number>(4).fill(2),
      ...new Array<number>(4).fill(0),
      ...new Array<number>(10).fill(2),
      ...new Array<number>(20).fill(1),
    ]);
    expect(dataset.passedOver).toEqual([
      { reason: 'windows before the first rhythm', count: 1, examples: ['a'] },
      { reason: 'windows in which the rhythm changes', count: 1, examples: ['a'] },
    ]);
    expect(dataset.remarks).toContainEqual(
      expect.stringMatching(/labels are rhythms, of windows of 50 .* AFIB, AFL, N/),
    );
    // The number of a rhythm does not depend on the records asked for.
    const one = await openDataset(folder, { ...OPTIONS, classes: 3, records: ['b'] });
    expect([...new Set(one.labels!)]).toEqual([1]);
    const local = await openDataset(folder, { ...OPTIONS, classes: 3, split: 'local' });
    const test = await openDataset(folder, { ...OPTIONS, classes: 3, split: 'test' });
    expect(local.size + test.size).toBe(38);
    expect(local.positions!.some((position) => test.positions!.includes(position))).toBe(false);
  });

  it('are resampled, and mapped to the classes of the network', async () => {
    const folder = await folderOf('rhythm-map', files);
    const contract = { classMap: { N: 0, AFIB: 1, AFL: null } };
    const dataset = await openDataset(folder, {
      ...OPTIONS,
      sampleShape: [1, 100],
      rate: 200,
      classes: 2,
      contract,
    });
    expect(dataset.size).toBe(18);
    expect(dataset.classNames).toEqual(['N', 'AFIB']);
    await expect(openDataset(folder, OPTIONS)).rejects.toMatchObject({ code: 'E_DATA_FIT' });
  });

  it('beside beats without kinds count where the network has other classes than beats', async () => {
    const beats = annotations([200, 1], [300, 1]);
    const folder = await folderOf('rhythm-qrs', { ...files, 'a.qrs': beats, 'b.qrs': beats });
    expect((await openDataset(folder, { ...OPTIONS, classes: 3 })).size).toBe(38);
    expect((await openDataset(folder, OPTIONS)).size).toBe(4);
    const contract = { classes: ['N', 'AFIB', 'AFL', 'J', 'T'] };
    const named = await openDataset(folder, { ...OPTIONS, contract });
    expect([...new Set(named.labels!)].sort()).toEqual([0, 1, 2]);
  });
});
