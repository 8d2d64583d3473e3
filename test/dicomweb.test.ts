// Images of an Orthanc, answered by a bundle in this process, by a gateway, and by processes that are killed on the way.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerStudies, type StudiesOptions } from 'bedside';
import { openBundle } from 'bedside/bundle';
import { createSession, tensor } from 'bedside/engine';
import { serve } from 'bedside/gateway';
import { canonicalModel } from 'bedside/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayAnswerer, LocalAnswerer } from '../src/app/internal.ts';
import { writeBundle } from '../src/bundle/internal.ts';
import { contentsOf } from '../src/bundle/test-support/contents.ts';
import { DICOMWEB_PLUGIN, Orthanc } from '../src/interop/test-support/orthanc.ts';
import { MARKS, type StudyOptions, testInstance } from '../src/interop/test-support/study.ts';
import { Random } from '../src/util/internal.ts';
import { type Cli, compileCli, smallModel } from './support/cli.ts';

if (DICOMWEB_PLUGIN === undefined) console.log('skipped: an archive needs Orthanc with its DICOMweb plug-in');
const hasTools = spawnSync('dciodvfy', ['--version']).error === undefined;

const SIZE = 8;
const random = new Random(5);
const picture = (): Uint8Array => Uint8Array.from({ length: SIZE * SIZE }, () => random.integer(256));
const image = (study: string, more: StudyOptions = {}): Promise<Uint8Array> =>
  testInstance({ study, width: SIZE, height: SIZE, pixels: picture(), ...more });

