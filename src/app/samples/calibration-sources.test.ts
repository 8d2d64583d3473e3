// What `compare --local` scores on: as many samples of each kind, none of them measured on.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dataset, npyArray, writeNpz } from '../../data/index.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import type { CalibrationDraw } from '../../prune/internal.ts';
import { LONG } from '../../util/test-support/rounds.ts';
import { KeptJournal } from '../reporter.ts';
import { calibrationSources } from './calibration-sources.ts';
import { loadDraws, loadSamples, type TwoSetsOptions } from './samples.ts';
import { numbersClassifier } from './test-support/numbers.ts';

const CLASSES = 4;
const quiet = new KeptJournal();
const vector = numbersClassifier([2], CLASSES);

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-local-'));
  const count = 480;
  const x = Float32Array.from({ length: 2 * count }, (_, i) => Math.floor(i / 2));
  const y = BigInt64Array.from({ length: count }, (_, i) => BigInt(i % CLASSES));
  await writeFile(join(folder, 'xy.npz'), writeNpz({ x: npyArray([count, 2], x), y: npyArray([count], y) }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function mixes(options: Omit<TwoSetsOptions, 'data'>, seeds: readonly number[] = [1]) {
  const given = { data: join(folder, 'xy.npz'), perClass: 6, ...options };
  const sets = await loadDraws(vector, given, seeds, quiet);
  return { sets, ...(await calibrationSources(vector, given, sets, seeds, quiet)) };
}

const ids = ({ size, samples }: Dataset): number[] =>
  Array.from({ length: size }, (_, i) => samples[2 * i] ?? -1);

function counts({ calibration }: CalibrationDraw): number[] {
  return Array.from(
    { length: CLASSES },
    (_, label) => calibration.labels?.filter((other) => other === label).length ?? 0,
  );
}

describe('calibrationSources', () => {
  it('takes all classes, and those that are not local, as many samples each', async () => {
    const { draws, test, words } = await mixes({ classes: [0, 2] });
    expect(draws.map(({ mix }) => mix)).toEqual(['local', 'uniform', 'wrong']);
    expect(draws.map(counts)).toEqual([
      [6, 0, 6, 0],
      [3, 3, 3, 3],
      [0, 6, 0, 6],
    ]);
    expect(new Set(test.labels)).toEqual(new Set([0, 2]));
    const measured = new Set(ids(test));
    for (const { calibration } of draws)
      expect(ids(calibration).filter((id) => measured.has(id))).toEqual([]);
    expect(words.local).toContain('0, 2');
  });

  it('weighs by the mix, and turns it round where every class is local', async () => {
    const some = await mixes({ classPrior: { 0: 3, 1: 1 } });
    expect(some.draws.map(counts)).toEqual([
      [6, 6, 0, 0],
      [3, 3, 3, 3],
      [0, 0, 6, 6],
    ]);
    const [local, uniform] = some.draws;
    expect(local?.weights?.map((weight) => Number(weight.toFixed(9)))).toEqual(
      local?.calibration.labels &&
        Float64Array.from(local.calibration.labels, (label) => [1.5, 0.5][label] ?? 0),
    );
    expect(uniform?.weights).toBeUndefined();

    const all = await mixes({ classPrior: { 0: 4, 1: 3, 2: 2, 3: 1 } });
    const wrong = all.draws[2];
    expect(wrong?.calibration).toBe(all.sets.calibration);
    // Shares .4 .3 .2 .1 become .1 .2 .3 .4 of classes with a quarter of the samples each.
    const byClass = [0, 1, 2, 3].map(
      (label) => wrong?.weights?.[wrong.calibration.labels?.indexOf(label) ?? -1] ?? Number.NaN,
    );
    byClass.forEach((weight, label) => {
      expect(weight).toBeCloseTo(([0.1, 0.2, 0.3, 0.4][label] ?? 0) * 4, 9);
    });
  });

  it('repeats for every seed', async () => {
    const { draws, sets } = await mixes({ classes: [1] }, [1, 2, 3]);
    expect(sets.draws).toHaveLength(3);
    expect(draws.map(({ mix, seed }) => [mix, seed])).toEqual(
      [1, 2, 3].flatMap((seed) => ['local', 'uniform', 'wrong'].map((mix) => [mix, seed])),
    );
    expect(new Set(sets.draws.map((draw) => ids(draw).join())).size).toBe(3);
  });

  it('wants to know what is local, and something that is not', async () => {
    await expect(mixes({})).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(mixes({ classes: [0, 1, 2, 3] })).rejects.toMatchObject({ code: 'E_DATA' });
  });
});

const SHARED = process.env.BEDSIDE_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const MITDB = join(SHARED, 'data', 'mitdb');
const RECORDS = ['203', '208', '209', '213', '223'];

describe.skipIf(!existsSync(MITDB))('calibrationSources of a record (skipped where mitdb is missing)', () => {
  it('weighs by the mix of the record, and compares with the same classes of other records', async () => {
    const beat: Classifier = { ...vector, sampleShape: [1, 256], outputShape: [5], scores: 5, classes: 5 };
    // All records are read, so a few will do: others with beats of its classes.
    const data = join(folder, 'mitdb');
    await mkdir(data);
    for (const name of await readdir(MITDB)) {
      if (LONG || RECORDS.some((record) => name.startsWith(record)))
        await symlink(join(MITDB, name), join(data, name));
    }
    const options = { data, records: ['208'], perClass: 4 };
    const sets = await loadDraws(beat, options, [1], quiet);
    const { draws } = await calibrationSources(beat, options, sets, [1], quiet);
    const [local, uniform, wrong] = draws;
    expect(new Set(local?.calibration.origins)).toEqual(new Set(['208']));
    expect(wrong?.calibration.origins).not.toContain('208');
    const sorted = (draw: CalibrationDraw | undefined) => Array.from(draw?.calibration.labels ?? []).sort();
    expect(sorted(wrong)).toEqual(sorted(local));
    expect(uniform?.weights).toBeUndefined();

    const all = await loadSamples(beat, { data, records: ['208'] }, { split: 'local', seed: 1 }, quiet);
    const share = (label: number): number =>
      (all.labels?.filter((other) => other === label).length ?? 0) / all.size;
    const weighed = (label: number): number => {
      const { calibration, weights } = local ?? {};
      const total = weights?.reduce((sum, weight) => sum + weight, 0) ?? Number.NaN;
      return (
        (weights?.reduce((sum, weight, i) => sum + (calibration?.labels?.[i] === label ? weight : 0), 0) ??
          0) / total
      );
    };
    for (const label of [0, 1, 2, 3]) expect(weighed(label)).toBeCloseTo(share(label), 9);
  });
});
