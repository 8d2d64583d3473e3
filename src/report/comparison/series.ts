// The rows of a report as series for charts and tables: one series per criterion, with and without repair.

import { counted, largest, MEASURE_WORDS, smallest } from '../../util/index.ts';
import type { ReportData, ReportRow, SourceRow } from './report-data.ts';

/** Accuracy or balanced accuracy. */
export type Measure = 'accuracy' | 'balancedAccuracy';

/** One criterion's measurements, from the fewest channels removed to the most. */
export interface Series {
  readonly name: string;
  readonly criterion: string;
  readonly family: ReportRow['family'];
  readonly reconstruct: boolean;
  readonly rows: readonly ReportRow[];
  /** Index among the series of its family; selects colour, dashes and marker. */
  readonly style: number;
}

/** Groups rows into series, XAI criteria first. If both kinds of rows occur, a suffix marks the repaired ones. */
export function seriesOf(data: ReportData): Series[] {
  const both = new Set(data.rows.map((row) => row.reconstruct)).size === 2;
  const rows = new Map<string, ReportRow[]>();
  for (const row of data.rows) {
    const name = both && row.reconstruct ? `${row.criterion} + repair` : row.criterion;
    const list = rows.get(name);
    if (list) list.push(row);
    else rows.set(name, [row]);
  }
  const counts = { xai: 0, reference: 0 };
  const series = [...rows].map(([name, list]): Series => {
    const [{ criterion, family, reconstruct }] = list as [ReportRow];
    const sorted = [...list].sort((a, b) => a.ratio - b.ratio);
    return { name, criterion, family, reconstruct, rows: sorted, style: counts[family]++ };
  });
  return [...series.filter((s) => s.family === 'xai'), ...series.filter((s) => s.family === 'reference')];
}

const SOURCES = ['local', 'uniform', 'wrong'] as const;

/** Groups rows by calibration source. The local series come first, in colour; the others are drawn as references. */
export function sourceSeriesOf(rows: readonly SourceRow[]): Series[] {
  const single = new Set(rows.map((row) => row.criterion)).size === 1;
  const counts = { xai: 0, reference: 0 };
  return SOURCES.flatMap((source) => {
    const ofSource = rows.filter((row) => row.mix === source);
    const family = source === 'local' ? 'xai' : 'reference';
    return [...new Set(ofSource.map((row) => row.criterion))].flatMap((criterion) =>
      [false, true].flatMap((reconstruct): Series[] => {
        const own = ofSource.filter((row) => row.criterion === criterion && row.reconstruct === reconstruct);
        if (own.length === 0) return [];
        const name = `${single ? '' : `${criterion}, `}${source} mix${reconstruct ? ' + repair' : ''}`;
        const sorted = own.toSorted((a, b) => a.ratio - b.ratio);
        return [{ name, criterion, family, reconstruct, rows: sorted, style: counts[family]++ }];
      }),
    );
  });
}

/** The measured ratios, ascending. */
export function ratiosOf(rows: readonly ReportRow[]): number[] {
  return [...new Set(rows.map((row) => row.ratio))].sort((a, b) => a - b);
}

/** The standard deviation of a measure over seeds; undefined if unknown. */
export function deviationOf(row: ReportRow, measure: Measure): number | undefined {
  const value = measure === 'accuracy' ? row.accuracyStd : row.balancedAccuracyStd;
  return value !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** `5 seeds` or `3 to 5 seeds`; undefined if no row has a number of seeds. */
export function seedsText(rows: readonly ReportRow[]): string | undefined {
  const counts = rows.flatMap((row) => row.seeds ?? []);
  if (counts.length === 0) return undefined;
  const [least, most] = [smallest(counts), largest(counts)];
  return `${least === most ? '' : `${least} to `}${counted(most, 'seed')}`;
}

/** Whether accuracy and balanced accuracy differ enough to show both. */
export function isImbalanced(data: ReportData): boolean {
  return [data.base, ...data.rows].some((row) => Math.abs(row.accuracy - row.balancedAccuracy) > 0.005);
}

/** Whether the measures are accuracies of classes; otherwise `accuracy` holds the main measure of another task. */
export function ofClasses({ measure = 'accuracy' }: Pick<ReportData, 'measure'>): boolean {
  return measure === 'accuracy';
}

/** The measure in words, as in the middle of a sentence. */
export function wordOf(data: Pick<ReportData, 'measure'>, measure: Measure): string {
  if (!ofClasses(data)) return MEASURE_WORDS[data.measure ?? 'accuracy'];
  return measure === 'accuracy' ? 'accuracy' : 'balanced accuracy';
}

/** The measure in words, as in a title. */
export function titleOf(data: Pick<ReportData, 'measure'>, measure: Measure): string {
  const word = wordOf(data, measure);
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

/**
 * The measure of a network that always predicts one class: 1 / classes for balanced accuracy, the share of the largest
 * class for accuracy. Undefined if that share is unknown.
 */
export function chanceOf(data: ReportData, measure: Measure): number | undefined {
  if (!ofClasses(data)) return undefined;
  const counts = data.data.testPerClass;
  if (measure === 'accuracy' && counts) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return total > 0 ? largest(counts) / total : undefined;
  }
  if (measure === 'accuracy' && isImbalanced(data)) return undefined;
  // A class without samples has no recall; balanced accuracy leaves it out.
  const classes = data.base.recall.filter(Number.isFinite).length || data.classNames.length;
  return classes > 0 ? 1 / classes : undefined;
}

/** `84.6 %`, or a dash if not measured. */
export function percent(fraction: number | undefined): string {
  if (fraction === undefined || !Number.isFinite(fraction)) return '–';
  return `${(fraction * 100).toFixed(1)} %`;
}

/** A ratio as a short percentage: `30 %`, `12.5 %`. */
export function ratioText(ratio: number): string {
  return `${Number((ratio * 100).toFixed(1))} %`;
}
