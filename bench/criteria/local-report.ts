// The local study's tables, made from whatever cells are there.
import { classPrior } from '../../src/data/internal.ts';
import { accuracies } from '../../src/evaluate/internal.ts';
import { must } from '../../src/util/index.ts';
import { type ResultTable, writeResults } from '../lib/results.ts';
import { shown, signed } from './format.ts';
import {
  type LocalCase,
  type LocalStudy,
  MIXES,
  type Mix,
  PAIR_PER_CLASS,
  PATIENT_SAMPLES,
} from './local-cases.ts';
import { deviation, mean } from './statistics.ts';

export const LOCAL_CRITERIA = ['lrp-gamma', 'lrp-epsilon', 'taylor', 'lrp-zplus'] as const;
export const LOCAL_RATIOS = [0.3, 0.5, 0.7] as const;
export const LOCAL_SEEDS = [1, 2, 3] as const;
const GOAL_RATIO = 0.5;
const GOAL_POINTS = 2;

/** A scoring in the local study. */
export interface LocalKey {
  readonly study: string;
  readonly place: string;
  readonly mix: Mix;
  readonly criterion: string;
  readonly seed: number;
}

/** With what came of it: accuracy and balanced accuracy on the place's own test samples, for each ratio. */
export interface LocalCell extends LocalKey {
  readonly measured: readonly (readonly [accuracy: number, balancedAccuracy: number])[];
  readonly seconds: number;
}

export const localKey = ({ study, place, mix, criterion, seed }: LocalKey): string =>
  [study, place, mix, criterion, seed].join('|');

type Measure = 'accuracy' | 'balanced accuracy';

/** Writes `bench/results/local.md` and `.json`; returns the Markdown. */
export async function writeLocalReport(
  studies: readonly LocalStudy[],
  cells: readonly LocalCell[],
): Promise<string> {
  const found = new LocalResults(cells);
  const hours = cells.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
  const planned = studies.reduce(
    (sum, { cases }) =>
      sum +
      cases.reduce((inner, { mixes }) => inner + mixes.length, 0) *
        LOCAL_CRITERIA.length *
        LOCAL_SEEDS.length,
    0,
  );
  return writeResults('local', {
    title: 'Scores from the local mix of classes',
    command: 'npm run bench:local',
    about: [
      `Channels are scored from local samples, from a uniform mix over all classes and places, or from the wrong mix (the classes that the place does not have, from elsewhere): as many samples each. The same share goes from every group, weights are neither retrained nor repaired, and the cut network answers the place's own test samples with all of its classes to choose from. Seeds ${LOCAL_SEEDS.join(', ')}; criteria ${LOCAL_CRITERIA.join(', ')}.`,
      `Patients: up to ${PATIENT_SAMPLES} of the patient's own local beats in their natural mix ("local"), or as evenly over the patient's classes as there are beats ("local-balanced"). Pairs: ${PAIR_PER_CLASS} images of each of the two classes. Differences are in points, local less uniform at ratio ${GOAL_RATIO} unless said otherwise; the goal is ${GOAL_POINTS} or more in the mean over cases.`,
      `Coverage: ${cells.length * LOCAL_RATIOS.length} of ${planned * LOCAL_RATIOS.length} cells, in ${hours.toFixed(2)} hours by the clock of a one-thread process on a machine busy with other work, which also paused it.`,
    ].join('\n\n'),
    tables: [
      goalTable(studies, found),
      ...studies.map((study) => meansTable(study, found)),
      ...studies.map((study) => casesTable(study, found)),
    ],
  });
}

/** Looks cells up. */
class LocalResults {
  readonly #cells: ReadonlyMap<string, LocalCell>;

  constructor(cells: readonly LocalCell[]) {
    this.#cells = new Map(cells.map((cell) => [localKey(cell), cell]));
  }

  /** One value a seed that is there. */
  values(key: Omit<LocalKey, 'seed'>, ratio: number, measure: Measure): number[] {
    return LOCAL_SEEDS.flatMap((seed) => {
      const measured = this.#cells.get(localKey({ ...key, seed }))?.measured;
      const pair = measured?.[(LOCAL_RATIOS as readonly number[]).indexOf(ratio)];
      return pair ? [pair[measure === 'accuracy' ? 0 : 1]] : [];
    });
  }

  /** Mean over seeds and criteria; NaN of none. */
  place(
    study: string,
    place: string,
    mix: Mix,
    ratio: number,
    measure: Measure,
    criteria: readonly string[],
  ) {
    return mean(
      criteria.map((criterion) => mean(this.values({ study, place, mix, criterion }, ratio, measure))),
    );
  }
}

/** Cases in which both mixes have been measured, with the difference of their means in points. */
function differences(
  study: LocalStudy,
  found: LocalResults,
  pair: readonly [Mix, Mix],
  ratio: number,
  measure: Measure,
  criteria: readonly string[],
): { readonly place: LocalCase; readonly points: number }[] {
  return study.cases.flatMap((place) => {
    const [a, b] = pair.map((mix) => found.place(study.name, place.name, mix, ratio, measure, criteria));
    const points = 100 * ((a as number) - (b as number));
    return Number.isNaN(points) ? [] : [{ place, points }];
  });
}

