// Damaged files of EDF, DICOM and NIfTI and damaged live signals: each is taken, or refused with a code, a sentence and a
// hint; none crashes the readers. bench/fuzz.ts --medical runs 2,000 of each kind.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDataset } from '../src/data/index.ts';
import { rounds } from '../src/util/test-support/rounds.ts';
import { fuzz } from './support/fuzz/fuzz.ts';
import { keptCorpus } from './support/fuzz/kept-corpus.ts';
import { MEDICAL_KINDS } from './support/fuzz/medical-kinds.ts';

const CASES = rounds(120, 2000);

it(`${CASES} damaged files of devices and archives, and live signals`, async () => {
  const ends = await fuzz({ first: 1, cases: CASES, limit: Number.POSITIVE_INFINITY, among: MEDICAL_KINDS });
  expect(ends.filter(({ fault }) => fault !== undefined)).toEqual([]);
  for (const { name } of MEDICAL_KINDS) {
    const own = ends.filter(({ kind }) => kind === name);
    const part = own.filter(({ how }) => how.startsWith('E_') || how === 'told');
    expect(part.length, `${name}: some are refused`).toBeGreaterThan(10);
    expect(own.filter(({ how }) => how === 'taken').length, `${name}: some are taken`).toBeGreaterThan(2);
  }
});

it.each([
  ['edf', [1, 256]],
  ['dicom', [1, 10, 12]],
  ['nifti', [1, 5, 6]],
] as const)('the kept files of %s are valid before they are damaged', async (kind, sampleShape) => {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-corpus-'));
  try {
    for (const [name, bytes] of Object.entries(keptCorpus(kind))) {
      const shape = name === 'ecg.dcm' ? [1, 200] : sampleShape;
      await writeFile(join(folder, name), bytes);
      const { size } = await openDataset(join(folder, name), {
        ...{ sampleShape: shape, classes: 5, split: 'all', seed: 1 },
      });
      expect(size, name).toBeGreaterThan(0);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
