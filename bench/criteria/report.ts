// The study's tables, made from whatever cells are there.
import { isAttribution } from '../../src/explain/index.ts';
import { must } from '../../src/util/index.ts';
import { type ResultTable, writeResults } from '../lib/results.ts';
import type { Cell } from './cells.ts';
import { descending, plusMinus, shown } from './format.ts';
import {
  GOAL_RATIOS,
  type Job,
  keyOf,
  LEFT_OUT,
  MAIN_SIZE,
  MODES,
  type Mode,
  NO_SAMPLES,
  RATIOS,
  SEEDS,
  SIZES,
  STUDIED,
  UNPRUNED,
} from './plan.ts';
import { autoTable } from './report-auto.ts';
import { byRatioTable, goalTables } from './report-goal.ts';
import { mean } from './statistics.ts';
import { at, MODELS, Summary } from './summary.ts';

const GOAL_PASSES = 4;

/** Writes `bench/results/criteria.md` and `.json`; returns the Markdown. */
export async function writeReport(jobs: readonly Job[], cells: readonly Cell[]): Promise<string> {
  const planned = new Set(jobs.map(keyOf));
  const known = cells.filter((cell) => planned.has(keyOf(cell)));
  const summary = new Summary(known);
  return writeResults('criteria', {
    title: 'Criteria: accuracy without retraining or repair',
    command: 'npm run bench:criteria',
    about: about(jobs, known),
    tables: [
      ...goalTables(summary),
      byRatioTable(summary),
      ...[autoTable(summary)].filter((table) => table !== undefined),
      ...MODELS.map((model) => accuracyTable(summary, model)),
      areaTable(summary),
      sizeTable(summary, MODELS),
      ...MODELS.map((model) => sizeTable(summary, [model])),
      agreementTable(summary),
      timeTable(summary),
      coverageTable(jobs, known),
    ],
  });
}

function about(jobs: readonly Job[], cells: readonly Cell[]): string {
  const hours = cells.reduce((sum, cell) => sum + cell.seconds, 0) / 3600;
  const measured = (count: number): number => count * RATIOS.length;
  return [
    `Every group loses its lowest-scored channels; weights are neither retrained nor repaired. The measure is balanced accuracy (the mean of the classes' recalls) on a fixed part of the test split: 40 images a class (240), and 120 beats a class (600) of mitdb, where one class is 82 % of all beats, so that plain accuracy would hide a collapse.`,
    `Calibration samples are drawn from the local split, ${SIZES.join(', ')} a class; the seed draws the samples and whatever a criterion draws. "Uniform" takes the same share of every group, "global" ranks all channels at once by scores divided by their group's Euclidean norm. Kept counts are not aligned to the engine.`,
    `Coverage: ${measured(cells.length)} of ${measured(jobs.length)} cells (${cells.length} of ${jobs.length} scorings), in ${hours.toFixed(2)} hours by the clock, summed over two one-thread processes on a machine busy with other work, which also paused them. Running the command again goes on with the rest.`,
    `Left out: ${LEFT_OUT.map(({ name, reason }) => `${name} (${reason})`).join('; ')}.`,
  ].join('\n\n');
}

/** Criterion x ratio of one model, mean and deviation over seeds. */
function accuracyTable(summary: Summary, model: string): ResultTable {
  const rows = STUDIED.flatMap((criterion) => {
    const cells = summary.cells(model, criterion.name, MAIN_SIZE, SEEDS, 'uniform');
    if (cells.length === 0) return [];
    const goal = summary.goalMeans(model, criterion.name, MAIN_SIZE, SEEDS, 'uniform');
    return [{ criterion, cells, goal }];
  }).sort((a, b) => mean(b.goal) - mean(a.goal));
  return {
    title: `${model}: balanced accuracy, uniform, ${MAIN_SIZE} samples a class`,
    columns: ['criterion', 'family', ...RATIOS.map(String), `mean of ${GOAL_RATIOS.join(', ')}`, 'seeds'],
    rows: [
      ['MACs left', '', ...RATIOS.map((ratio) => macsLeft(summary, model, ratio)), '', ''],
      ...rows.map(({ criterion, cells, goal }) => [
        criterion.name,
        criterion.family,
        ...RATIOS.map((ratio) =>
          plusMinus(summary.accuracies(model, criterion.name, MAIN_SIZE, SEEDS, 'uniform', ratio), 2),
        ),
        plusMinus(goal),
        cells.length,
      ]),
    ],
    note: `Unpruned ${summary.base(model).toFixed(4)}. Mean ± standard deviation over the seeds at which every criterion is measured; criteria that draw nothing have one value.`,
  };
}