describe.skipIf(DICOMWEB_PLUGIN === undefined)('an archive', () => {
  let folder: string;
  let bundle: string;
  let orthanc: Orthanc;
  let options: StudiesOptions;
  const model = canonicalModel(smallModel());

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-dicomweb-'));
    bundle = join(folder, 'images');
    await writeBundle(bundle, contentsOf(model, { name: 'small' }));
    orthanc = await Orthanc.start();
    options = { archive: { url: orthanc.url, basic: async () => orthanc.login } };
  });
  afterAll(async () => {
    await orthanc?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** What bedside stored, by study. */
  const stored = async (modality: string): Promise<Record<string, unknown>[]> =>
    (await orthanc.instances()).filter((own) => own.Manufacturer === 'bedside' && own.Modality === modality);

  it('has its images answered, and reports beside them, that say what the network says', async () => {
    const pixels = picture();
    await orthanc.add(await image('one', { pixels }));
    for (const [i, instance] of ['a', 'b', 'c'].entries())
      await orthanc.add(await image('three', { instance, more: { InstanceNumber: String(i + 1) } }));
    const notes: string[] = [];
    const fhir = join(folder, 'fhir');
    const result = await answerStudies(
      bundle,
      { ...options, images: 2, fhir: { target: fhir } },
      { note: (text) => notes.push(text), progress: () => {} },
    );
    expect(result).toMatchObject({
      ...{ studies: 2, answered: 2, already: 0, passedOver: 0, failed: {}, images: 3, heatMaps: 3 },
      fhir: { delivered: 3, waiting: 0, refused: 0 },
    });
    const reports = await stored('SR');
    expect(reports.length).toBe(2);
    expect((await stored('OT')).length).toBe(3);
    for (const own of reports) {
      expect(own).toMatchObject({ PatientID: MARKS.PatientID, AccessionNumber: MARKS.AccessionNumber });
      expect(own).toMatchObject({ VerificationFlag: 'UNVERIFIED', PreliminaryFlag: 'PRELIMINARY' });
    }

    // The same image through the network alone: stored values divided by white.
    const session = await createSession(model, { name: 'small' });
    const input = tensor(
      Float32Array.from(pixels, (own) => own / 255),
      [1, 1, SIZE, SIZE],
    );
    const [output] = Object.values(await session.run({ [model.graph.inputs[0]?.name ?? '']: input }));
    await session.release();
    const exp = Array.from(output?.data as Float32Array, Math.exp);
    const sum = exp.reduce((a, b) => a + b);
    const one = reports.find((own) => JSON.stringify(own).split('Certainty of Finding').length - 1 === 3);
    const said = [...JSON.stringify(one).matchAll(/"NumericValue":"([\d.e-]+)"/g)].map(([, value]) =>
      Number(value),
    );
    expect(said.length).toBe(3);
    for (const [i, value] of said.entries()) expect(value).toBeCloseTo((100 * (exp[i] ?? 0)) / sum, 3);

    // Nothing of the patient is anywhere but in the archive.
    const files = await readdir(fhir);
    expect(files.length).toBe(3);
    const texts = await Promise.all(files.map((name) => readFile(join(fhir, name), 'utf8')));
    const told = [...notes, ...files, ...texts, JSON.stringify(result)].join('\n');
    for (const mark of Object.values(MARKS)) expect(told).not.toContain(mark);
    expect(texts.join()).toContain('Image 1 of 3 of its study.');
    expect(told).not.toContain('NÄME');
  });

  it('has frames of an image with several answered: in this process and by a gateway alike', async () => {
    const [frames, name] = [3, 'several frames'];
    const pixels = Uint8Array.from({ length: frames * SIZE * SIZE }, () => random.integer(256));
    // Multi-frame Grayscale Byte Secondary Capture Image.
    const more = {
      NumberOfFrames: String(frames),
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.7.2',
      FrameIncrementPointer: '00181063',
      FrameTime: '40',
    };
    await orthanc.add(await image(name, { pixels, more }));
    const before = (await stored('SR')).length;
    const fhir = join(folder, 'fhir-frames');
    const here = { ...options, images: 2, fhir: { target: fhir } };
    const result = await answerStudies(bundle, here);
    expect(result).toMatchObject({ answered: 1, images: 2, heatMaps: 2 });
    expect(result.remarks.join()).toContain('reports call them by number, such as class 0');
    const report = (await stored('SR')).slice(before).map((own) => JSON.stringify(own))[0] ?? '';
    expect(
      new Set([...report.matchAll(/"ReferencedFrameNumber":"(\d)"/g)].map(([, frame]) => frame)),
    ).toEqual(new Set(['1', '3']));
    const texts = await Promise.all((await readdir(fhir)).map((file) => readFile(join(fhir, file), 'utf8')));
    expect(texts.length).toBe(2);
    for (const frame of [1, 3]) expect(texts.join()).toContain(`Frame ${frame} of 3 of its image.`);

    const bytes = await testInstance({ study: name, width: SIZE, height: SIZE, pixels, more });
    const opened = await openBundle(bundle);
    const local = await LocalAnswerer.open(opened, undefined);
    const gateway = await serve([opened], {
      port: 0,
      workers: 1,
      measure: false,
      dashboard: false,
      levels: opened.manifest.groups.map(() => 0),
    });
    const remote = await GatewayAnswerer.open(opened, { url: gateway.url });
    const { signal } = new AbortController();
    try {
      const seen = new Set<string>();
      for (let index = 0; index < frames; index++) {
        const [one, two] = await Promise.all(
          [local, remote].map((own) => own.answer(bytes, signal, { index, of: frames })),
        );
        // Stored values divided by white, of this frame alone.
        const expected = Array.from(pixels.subarray(index * SIZE * SIZE, (index + 1) * SIZE * SIZE), (own) =>
          Math.fround(own / 255),
        );
        expect([...(one?.sample ?? [])]).toEqual(expected);
        for (const [i, score] of [...(one?.scores ?? [])].entries())
          expect(two?.scores[i]).toBeCloseTo(score, 5);
        for (const [i, value] of [...(one?.relevance ?? [])].entries())
          expect(two?.relevance?.[i]).toBeCloseTo(value, 4);
        seen.add(String(one?.scores));
      }
      expect(seen.size).toBe(frames);
      await expect(local.answer(bytes, signal)).rejects.toMatchObject({ code: 'E_DATA' });
    } finally {
      await local[Symbol.asyncDispose]();
      await gateway.close();
    }
  });

  it.skipIf(!hasTools)('stores objects without an error for dciodvfy', async () => {
    const ids = (await orthanc.get('/instances')) as string[];
    let checked = 0;
    for (const id of ids) {
      const bytes = await orthanc.file(id);
      if (!Buffer.from(bytes).includes('Preliminary')) continue;
      const path = join(folder, 'object.dcm');
      await writeFile(path, bytes);
      const { stdout, stderr } = spawnSync('dciodvfy', [path], { encoding: 'utf8' });
      expect(`${stdout}${stderr}`).not.toMatch(/^Error/m);
      checked++;
    }
    expect(checked).toBe(8);
  });

  it('has nothing answered twice, and what cannot be answered is told by its reason', async () => {
    const before = (await orthanc.instances()).length;
    await orthanc.add(await image('short', { more: { Rows: 4000 } }));
    await orthanc.add(await image('report', { more: { Modality: 'KO' } }));
    const result = await answerStudies(bundle, options);
    expect(result).toMatchObject({
      studies: 5,
      answered: 0,
      already: 3,
      passedOver: 1,
      failed: { E_DATA: 1 },
    });
    expect((await orthanc.instances()).length).toBe(before + 2);
    expect(await answerStudies(bundle, { ...options, modality: 'DX' })).toMatchObject({ studies: 0 });
  });

  it('is refused without its password, and when it is not there, by name', async () => {
    await expect(answerStudies(bundle, { archive: { url: orthanc.url } })).rejects.toMatchObject({
      code: 'E_AUTH',
    });
    const archive = { url: 'http://127.0.0.1:9/dicom-web' };
    await expect(answerStudies(bundle, { archive })).rejects.toMatchObject({ code: 'E_FABRIC' });
    await expect(
      answerStudies(bundle, { archive: { url: 'http://pacs.example.org' } }),
    ).rejects.toMatchObject({
      code: 'E_USAGE',
    });
  });

  it('has its images answered by a gateway, which plans them', async () => {
    const pixels = picture();
    await orthanc.add(await image('by a gateway', { pixels }));
    const audit = join(folder, 'audit');
    await mkdir(audit);
    const gateway = await serve([bundle], { port: 0, workers: 1, dashboard: false, audit });
    let told = '';
    try {
      const result = await answerStudies(bundle, { ...options, gateway: { url: gateway.url } });
      expect(result).toMatchObject({ answered: 1, images: 1, heatMaps: 1 });
      told = JSON.stringify(result) + (await (await fetch(`${gateway.url}/metrics`)).text());
    } finally {
      await gateway.close();
    }
    for (const name of await readdir(audit)) told += await readFile(join(audit, name), 'utf8');
    expect(told).toContain('small');
    for (const mark of Object.values(MARKS)) expect(told).not.toContain(mark);
    const reports = JSON.stringify(await stored('SR'));
    expect(reports).toContain('chosen by the gateway');
  });

  describe('that is watched', () => {
    let cli: Cli;
    beforeAll(async () => {
      cli = await compileCli();
    });

    it('has each study that arrives answered once, by processes that are killed', async () => {
      const first = (await stored('SR')).length;
      const words = [
        'dicomweb',
        orthanc.url,
        bundle,
        '--watch',
        '--interval',
        '0.1',
        '--no-heat-maps',
        '--json',
      ];
      const start = () => cli.spawn(words, folder, { BEDSIDE_DICOMWEB_LOGIN: orthanc.login });
      const reports = async (count: number): Promise<void> => {
        for (let i = 0; i < 600 && (await orthanc.countSeries('SR')) < first + count; i++) await sleep(50);
        expect(await orthanc.countSeries('SR')).toBe(first + count);
      };
      const add = async (from: number, to: number): Promise<void> => {
        for (let i = from; i < to; i++) await orthanc.add(await image(`arriving ${i}`));
      };
      const killed = start();
      const ended = new Promise((done) => killed.once('exit', done));
      await add(0, 3);
      for (let i = 0; i < 600 && (await orthanc.countSeries('SR')) < first + 1; i++) await sleep(20);
      killed.kill('SIGKILL');
      await ended;
      await add(3, 4);
      const second = start();
      let [said, noted] = ['', ''];
      second.stdout?.on('data', (text) => {
        said += text;
      });
      second.stderr?.on('data', (text) => {
        noted += text;
      });
      const stopped = new Promise((done) => second.once('exit', done));
      await reports(4);
      // An archive that restarts is waited for.
      await orthanc.stop('SIGTERM');
      await sleep(300);
      await orthanc.run();
      await add(4, 5);
      await reports(5);
      second.kill('SIGTERM');
      await stopped;
      const result = JSON.parse(said) as { answered: number; already: number };
      expect(result.answered).toBeGreaterThanOrEqual(2);
      expect(result.answered + result.already).toBeGreaterThanOrEqual(first + 5);
      expect(noted).toContain('asked again');
      for (const mark of Object.values(MARKS)) expect(said + noted).not.toContain(mark);
      const studies = (await stored('SR')).map((own) => own.StudyInstanceUID);
      expect(new Set(studies).size).toBe(studies.length);
    });
  });
});
