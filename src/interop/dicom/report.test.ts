// Structured reports and heat maps: against dciodvfy, dsrdump and dcmdump, where they are installed, and read back.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SampleResult } from '../result.ts';
import { IMAGE } from '../test-support/results.ts';
import { MARKS, type StudyOptions, testInstance } from '../test-support/study.ts';
import { loadDcmjs } from './file.ts';
import { dotsOf } from './font.ts';
import { heatMapCapture, NOT_FOR_USE, type RgbPicture, withText } from './heat-map.ts';
import { measurementReport } from './report.ts';
import { readSource } from './source.ts';
import { isUid, uidOf } from './uid.ts';

const has = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined;
const hasTools = has('dciodvfy') && has('dsrdump') && has('dcmdump');
if (!hasTools)
  console.log('skipped: checks of DICOM objects need dciodvfy (dicom3tools), dsrdump and dcmdump (dcmtk)');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-sr-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a tool says of a file, on both of its outputs. */
function told(tool: string, bytes: Uint8Array, args: readonly string[] = []): string {
  const path = join(folder, 'object.dcm');
  writeFileSync(path, bytes);
  const { stdout, stderr, status } = spawnSync(tool, [...args, path], { encoding: 'utf8' });
  return `${stdout}${stderr}${status === 0 ? '' : `status ${status}`}`;
}

const report = async (options: StudyOptions = {}, own: Partial<SampleResult> = {}) =>
  await measurementReport([
    { result: { ...IMAGE, ...own }, source: await readSource(await testInstance(options)) },
  ]);

const picture = { width: 64, height: 48, rgb: Uint8Array.from({ length: 3 * 64 * 48 }, (_, i) => i % 251) };
const capture = async (options: StudyOptions = {}, said: readonly string[] = ['FOR: CHESTCT (91.2 %)']) =>
  await heatMapCapture(
    { result: IMAGE, source: await readSource(await testInstance(options)) },
    picture,
    said,
  );

/** Attributes by keyword. */
async function read(bytes: Uint8Array): Promise<Record<string, unknown>> {
  const { data } = await loadDcmjs();
  const { dict } = data.DicomMessage.readFile(new Uint8Array(bytes).buffer);
  return data.DicomMetaDictionary.naturalizeDataset(dict);
}

const VARIANTS: readonly (readonly [string, StudyOptions, Partial<SampleResult>])[] = [
  ['classes that exclude each other', {}, {}],
  ['values', {}, { parts: [{ name: 'age, years', value: -61.25, found: true }] }],
  [
    'labels of which none is found',
    {},
    { exclusive: false, parts: IMAGE.parts.map((own) => ({ ...own, found: false })) },
  ],
  [
    'names that DICOM does not take as they are',
    {},
    { parts: [{ name: `a\\b\n${'long '.repeat(40)}é`, probability: 1, found: true }] },
  ],
  [
    'a study that says little',
    { more: { PatientName: '', PatientID: '', AccessionNumber: '', StudyDescription: '' } },
    {},
  ],
];

describe.skipIf(!hasTools)('a structured report', () => {
  it.each(VARIANTS)(
    'has no error for dciodvfy, and is read by dsrdump and dcmdump: %s',
    async (_, options, own) => {
      const { bytes } = await report(options, own);
      expect(told('dciodvfy', bytes)).not.toMatch(/^Error/m);
      expect(told('dcmdump', bytes, ['-q'])).not.toMatch(/^[EW]:|status/m);
      const said = told('dsrdump', bytes, ['+Pl']);
      expect(said).not.toMatch(/^E:|status/m);
      expect(said).toContain('Preliminary Flag    : PRELIMINARY');
      expect(said).toContain('Completion Flag     : PARTIAL');
      expect(said).toContain('Verification Flag   : UNVERIFIED');
    },
  );

  it('says class, certainty, and what gave it', async () => {
    const said = told('dsrdump', (await report()).bytes, ['+Pl', '+Pc']);
    expect(said).toMatch(/"Finding"\)=\(\w{12},99BEDSIDE,"ChestCT"\)/);
    expect(said).toMatch(/"Certainty of Finding"\)="91\.2346" \(%,UCUM/);
    expect(said).toContain(`="levels 0,0, chosen by none: the unpruned network"`);
    expect(said).toContain(IMAGE.by.bundle.sha256);
  });
});

describe.skipIf(!hasTools)('a structured report of several images', () => {
  it('names each of them in its library and its evidence', async () => {
    const sources = await Promise.all(
      ['a', 'b', 'c'].map(async (instance) => await readSource(await testInstance({ instance }))),
    );
    const { bytes } = await measurementReport(sources.map((source) => ({ result: IMAGE, source })));
    expect(told('dciodvfy', bytes)).not.toMatch(/^Error/m);
    const dumped = told('dcmdump', bytes, ['-q']);
    // Evidence, library, and two classes of each.
    for (const { instanceUid } of sources) expect(dumped.split(instanceUid).length - 1).toBe(4);
  });
});

describe.skipIf(!hasTools)('a heat map', () => {
  it.each([
    ['as it is', {}],
    ['of a study that says little', { more: { PatientName: '', PatientID: '', StudyDate: '' } }],
  ])('has no error for dciodvfy and dcmdump: %s', async (_, options) => {
    const { bytes } = await capture(options);
    expect(told('dciodvfy', bytes)).not.toMatch(/^Error/m);
    expect(told('dcmdump', bytes, ['-q'])).not.toMatch(/^[EW]:|status/m);
  });
});