function macsLeft(summary: Summary, model: string, ratio: number): string {
  const cell = STUDIED.flatMap(({ name }) => summary.cells(model, name, MAIN_SIZE, SEEDS, 'uniform'))[0];
  return cell ? at(cell.measured, ratio)[2].toFixed(3) : '';
}

/** Area under accuracy against MACs. */
function areaTable(summary: Summary): ResultTable {
  const values = (name: string, model: string, mode: Mode): number[] =>
    summary.areas(model, name, MAIN_SIZE, SEEDS, mode);
  const overall = (name: string): number => mean(MODELS.map((model) => mean(values(name, model, 'uniform'))));
  return {
    title: `Area under balanced accuracy against the share of MACs left, ${MAIN_SIZE} samples a class`,
    columns: [
      'criterion',
      'family',
      ...MODES.flatMap((mode) => [...MODELS.map((model) => `${model} ${mode}`), `mean ${mode}`]),
    ],
    rows: STUDIED.filter(({ name }) => MODELS.some((model) => values(name, model, 'uniform').length > 0))
      .sort((a, b) => descending(overall(a.name), overall(b.name)))
      .map(({ name, family }) => [
        name,
        family,
        ...MODES.flatMap((mode) => [
          ...MODELS.map((model) => plusMinus(values(name, model, mode))),
          shown(mean(MODELS.map((model) => mean(values(name, model, mode))))),
        ]),
      ]),
    note: 'Trapezoidal rule over the measured points, from chance at no MACs to the unpruned model at all of them; 1 is the best there is.',
  };
}

/** How many samples a criterion needs, in the mean over models. */
function sizeTable(summary: Summary, models: readonly string[]): ResultTable {
  const value = (name: string, size: number): number =>
    mean(models.map((model) => mean(summary.goalMeans(model, name, size, SEEDS, 'uniform'))));
  const seeds = (name: string, size: number): number =>
    Math.min(...models.map((model) => summary.cells(model, name, size, SEEDS, 'uniform').length));
  const rows = STUDIED.filter(({ needsSamples }) => needsSamples)
    .filter(({ name }) => SIZES.some((size) => !Number.isNaN(value(name, size))))
    .sort((a, b) => descending(value(a.name, MAIN_SIZE), value(b.name, MAIN_SIZE)));
  const best = (family: 'xai' | 'reference', size: number): string => {
    const values = STUDIED.filter((criterion) => criterion.family === family)
      .map(({ name }) => value(name, size))
      .filter((accuracy) => !Number.isNaN(accuracy));
    // Before the size has been studied, criteria that read no samples would stand alone.
    const studied = rows.some(({ name }) => !Number.isNaN(value(name, size)));
    return studied && values.length > 0 ? Math.max(...values).toFixed(3) : '';
  };
  const of = models.length === 1 ? models[0] : 'mean over models';
  return {
    title: `By calibration samples a class, ${of}: mean balanced accuracy over ratios ${GOAL_RATIOS[0]} to ${GOAL_RATIOS.at(-1)}, uniform`,
    columns: ['criterion', 'family', ...SIZES.map(String), 'seeds'],
    rows: [
      ...rows.map(({ name, family }) => [
        name,
        family,
        ...SIZES.map((size) => shown(value(name, size))),
        SIZES.map((size) => seeds(name, size)).join('/'),
      ]),
      ['best XAI of these', 'xai', ...SIZES.map((size) => best('xai', size)), ''],
      [
        'best reference, weights alone included',
        'reference',
        ...SIZES.map((size) => best('reference', size)),
        '',
      ],
    ],
    note: 'The last column counts the seeds of each size; empty where it is not measured yet.',
  };
}

