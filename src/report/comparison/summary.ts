// The summary of a report: the best criterion at the largest ratio against the best of the other family.
// It claims a difference only if it exceeds twice the standard error, and says so if no criterion beats chance.

import { largest } from '../../util/index.ts';
import type { ReportData, ReportRow } from './report-data.ts';
import {
  chanceOf,
  deviationOf,
  isImbalanced,
  type Measure,
  ofClasses,
  percent,
  ratioText,
  seedsText,
  wordOf,
} from './series.ts';

/** Returns one or two sentences of plain text. */
export function summariseComparison(data: ReportData): string {
  const measure: Measure = isImbalanced(data) ? 'balancedAccuracy' : 'accuracy';
  const word = wordOf(data, measure);
  const unpruned = `The unpruned network has ${percent(data.base[measure])}.`;
  const measured = data.rows.filter((row) => Number.isFinite(row[measure]));
  // Rows without repair come first: a repair hides the differences between criteria.
  const alone = measured.filter((row) => !row.reconstruct);
  const rows = alone.length > 0 ? alone : measured;
  if (rows.length === 0) return `No pruned network was measured. ${unpruned}`;
  const ratio = largest(rows.map((row) => row.ratio));
  const hardest = rows.filter((row) => row.ratio === ratio);
  const xai = best(hardest, measure, 'xai');
  const reference = best(hardest, measure, 'reference');
  const top = [xai, reference]
    .filter((row) => row !== undefined)
    .reduce((a, b) => (b[measure] > a[measure] ? b : a));
  const condition = `With ${ratioText(ratio)} of the channels removed${alone.length > 0 ? '' : ' and the rest repaired'} (${percent(top.macsFraction)} of the multiply-accumulates left)`;
  const chance = chanceOf(data, measure);
  const topError = errorOf(data, top, measure);
  if (chance !== undefined && top[measure] <= chance + 2 * (topError ?? 0)) {
    return `${condition}, no criterion is clearly above the ${percent(chance)} of predicting a single class: the best, ${top.criterion}, reaches ${percent(top[measure])} ${word}. ${unpruned}`;
  }
  if (!xai || !reference) {
    const only = xai ? 'no reference criterion was measured' : 'no XAI criterion was measured';
    return `${condition}, ${top.criterion} reaches ${percent(top[measure])} ${word}; ${only}. ${unpruned}`;
  }
  const other = top === xai ? reference : xai;
  const kind = top === xai ? 'the best reference criterion' : 'the best XAI criterion';
  const error = differenceError(data, top, other, measure);
  const gap = top[measure] - other[measure];
  const figures = `${top.criterion} reaches ${percent(top[measure])} ${word}; ${kind}, ${other.criterion}, reaches ${percent(other[measure])}`;
  const doubt =
    gap === 0
      ? ', no difference'
      : error !== undefined && gap <= 2 * error
        ? `, a difference within the sampling error of ${data.data.test} test samples${over(top, other)}`
        : '';
  return `${condition}, ${figures}${doubt}. ${unpruned}`;
}

function over(...rows: readonly ReportRow[]): string {
  const seeds = seedsText(rows);
  return seeds === undefined ? '' : ` and ${seeds}`;
}

function best(
  rows: readonly ReportRow[],
  measure: Measure,
  family: ReportRow['family'],
): ReportRow | undefined {
  return rows
    .filter((row) => row.family === family)
    .reduce<ReportRow | undefined>((a, b) => (a && a[measure] >= b[measure] ? a : b), undefined);
}

/** Standard error of a difference. Both networks see the same samples, so in practice the sum of variances is an upper bound. */
function differenceError(data: ReportData, a: ReportRow, b: ReportRow, measure: Measure): number | undefined {
  const [first, second] = [errorOf(data, a, measure), errorOf(data, b, measure)];
  return first === undefined || second === undefined ? undefined : Math.hypot(first, second);
}

/** Standard error from the test samples and, with several seeds, from the mean over seeds. */
function errorOf(data: ReportData, row: ReportRow, measure: Measure): number | undefined {
  const binomial = binomialError(data, row, measure);
  const { seeds = 1 } = row;
  const deviation = seeds > 1 ? (deviationOf(row, measure) ?? 0) : 0;
  return binomial === undefined ? undefined : Math.hypot(binomial, deviation / Math.sqrt(seeds));
}

/** Binomial standard error. Balanced accuracy needs the count of each class; undefined if unknown. */
function binomialError(data: ReportData, row: ReportRow, measure: Measure): number | undefined {
  const { test, testPerClass } = data.data;
  // Other measures are no shares of samples.
  if (!ofClasses(data)) return undefined;
  if (measure === 'accuracy')
    return test > 0 ? Math.sqrt((row.accuracy * (1 - row.accuracy)) / test) : undefined;
  if (!testPerClass) return undefined;
  let variance = 0;
  let classes = 0;
  row.recall.forEach((recall, i) => {
    const count = testPerClass[i] ?? 0;
    if (!Number.isFinite(recall) || count === 0) return;
    variance += (recall * (1 - recall)) / count;
    classes++;
  });
  return classes > 0 ? Math.sqrt(variance) / classes : undefined;
}
