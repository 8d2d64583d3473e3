// The parts of a model card that tell how well a bundle answers: its measured variants, classes, and predictions.
import type { BundleManifest } from '../../bundle/index.ts';
import { recallsOf, taskOf } from '../../bundle/internal.ts';
import { formatBytes, formatPercent, formatSeconds } from '../../util/index.ts';
import {
  agreementTitle,
  type FrontierRow,
  formatFigure,
  levelsText,
  measureTitle,
  measureWord,
  shownRows,
} from '../frontier/frontier.ts';
import { classNames } from './class-names.ts';
import { markdownTable, markdownText } from './markdown.ts';

/** More are told by their number. */
const MOST_ROWS = 24;

/** The measured variants: all of the frontier, or some of it evenly chosen. */
export function accuracySection(bundle: BundleManifest): string {
  const { variants, provenance } = bundle;
  const rows = shownRows(bundle, MOST_ROWS);
  const timed = rows.some(({ seconds }) => seconds !== undefined);
  const eight = rows.some(({ eightBit }) => eightBit !== undefined);
  const head = [
    ...['variant', 'levels', 'share of MACs', 'weights', measureTitle(bundle), '95 % lower bound'],
    agreementTitle(bundle),
    ...(eight ? ['in eight bits', 'its lower bound'] : []),
    ...(timed ? ['time'] : []),
  ];
  const figure = (value: number | undefined): string =>
    value === undefined ? 'not measured' : formatFigure(bundle, value);
  const { validation, dataset, labelled } = provenance;
  return [
    `Measure: ${measureWord(bundle)}, on ${validation} samples of ${markdownText(dataset)} that were not used to rank or ` +
      `repair${labelled ? '' : '; they have no labels, so nothing here says whether an answer is right'}. ` +
      `${rows.length} of ${variants.length} measured (certified) variants: ${
        rows.length === variants.length
          ? 'all of them'
          : 'unpruned, and ones that no other beats in both accuracy and MACs'
      }.`,
    markdownTable(
      head,
      rows.map((row) => [
        ...[String(row.variant), levelsText(row.levels), formatPercent(row.macsFraction)],
        ...[formatBytes(row.weightBytes), figure(row.accuracy), figure(row.lowerBound)],
        formatFigure(agreementMeasure(bundle), row.agreement),
        ...(eight ? [figure(row.eightBit?.accuracy), figure(row.eightBit?.lowerBound)] : []),
        ...(timed ? [row.seconds === undefined ? '' : formatSeconds(row.seconds)] : []),
      ]),
    ),
    'A lower bound is one-sided and holds for its variant alone. Whoever picks the best of many variants on the same ' +
      'samples picks a little luck with it.',
  ].join('\n\n');
}

/** Agreement as its table of variants has it: a share of samples, or the task's own measure. */
function agreementMeasure(bundle: BundleManifest): Parameters<typeof formatFigure>[0] {
  const { kind } = taskOf(bundle);
  const isShare = kind === 'single-label' || kind === 'binary' || kind === 'multi-label';
  return isShare ? { accuracy: { measure: 'agreement' } } : bundle;
}

/** Recall of each class at three variants. */
export function recallSection(bundle: BundleManifest): string {
  const classes = recallsOf(bundle);
  if (classes === 0) return 'A network of this task has no classes.';
  const rows = shownRows(bundle, MOST_ROWS);
  const columns = recallColumns(rows, bundle);
  if (!bundle.provenance.labelled || columns.every(({ recall }) => recall.length === 0)) {
    return 'Not known: the samples that measured have no labels.';
  }
  const names = classNames(bundle);
  return [
    'The share of a class that is found; of masks, the share of its positions.',
    markdownTable(
      ['class', ...columns.map(({ title }) => title)],
      Array.from({ length: classes }, (_, at) => [
        names?.[at] === undefined ? String(at) : `${at}: ${markdownText(names[at])}`,
        ...columns.map(({ recall }) => {
          const value = recall[at];
          return value === undefined || value === null ? 'not known: no such sample' : formatPercent(value);
        }),
      ]),
    ),
    'How many samples each class had is not in the bundle; a class with few has an uncertain recall.',
  ].join('\n\n');
}

/** Variants whose recall is shown: unpruned, the middle one, the least. */
function recallColumns(rows: readonly FrontierRow[], { variants }: BundleManifest) {
  const least = rows.at(-1);
  const middle = rows[Math.floor(rows.length / 2)];
  const chosen = [rows.find(({ variant }) => variant === 0), middle, least];
  return [...new Set(chosen.map((row) => row?.variant))].flatMap((variant) => {
    const row = rows.find((one) => one.variant === variant);
    const recall = variant === undefined ? undefined : variants[variant]?.recall;
    if (!row || !recall) return [];
    const title =
      variant === 0 ? 'unpruned' : `variant ${variant} (${formatPercent(row.macsFraction)} of MACs)`;
    return [{ title, recall }];
  });
}

/** What is predicted of level vectors that nobody measured. */
export function predictionSection(bundle: BundleManifest): string {
  const { maxError, meanError, fitted, checked } = bundle.accuracy;
  const figure = (value: number): string => value.toFixed(3);
  return (
    `Their ${measureWord(bundle)} is predicted from ${fitted} measured variants. ` +
    (checked > 0
      ? `On ${checked} others the prediction was wrong by ${figure(meanError)} on average and ${figure(maxError)} at most. `
      : `It was checked on no other ones: on these it is wrong by ${figure(meanError)} on average and ${figure(maxError)} at most. `) +
    'A prediction is no measurement: `bedside pack --certify` measures.'
  );
}