/** Agreement with the uncut model. */
function agreementTable(summary: Summary): ResultTable {
  const agreement = (name: string, model: string): number =>
    mean(
      summary
        .cells(model, name, MAIN_SIZE, SEEDS, 'uniform')
        .map((cell) => mean(GOAL_RATIOS.map((ratio) => at(cell.measured, ratio)[1]))),
    );
  const overall = (name: string): number => mean(MODELS.map((model) => agreement(name, model)));
  return {
    title: `Agreement with the unpruned model, mean over ratios ${GOAL_RATIOS[0]} to ${GOAL_RATIOS.at(-1)}, uniform, ${MAIN_SIZE} samples a class`,
    columns: ['criterion', 'family', ...MODELS, 'mean'],
    rows: STUDIED.filter(({ name }) => MODELS.some((model) => !Number.isNaN(agreement(name, model))))
      .sort((a, b) => descending(overall(a.name), overall(b.name)))
      .map(({ name, family }) => [
        name,
        family,
        ...MODELS.map((model) => shown(agreement(name, model))),
        shown(overall(name)),
      ]),
  };
}

/** Time for each sample and as a multiple of the forward pass measured just before. */
function timeTable(summary: Summary): ResultTable {
  const rows = STUDIED.filter(({ needsSamples }) => needsSamples).flatMap((criterion) => {
    const timed = MODELS.map((model) =>
      summary
        .cells(model, criterion.name, MAIN_SIZE, SEEDS, 'uniform')
        .flatMap(({ msPerSample, forwardMs }) =>
          msPerSample !== null && forwardMs !== null ? [{ msPerSample, ratio: msPerSample / forwardMs }] : [],
        ),
    );
    if (timed.every((list) => list.length === 0)) return [];
    const points = (isAttribution(criterion) ? criterion.spec.points?.count : undefined) ?? 1;
    const ratios = timed.map((list) => middle(list.map(({ ratio }) => ratio)));
    const perPoint = ratios.map((ratio) => ratio / points);
    const goal = criterion.family === 'xai' ? `<= ${GOAL_PASSES * points}` : '';
    const met = perPoint.filter((ratio) => !Number.isNaN(ratio)).every((ratio) => ratio <= GOAL_PASSES);
    return [
      [
        criterion.name,
        ...timed.map((list) => shown(middle(list.map(({ msPerSample }) => msPerSample)) / 1000, 5)),
        ...ratios.map((ratio) => shown(ratio, 2)),
        goal,
        goal === '' ? '' : met ? 'met' : 'missed',
      ],
    ];
  });
  return {
    title: 'Time for each sample',
    columns: [
      'criterion',
      ...MODELS.map((model) => `${model}, s`),
      ...MODELS.map((model) => `${model}, forward passes`),
      'goal',
      '',
    ],
    rows,
    note: `Median over the seeds at ${MAIN_SIZE} samples a class, after the first batch of 32, one thread, while the machine did other work: the forward pass is measured just before each scoring, but a slow spell may fall between the two. The goal is ${GOAL_PASSES} forward passes for each input of a sample (integrated gradients and SmoothGrad run several); of the relevance rules, those that treat positive and negative parts apart (z+, gamma, alpha-beta) run every layer three to five times by definition. Quiet figures are in explain.md.`,
  };
}

function coverageTable(jobs: readonly Job[], cells: readonly Cell[]): ResultTable {
  const done = new Set(cells.map(keyOf));
  const rows = MODES.flatMap((mode) =>
    [...SIZES, NO_SAMPLES].map((size) => [
      mode,
      size === NO_SAMPLES ? 'none read' : size,
      ...SEEDS.map((seed) => {
        const own = jobs.filter(
          (job) => job.size === size && job.seed === seed && job.mode === mode && job.criterion !== UNPRUNED,
        );
        return own.length === 0 ? '' : `${own.filter((job) => done.has(keyOf(job))).length} of ${own.length}`;
      }),
    ]),
  );
  return {
    title: 'Coverage: scorings done',
    columns: ['selection', 'samples a class', ...SEEDS.map((seed) => `seed ${seed}`)],
    rows,
    note: `Each is measured at ${RATIOS.length} ratios.`,
  };
}

/** The median; NaN of none. */
function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : must(sorted[sorted.length >> 1], 'the middle of a list');
}
