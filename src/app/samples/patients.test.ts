// Whose the samples are: a remark where scoring and measuring share patients, and splits that do not.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npyArray, openDataset, writeNpz } from '../../data/index.ts';
import { KeptJournal } from '../reporter.ts';
import { localDraws } from './local-draws.ts';
import { loadTwoSets } from './samples.ts';
import { numbersClassifier } from './test-support/numbers.ts';

const CLASSES = 2;
const vector = numbersClassifier([1], CLASSES);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-patients-'));
  const count = 240;
  const x = npyArray(
    [count, 1],
    Float32Array.from({ length: count }, (_, i) => i),
  );
  const y = npyArray(
    [count],
    Int32Array.from({ length: count }, (_, i) => i % CLASSES),
  );
  const patients = npyArray(
    [count],
    Int32Array.from({ length: count }, (_, i) => Math.floor(i / 20)),
  );
  await writeFile(join(folder, 'd.npz'), writeNpz({ x, y, patients }));
  await writeFile(join(folder, 'none.npz'), writeNpz({ x, y }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const REMARK = /of 12 patients .* scored with too/;

describe('patients', () => {
  it('that are scored and measured with are told, of files and of samples in memory', async () => {
    const path = join(folder, 'd.npz');
    const memory = await openDataset(path, { sampleShape: [1], classes: 2, split: 'all', seed: 1 });
    for (const data of [path, memory]) {
      const journal = new KeptJournal();
      await loadTwoSets(vector, { data }, 1, journal);
      expect(journal.said().remarks).toContainEqual(expect.stringMatching(REMARK));
      const apart = new KeptJournal();
      const { calibration, test } = await loadTwoSets(vector, { data, splitBy: 'patient' }, 1, apart);
      expect(apart.said().remarks ?? []).toEqual([]);
      expect(new Set([...calibration.patients!, ...test.patients!]).size).toBe(12);
    }
  });

  it('are kept apart by the draws of a bundle too', async () => {
    const data = join(folder, 'd.npz');
    const journal = new KeptJournal();
    const { calibration, validation } = await localDraws(vector, { data, splitBy: 'patient' }, 1, journal);
    expect(journal.said().remarks ?? []).toEqual([]);
    expect(calibration.patients!.some((patient) => validation.patients!.includes(patient))).toBe(false);
  });

  it('must be known to be kept apart', async () => {
    const data = join(folder, 'none.npz');
    const journal = new KeptJournal();
    await expect(loadTwoSets(vector, { data, splitBy: 'patient' }, 1, journal)).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringContaining('does not say which patient'),
    });
    await loadTwoSets(vector, { data }, 1, journal);
    expect(journal.said().remarks ?? []).toEqual([]);
  });
});
