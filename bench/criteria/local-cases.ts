// The cases of the local study: patients of mitdb, and pairs of classes of medical-mnist; with the samples that each
// mix of classes would score from.
import { type Dataset, openDataset, subset } from '../../src/data/index.ts';
import { classPrior, selectIndices } from '../../src/data/internal.ts';
import { must } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import { dataPath } from '../lib/shared.ts';
import { StudiedModel } from './studied-model.ts';

/** Where the scored samples come from. */
export const MIXES = ['local', 'local-balanced', 'uniform', 'wrong'] as const;
export type Mix = (typeof MIXES)[number];

/** Samples scored for a patient, and for each class of a pair. */
export const PATIENT_SAMPLES = 60;
export const PAIR_PER_CLASS = 10;

const PATIENTS = 10;
/** What the second most frequent class must have in the local split, and in the test split. */
const SECOND_LOCAL = 20;
const SECOND_TEST = 5;

/** One place with its own mix of classes. */
export interface LocalCase {
  readonly name: string;
  /** Which classes it has, and how many of each. */
  readonly detail: string;
  /** Its test samples, as indices into the study's. */
  readonly test: Int32Array;
  readonly mixes: readonly Mix[];
  /** The samples that are scored; for `uniform` the same for every case. */
  draw(mix: Mix, seed: number): Dataset;
}

/** A model with its cases. */
export interface LocalStudy {
  readonly name: string;
  readonly studied: StudiedModel;
  /** Test samples of all cases. */
  readonly test: Dataset;
  /** What the uncut model says of them. */
  readonly base: Int32Array;
  readonly cases: readonly LocalCase[];
}

/** The patients of mitdb whose second class is the most frequent. */
export async function patients(): Promise<LocalStudy> {
  const studied = await StudiedModel.open('ecg-resnet1d');
  const { local } = studied;
  const { sampleShape, classNames } = local;
  const classes = classNames.length;
  const all = await openDataset(dataPath('mitdb'), { sampleShape, classes, split: 'test', seed: 1 });
  const locally = byOrigin(local);
  const later = byOrigin(all);
  const chosen = [...locally]
    .map(([record, own]) => {
      const counts = countsOf(local, own, classes);
      const test = must(later.get(record), 'a record without a test split');
      const [, second] = [...counts.keys()].sort((a, b) => (counts[b] as number) - (counts[a] as number));
      const label = must(second, 'a single class');
      return { record, own, counts, test, seconds: [counts[label], countsOf(all, test, classes)[label]] };
    })
    .filter(({ seconds: [here = 0, there = 0] }) => here >= SECOND_LOCAL && there >= SECOND_TEST)
    .sort((a, b) => (b.seconds[0] ?? 0) - (a.seconds[0] ?? 0))
    .slice(0, PATIENTS)
    .sort((a, b) => a.record.localeCompare(b.record));
  const test = subset(
    all,
    chosen.flatMap((patient) => [...patient.test]),
  );
  const places = byOrigin(test);
  const everything = Int32Array.from(must(local.labels, 'beats without labels').keys());
  return {
    name: 'patients of mitdb',
    studied,
    test,
    base: (await studied.evaluate(studied.model, test)).predictions,
    cases: chosen.map(({ record, own, counts }): LocalCase => {
      const present = presentIn(counts);
      const absent = classNames.flatMap((_, label) => (counts[label] === 0 ? [label] : []));
      const others = everything.filter((i) => local.origins?.[i] !== record);
      const indices = must(places.get(record), 'a patient without test beats');
      const tested = countsOf(test, indices, classes);
      return {
        name: record,
        detail: present.map((label) => `${classNames[label]} ${counts[label]}/${tested[label]}`).join(', '),
        test: indices,
        mixes: absent.length > 0 ? MIXES : MIXES.filter((mix) => mix !== 'wrong'),
        draw(mix, seed) {
          switch (mix) {
            case 'local':
              return naturally(local, own, PATIENT_SAMPLES, seed);
            case 'local-balanced':
              return evenly(local, own, present, PATIENT_SAMPLES, seed);
            case 'uniform':
              return evenly(local, everything, [...classNames.keys()], PATIENT_SAMPLES, seed);
            case 'wrong':
              return evenly(local, others, absent, PATIENT_SAMPLES, seed);
          }
        },
      };
    }),
  };
}

/** All pairs of classes of medical-mnist. */
export async function pairs(model: string): Promise<LocalStudy> {
  const studied = await StudiedModel.open(model);
  const { local, test } = studied;
  const { classNames } = local;
  const labels = must(test.labels, 'images without labels');
  const all = [...classNames.keys()];
  const everything = Int32Array.from({ length: local.size }, (_, i) => i);
  return {
    name: `pairs of medical-mnist, ${model}`,
    studied,
    test,
    base: studied.base.predictions,
    cases: all.flatMap((a) =>
      all
        .filter((b) => b > a)
        .map((b): LocalCase => {
          const chosen: Readonly<Record<Mix, readonly number[]>> = {
            local: [a, b],
            'local-balanced': [a, b],
            uniform: all,
            wrong: all.filter((label) => label !== a && label !== b),
          };
          return {
            name: `${classNames[a]} + ${classNames[b]}`,
            detail: '',
            test: Int32Array.from(labels.keys()).filter((i) => labels[i] === a || labels[i] === b),
            // Local samples of a pair are balanced as they are.
            mixes: ['local', 'uniform', 'wrong'],
            draw: (mix, seed) => evenly(local, everything, chosen[mix], 2 * PAIR_PER_CLASS, seed),
          };
        }),
    ),
  };
}

/** So many of the samples, whatever their class. */
function naturally(dataset: Dataset, from: Int32Array, count: number, seed: number): Dataset {
  const chosen = selectIndices(from.length, undefined, { limit: count, seed }, dataset.name);
  return subset(
    dataset,
    chosen.map((i) => from[i] as number),
  );
}

/**
 * So many samples, the same number of each class as far as they go: a class with too few gives what it has and the
 * others share the rest; what cannot be shared out evenly goes to classes drawn by the seed.
 */
function evenly(
  dataset: Dataset,
  from: Int32Array,
  classes: readonly number[],
  count: number,
  seed: number,
): Dataset {
  const random = new Random(seed);
  const labels = must(dataset.labels, 'samples without labels');
  const pools = random
    .shuffle([...classes])
    .map((label) => random.shuffle([...from].filter((i) => labels[i] === label)))
    // Stable: among classes with enough samples the drawn order stays.
    .sort((a, b) => Math.min(a.length, count) - Math.min(b.length, count));
  const chosen: number[] = [];
  pools.forEach((pool, i) => {
    chosen.push(...pool.slice(0, Math.ceil((count - chosen.length) / (pools.length - i))));
  });
  return subset(
    dataset,
    chosen.sort((a, b) => a - b),
  );
}

function byOrigin(dataset: Dataset): Map<string, Int32Array> {
  const members = new Map<string, number[]>();
  must(dataset.origins, 'beats without records').forEach((origin, i) => {
    const own = members.get(origin);
    if (own) own.push(i);
    else members.set(origin, [i]);
  });
  return new Map([...members].map(([origin, indices]) => [origin, Int32Array.from(indices)]));
}

function countsOf(dataset: Dataset, indices: Int32Array, classes: number): number[] {
  const labels = must(dataset.labels, 'samples without labels');
  const mix = classPrior(
    indices.map((i) => labels[i] as number),
    classes,
  );
  return [...mix].map((share) => Math.round(share * indices.length));
}

function presentIn(counts: readonly number[]): number[] {
  return counts.flatMap((count, label) => (count > 0 ? [label] : []));
}
