// The first goal: the best criterion from explainable AI against the best reference.
import type { ResultTable } from '../lib/results.ts';
import { plusMinus, shown, signed } from './format.ts';
import { GOAL_RATIOS, MAIN_SIZE, MODES, type Mode, RATIOS, SEEDS, STUDIED } from './plan.ts';
import { largestBy, mean } from './statistics.ts';
import { MODELS, type Summary } from './summary.ts';

type Family = 'xai' | 'reference';

const GOAL_POINTS = 15;

/** Criteria of a family that have been measured on every model at this size. */
function complete(summary: Summary, family: Family, size: number, seeds: readonly number[], mode: Mode) {
  return STUDIED.filter(
    ({ family: own, name }) =>
      own === family && MODELS.every((model) => summary.cells(model, name, size, seeds, mode).length > 0),
  );
}

/** By the mean of balanced accuracy over the goal's ratios, uniform and global. */
export function goalTables(summary: Summary): ResultTable[] {
  return MODES.map((mode) => {
    const value = (model: string, criterion: string): number =>
      mean(summary.goalMeans(model, criterion, MAIN_SIZE, SEEDS, mode));
    const spread = (model: string, criterion: string): string =>
      plusMinus(summary.goalMeans(model, criterion, MAIN_SIZE, SEEDS, mode));
    const best = (model: string, family: Family): string =>
      largestBy(
        STUDIED.filter(({ family: own, name }) => own === family && !Number.isNaN(value(model, name))),
        ({ name }) => value(model, name),
      )?.name ?? '';
    const pairs = MODELS.map((model) => ({
      model,
      xai: best(model, 'xai'),
      reference: best(model, 'reference'),
    }));
    const difference = mean(
      pairs.map(({ model, xai, reference }) => value(model, xai) - value(model, reference)),
    );
    const overall = (criterion: string): number => summary.overModels(criterion, MAIN_SIZE, SEEDS, mode);
    const single = (family: Family): string =>
      largestBy(complete(summary, family, MAIN_SIZE, SEEDS, mode), ({ name }) => overall(name))?.name ?? '';
    const one = { xai: single('xai'), reference: single('reference') };
    return {
      title: `The goal, ${mode}: mean over ratios ${GOAL_RATIOS[0]} to ${GOAL_RATIOS.at(-1)}, ${MAIN_SIZE} samples a class`,
      columns: ['model', 'best XAI', 'accuracy', 'best reference', 'accuracy', 'difference, points', 'goal'],
      rows: [
        ...pairs.map(({ model, xai, reference }) => [
          model,
          xai,
          spread(model, xai),
          reference,
          spread(model, reference),
          signed(100 * (value(model, xai) - value(model, reference))),
          '',
        ]),
        [
          'mean over models',
          'best of each',
          shown(mean(pairs.map(({ model, xai }) => value(model, xai)))),
          'best of each',
          shown(mean(pairs.map(({ model, reference }) => value(model, reference)))),
          signed(100 * difference),
          Number.isNaN(difference)
            ? ''
            : `>= ${GOAL_POINTS}: ${100 * difference >= GOAL_POINTS ? 'met' : 'missed'}`,
        ],
        [
          'one criterion for all models',
          one.xai,
          shown(overall(one.xai)),
          one.reference,
          shown(overall(one.reference)),
          signed(100 * (overall(one.xai) - overall(one.reference))),
          '',
        ],
      ],
      note:
        'Best in hindsight on both sides: chosen by the same test samples they are shown on.' +
        (mode === 'global'
          ? ' At one ratio, global cuts leave different shares of the MACs by criterion: the areas below compare them at equal cost.'
          : ''),
    };
  });
}

/** The same comparison at each ratio on its own: the criterion is chosen anew at each. */
export function byRatioTable(summary: Summary): ResultTable {
  const value = (model: string, criterion: string, ratio: number): number =>
    mean(summary.accuracies(model, criterion, MAIN_SIZE, SEEDS, 'uniform', ratio));
  const best = (model: string, family: Family, ratio: number): number =>
    Math.max(
      ...STUDIED.filter(({ family: own }) => own === family)
        .map(({ name }) => value(model, name, ratio))
        .filter((accuracy) => !Number.isNaN(accuracy)),
    );
  const difference = (model: string, ratio: number): number =>
    100 * (best(model, 'xai', ratio) - best(model, 'reference', ratio));
  return {
    title: `Best XAI less best reference at each ratio, points, uniform, ${MAIN_SIZE} samples a class`,
    columns: ['model', ...RATIOS.map(String)],
    rows: [
      ...MODELS.map((model) => [model, ...RATIOS.map((ratio) => signed(difference(model, ratio)))]),
      [
        'mean over models',
        ...RATIOS.map((ratio) => signed(mean(MODELS.map((model) => difference(model, ratio))))),
      ],
    ],
    note: 'At the smallest ratios most criteria are near the unpruned accuracy, at the largest all are near chance.',
  };
}
