// What a network is for, and the measures that tell how well it does it (docs/tasks.md).
import { formatPercent } from './format.ts';

/** The tasks of networks. */
export const TASKS = [
  'single-label',
  'binary',
  'multi-label',
  'regression',
  'segmentation',
  'embedding',
] as const;

/** One of the tasks. */
export type TaskKind = (typeof TASKS)[number];

/** The names of all measures, as JSON has them. `agreement` takes the place of the others where there are no labels. */
export type MeasureName =
  | 'accuracy'
  | 'balancedAccuracy'
  | 'auroc'
  | 'averagePrecision'
  | 'f1'
  | 'r2'
  | 'meanAbsoluteError'
  | 'dice'
  | 'iou'
  | 'cosine'
  | 'agreement';

/** The measures of each task. The first is its main one: at most 1, and higher is better. */
export const TASK_MEASURES: { readonly [T in TaskKind]: readonly [MeasureName, ...MeasureName[]] } = {
  'single-label': ['accuracy', 'balancedAccuracy'],
  binary: ['accuracy', 'balancedAccuracy', 'auroc', 'averagePrecision', 'f1'],
  'multi-label': ['auroc', 'averagePrecision', 'f1'],
  regression: ['r2', 'meanAbsoluteError'],
  segmentation: ['dice', 'iou'],
  embedding: ['cosine'],
};

/** The measures of each name, in words for tables and text. */
export const MEASURE_WORDS: { readonly [M in MeasureName]: string } = {
  accuracy: 'accuracy',
  balancedAccuracy: 'balanced accuracy',
  auroc: 'AUROC',
  averagePrecision: 'average precision',
  f1: 'F1',
  r2: 'R2',
  meanAbsoluteError: 'mean absolute error',
  dice: 'Dice',
  iou: 'IoU',
  cosine: 'cosine',
  agreement: 'agreement with the unpruned network',
};

/** Whether samples of this task have one class each, so that classes can be drawn, filtered and weighed. */
export function hasClasses(task: TaskKind): boolean {
  return task === 'single-label' || task === 'binary';
}

/** Measures that are no shares of something, and are written as numbers. */
const NUMBERS: readonly MeasureName[] = [
  'auroc',
  'averagePrecision',
  'f1',
  'r2',
  'meanAbsoluteError',
  'dice',
  'iou',
  'cosine',
];

/** A measure for tables: `98.3 %` of shares, `0.983` of others, `-` where it is not defined. */
export function formatMeasure(name: MeasureName, value: number): string {
  if (Number.isNaN(value)) return '-';
  if (!NUMBERS.includes(name)) return formatPercent(value);
  return name === 'meanAbsoluteError' ? value.toPrecision(4) : value.toFixed(4);
}
