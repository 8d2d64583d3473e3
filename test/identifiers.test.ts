// What names a patient in a file of a device or an archive appears in nothing that is written: answers, remarks, errors,
// files, bundles, audit lines, metrics.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBundle } from '../src/bundle/index.ts';
import { runHere } from '../src/cli/test-support/in-process.ts';
import { ecgFile } from '../src/data/test-support/dicom-ecg.ts';
import { dicomFile, imageElements, MARKS } from '../src/data/test-support/dicom-file.ts';
import { edfFile } from '../src/data/test-support/edf-file.ts';
import { niftiFile } from '../src/data/test-support/nifti-file.ts';
import { serve } from '../src/gateway/index.ts';
import { writeSeeds } from './support/fuzz/seeds.ts';

/** Marks of DICOM, and those of the two fields and the free text of EDF. */
const ALL = [...MARKS, 'MARKEDFNAME', '02-FEB-1904', 'MARKEDFREC', 'MARKEDFNOTE', 'MARKNIFTI'];

/** In names of files: they are named to whoever gave them, and kept nowhere. */
const FILE = 'MARKFILE';

let folder = '';
let said = '';
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-marks-'));
  for (const name of [
    'valid',
    'edf',
    'dicom',
    'dicom/c0',
    'dicom/c1',
    'dicom/c2',
    'ecg',
    'nifti',
    'nifti/c0',
    'nifti/c1',
    'nifti/c2',
    'bad',
    'log',
  ])
    await mkdir(at(name));
  await writeSeeds(at('valid'));
  await writeFile(at(`edf/${FILE}_A.edf`), recording());
  await writeFile(at(`edf/${FILE}_B.edf`), recording());
  for (const [i, label] of ['c0', 'c1', 'c2', 'c0', 'c1', 'c2'].entries())
    await writeFile(at(`dicom/${label}/${i}.dcm`), object(i));
  const values = Array.from({ length: 192 }, (_, i) => i);
  const volume = niftiFile({ size: [8, 8, 3], values, type: 'uint8', description: 'MARKNIFTI' });
  for (const label of ['c0', 'c1', 'c2']) await writeFile(at(`nifti/${label}/v.nii`), volume);
  const group = { rate: 360, leads: ['I', 'II'], length: 800, unit: 'uV', sensitivity: 2.5, baseline: 0 };
  await writeFile(at('ecg/e.dcm'), ecgFile([group]));
  await writeFile(at('bad/a.dcm'), object(1).subarray(0, 900));
  await writeFile(at('bad/b.edf'), recording().subarray(0, 3000));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function recording(): Uint8Array {
  const samples = Array.from({ length: 3600 }, (_, i) => Math.sin(i / 20) + (i % 180 === 90 ? 2 : 0));
  // All classes in every third, so that a network that guesses is right now and then.
  const beats = Array.from({ length: 15 }, (_, i) => ({ time: 1 + i / 2, text: 'NAVFQ'[i % 5] ?? '' }));
  return edfFile({
    signals: [{ label: 'ECG II', unit: 'mV', perRecord: 360, samples, physical: [-4, 4] }],
    annotations: [...beats, { time: 3.5, seconds: 2, text: 'MARKEDFNOTE called' }],
    patient: 'MARKMRN77 F 02-FEB-1904 MARKEDFNAME_TEST',
    recording: 'Startdate 31-JAN-2026 MARKEDFREC MARKACC88 X',
  });
}

function object(seed: number): Uint8Array {
  const pixels = Array.from({ length: 192 }, (_, i) => (i * (seed + 3)) % 256);
  return dicomFile(imageElements({ rows: 8, columns: 8, samples: 3, bitsAllocated: 8, pixels }));
}

const marked = (text: string): string[] => ALL.filter((mark) => text.includes(mark));

async function run(status: number, ...words: string[]): Promise<void> {
  for (const form of ['pack', 'prune'].includes(words[0] ?? '') ? [['--json']] : [['--json'], []]) {
    const ran = await runHere([...words, ...form]);
    expect(ran.status, `${words.join(' ')}: ${ran.stderr}${ran.stdout}`).toBe(status);
    said += ran.stdout + ran.stderr;
  }
}

it('commands say and write nothing that names a patient', async () => {
  const [image, beats] = [at('valid/image.onnx'), at('valid/beats.onnx')];
  await run(0, 'evaluate', image, '--data', at('dicom'), '--split', 'all');
  await run(0, 'evaluate', image, '--data', at('nifti'), '--split', 'all');
  await run(0, 'evaluate', beats, '--data', at('edf'), '--split', 'all');
  await run(0, 'explain', beats, '--data', at('ecg'), '--criterion', 'activation', '--out', at('ecg.json'));
  await run(0, 'evaluate', beats, '--data', at('edf'), '--preview', at('preview'));
  await run(
    0,
    'prune',
    image,
    '--data',
    at('dicom'),
    '--ratio',
    '.5',
    '--block',
    '1',
    '--no-speed',
    '--per-class',
    '1',
    '--out',
    at('small.onnx'),
  );
  const quick = [
    '--ratios',
    '.5',
    '--variants',
    '2',
    '--no-measure',
    '--no-low-rank',
    '--block',
    '1',
    '--per-class',
    '2',
    '--validation-per-class',
    '2',
  ];
  await run(0, 'pack', beats, '--data', at('edf'), ...quick, '--out', at('packed'));
  await run(1, 'evaluate', image, '--data', at('bad/a.dcm'));
  await run(1, 'evaluate', beats, '--data', at('bad/b.edf'));
  expect(marked(said)).toEqual([]);
}, 60_000);

it('the gateway answers, logs and counts without it', async () => {
  const bundle = await openBundle(at('packed'));
  const gateway = await serve([bundle], {
    port: 0,
    workers: 1,
    measure: false,
    audit: at('log'),
    bodyLimit: 1e6,
  });
  try {
    const post = async (type: string, body: Uint8Array): Promise<number> => {
      const url = `${gateway.url}/v2/models/${bundle.manifest.name}/infer`;
      const response = await fetch(url, {
        method: 'POST',
        body: body as unknown as string,
        headers: { 'content-type': type },
      });
      said += await response.text();
      return response.status;
    };
    expect(await post('application/edf', recording())).toBe(200);
    expect(
      await post(
        'application/dicom',
        ecgFile([{ rate: 360, leads: ['II'], length: 800, unit: 'uV', sensitivity: 1, baseline: 0 }]),
      ),
    ).toBe(200);
    expect(await post('application/edf', recording().subarray(0, 3000))).toBe(400);
    expect(await post('application/dicom', object(1))).toBe(400);
    said += await (await fetch(`${gateway.url}/metrics`)).text();
  } finally {
    await gateway.close();
  }
  expect(marked(said)).toEqual([]);
}, 60_000);

it('no file that was written has it', async () => {
  for (const parent of ['preview', 'packed', 'log']) {
    // Pages name samples by their files.
    const marks = parent === 'preview' ? ALL : [...ALL, FILE];
    const names = await readdir(at(parent), { recursive: true, withFileTypes: true });
    expect(names.length, parent).toBeGreaterThan(0);
    for (const entry of names.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      const text = (await readFile(path)).toString('latin1');
      expect(
        marks.filter((mark) => text.includes(mark)),
        path,
      ).toEqual([]);
    }
  }
  expect(marked((await readFile(at('small.onnx'))).toString('latin1'))).toEqual([]);
});