function goalTable(studies: readonly LocalStudy[], found: LocalResults): ResultTable {
  const measures = (study: LocalStudy): Measure[] =>
    study.cases.some(({ detail }) => detail !== '') ? ['accuracy', 'balanced accuracy'] : ['accuracy'];
  return {
    title: `The goal: local less uniform at ratio ${GOAL_RATIO}, points, mean over cases and seeds`,
    columns: [
      'study',
      'measure',
      ...LOCAL_CRITERIA,
      'mean',
      'standard error over cases',
      'cases better/worse',
      'goal',
    ],
    rows: studies.flatMap((study) =>
      measures(study).map((measure) => {
        const of = (criteria: readonly string[]) =>
          differences(study, found, ['local', 'uniform'], GOAL_RATIO, measure, criteria).map(
            ({ points }) => points,
          );
        const all = of(LOCAL_CRITERIA);
        return [
          study.name,
          measure,
          ...LOCAL_CRITERIA.map((criterion) => signed(mean(of([criterion])))),
          signed(mean(all)),
          shown(deviation(all) / Math.sqrt(all.length), 1),
          `${all.filter((points) => points > 0).length}/${all.filter((points) => points < 0).length}`,
          all.length > 0
            ? mean(all) >= GOAL_POINTS
              ? `>= ${GOAL_POINTS}: met`
              : `>= ${GOAL_POINTS}: missed`
            : '',
        ];
      }),
    ),
  };
}

/** Means over the cases, by criterion, mix and ratio. */
function meansTable(study: LocalStudy, found: LocalResults): ResultTable {
  const patients = study.cases.some(({ detail }) => detail !== '');
  const measures: Measure[] = patients ? ['accuracy', 'balanced accuracy'] : ['accuracy'];
  const mixes = MIXES.filter((mix) => study.cases.some((place) => place.mixes.includes(mix)));
  const over = (mix: Mix, ratio: number, measure: Measure, criteria: readonly string[]): number =>
    mean(
      study.cases
        .filter((place) => place.mixes.includes(mix))
        .map((place) => found.place(study.name, place.name, mix, ratio, measure, criteria))
        .filter((value) => !Number.isNaN(value)),
    );
  const columns = measures.flatMap((measure) =>
    LOCAL_RATIOS.map((ratio) => ({ measure, ratio, title: `${measure} at ${ratio}` })),
  );
  return {
    title: `${study.name}: means over ${study.cases.length} cases`,
    columns: ['criterion', 'scored from', ...columns.map(({ title }) => title)],
    rows: [...LOCAL_CRITERIA.map((name) => [name]), [...LOCAL_CRITERIA]].flatMap((criteria) =>
      mixes.map((mix) => [
        criteria.length === 1 ? (criteria[0] as string) : 'mean',
        mix,
        ...columns.map(({ measure, ratio }) => shown(over(mix, ratio, measure, criteria))),
      ]),
    ),
    note: `Unpruned: ${measures.map((measure) => `${measure} ${shown(unpruned(study, measure))}`).join(', ')}. A network that answers every sample with the place's most frequent class: ${measures.map((measure) => `${measure} ${shown(constant(study, measure))}`).join(', ')}; near that figure, scores from local samples have kept the prior and not the distinction.`,
  };
}

/** How the cases' test samples fare with given answers, in the mean over the cases. */
function meanOf(
  study: LocalStudy,
  measure: Measure,
  answers: (labels: Int32Array, test: Int32Array) => Int32Array,
) {
  const labels = must(study.test.labels, 'test samples have labels');
  return mean(
    study.cases.map(({ test }) => {
      const own = test.map((i) => labels[i] as number);
      const found = accuracies(answers(own, test), own, study.test.classNames.length);
      return measure === 'accuracy' ? found.accuracy : found.balancedAccuracy;
    }),
  );
}

/** The uncut model. */
const unpruned = (study: LocalStudy, measure: Measure): number =>
  meanOf(study, measure, (_labels, test) => test.map((i) => study.base[i] as number));

/** A network that has collapsed to the place's most frequent class. */
const constant = (study: LocalStudy, measure: Measure): number =>
  meanOf(study, measure, (labels) => {
    const mix = classPrior(labels, study.test.classNames.length);
    return new Int32Array(labels.length).fill(mix.indexOf(Math.max(...mix)));
  });

/** Every case at the goal's ratio, mean over criteria and seeds. */
function casesTable(study: LocalStudy, found: LocalResults): ResultTable {
  const patients = study.cases.some(({ detail }) => detail !== '');
  const measure: Measure = patients ? 'balanced accuracy' : 'accuracy';
  const mixes = MIXES.filter((mix) => study.cases.some((place) => place.mixes.includes(mix)));
  const gain = (pair: readonly [Mix, Mix], place: LocalCase, by: Measure): string =>
    signed(
      differences(study, found, pair, GOAL_RATIO, by, LOCAL_CRITERIA).find(
        (entry) => entry.place.name === place.name,
      )?.points ?? Number.NaN,
    );
  return {
    title: `${study.name}: each case at ratio ${GOAL_RATIO}, mean over criteria and seeds`,
    columns: [
      patients ? 'patient' : 'classes',
      ...(patients ? ['beats local/test'] : []),
      ...mixes.map((mix) => `${measure}, ${mix}`),
      `local - uniform`,
      `local - wrong`,
      ...(patients ? ['accuracy: local - uniform'] : []),
    ],
    rows: study.cases.map((place) => [
      place.name,
      ...(patients ? [place.detail] : []),
      ...mixes.map((mix) =>
        shown(found.place(study.name, place.name, mix, GOAL_RATIO, measure, LOCAL_CRITERIA)),
      ),
      gain(['local', 'uniform'], place, measure),
      gain(['local', 'wrong'], place, measure),
      ...(patients ? [gain(['local', 'uniform'], place, 'accuracy')] : []),
    ]),
  };
}