describe('objects for a study', () => {
  it('are of its study, patient and request, and of series of their own', async () => {
    const source = await readSource(await testInstance());
    const [sr, map] = await Promise.all([report(), capture()]);
    const [first, second] = await Promise.all([read(sr.bytes), read(map.bytes)]);
    for (const own of [first, second]) {
      expect(own.StudyInstanceUID).toBe(source.studyUid);
      for (const name of ['PatientID', 'PatientBirthDate', 'AccessionNumber'] as const)
        expect(own[name]).toBe(MARKS[name]);
      expect(JSON.stringify(own.PatientName)).toContain(MARKS.PatientName);
      expect(own.SeriesInstanceUID).not.toBe(source.seriesUid);
    }
    expect(first.SeriesInstanceUID).not.toBe(second.SeriesInstanceUID);
    expect(first.Modality).toBe('SR');
    expect(JSON.stringify(second.SourceImageSequence)).toContain(source.instanceUid);
  });

  it('have the same identifiers when they are made again, and others for another result', async () => {
    expect((await report()).instanceUid).toBe((await report()).instanceUid);
    const by = { ...IMAGE.by, bundle: { ...IMAGE.by.bundle, sha256: 'd4'.repeat(32) } };
    expect((await report({}, { by })).instanceUid).not.toBe((await report()).instanceUid);
    for (let i = 0; i < 200; i++) expect(isUid(uidOf(String(i)))).toBe(true);
    expect([isUid('1.2.03'), isUid('1.2.'), isUid('x'), isUid(`1.${'2'.repeat(64)}`), isUid(5)]).toEqual(
      Array(5).fill(false),
    );
  });

  it('are refused for what is no DICOM file, or has no identifiers, without repeating it', async () => {
    const bytes = await testInstance();
    const refused = async (own: Uint8Array): Promise<void> => {
      const error: unknown = await readSource(own).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(error).toMatchObject({ code: 'E_DATA' });
      for (const mark of Object.values(MARKS)) expect(JSON.stringify(error)).not.toContain(mark);
    };
    await refused(new TextEncoder().encode('PatientName=NÄME^TEST'));
    await refused(bytes.subarray(0, 300));
    await refused(await testInstance({ more: { SeriesInstanceUID: 'MRN-TEST-4711' } }));
    await expect(report({}, { parts: [] })).rejects.toMatchObject({ code: 'E_UNSUPPORTED' });
  });
});

describe('text in a picture', () => {
  const lit = ({ width, rgb }: { width: number; rgb: Uint8Array }, x: number, y: number) =>
    rgb[3 * (y * width + x)] === 255;

  it('is the warning, in dots, under the enlarged picture', () => {
    const black = { width: 100, height: 20, rgb: new Uint8Array(6000) };
    const out = withText(black, [NOT_FOR_USE]);
    expect([out.width, out.rgb.length % 2]).toEqual([400, 0]);
    const { dots, width } = dotsOf(NOT_FOR_USE);
    expect(width).toBe(119);
    const scale = 3;
    for (let y = 0; y < 7; y++) {
      for (let x = 0; x < width; x++)
        expect(lit(out, 6 + scale * x + 1, 80 + 6 + scale * y + 1)).toBe(dots[y]?.[x]);
    }
    const shown = dotsOf('NO').dots.map((row) => row.map((dot) => (dot ? '#' : '.')).join(''));
    expect(shown).toEqual([
      '#...#..###.',
      '##..#.#...#',
      '#.#.#.#...#',
      '#.#.#.#...#',
      '#..##.#...#',
      '#...#.#...#',
      '#...#..###.',
    ]);
  });

  it('goes on in the next line where a picture is too narrow', () => {
    const narrow = { width: 50, height: 4, rgb: new Uint8Array(600) };
    const [first, second] = ['PRELIMINARY, BY AN', 'ALGORITHM'];
    const whole = withText(narrow, [NOT_FOR_USE, `${first} ${second}`]);
    const same = (a: RgbPicture, b: RgbPicture): boolean =>
      a.height === b.height && Buffer.compare(a.rgb, b.rgb) === 0;
    expect(same(whole, withText(narrow, [NOT_FOR_USE, first, second]))).toBe(true);
    const long = withText(narrow, ['W'.repeat(50)]);
    expect(same(long, withText(narrow, ['W'.repeat(21), 'W'.repeat(21), 'W'.repeat(8)]))).toBe(true);
    expect(withText(narrow, ['W'.repeat(9999)]).height).toBeLessThan(600);
  });

  it('keeps the picture', () => {
    const out = withText(picture, [NOT_FOR_USE, 'W'.repeat(500)]);
    expect(out.rgb.subarray(3 * 6, 3 * 6 + 3)).toEqual(picture.rgb.subarray(3, 6));
    expect(out.rgb.length).toBe(2 * Math.ceil((3 * out.width * out.height) / 2));
    expect(() => withText({ width: 0, height: 1, rgb: new Uint8Array(0) }, [])).toThrow(
      expect.objectContaining({ code: 'E_DATA' }),
    );
    expect(() => withText({ width: 5000, height: 1, rgb: new Uint8Array(15000) }, [])).toThrow();
  });
});
