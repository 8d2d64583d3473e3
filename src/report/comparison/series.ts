// The rows of a report as series to draw and tables to fill: one series for each criterion, with and without reconstruction.

import { largest, smallest } from '../../util/index.ts';
import type { MixRow, ReportData, ReportRow } from './report-data.ts';

/** One of the two accuracies. */
export type Measure = 'accuracy' | 'balancedAccuracy';

/** One criterion's measurements, from the fewest channels removed to the most. */
export interface Series {
  readonly name: string;
  readonly criterion: string;
  readonly family: ReportRow['family'];
  readonly reconstruct: boolean;
  readonly rows: readonly ReportRow[];
  /** Position among the series of its family: chooses colour, dashes and marker. */
  readonly style: number;
}

/** Series in the order of the rows, XAI criteria first. A suffix tells reconstruction where both kinds are there. */
export function seriesOf(data: ReportData): Series[] {
  const both = new Set(data.rows.map((row) => row.reconstruct)).size === 2;
  const rows = new Map<string, ReportRow[]>();
  for (const row of data.rows) {
    const name = both && row.reconstruct ? `${row.criterion} + reconstruction` : row.criterion;
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

const MIXES = ['local', 'uniform', 'wrong'] as const;

/**
 * Series of the class mixes, the local ones first: in colour, as what is to be shown; the others as what they are set
 * against.
 */
export function mixSeriesOf(rows: readonly MixRow[]): Series[] {
  const single = new Set(rows.map((row) => row.criterion)).size === 1;
  const counts = { xai: 0, reference: 0 };
  return MIXES.flatMap((mix) => {
    const ofMix = rows.filter((row) => row.mix === mix);
    const family = mix === 'local' ? 'xai' : 'reference';
    return [...new Set(ofMix.map((row) => row.criterion))].flatMap((criterion) =>
      [false, true].flatMap((reconstruct): Series[] => {
        const own = ofMix.filter((row) => row.criterion === criterion && row.reconstruct === reconstruct);
        if (own.length === 0) return [];
        const name = `${single ? '' : `${criterion}, `}${mix} mix${reconstruct ? ' + reconstruction' : ''}`;
        const sorted = own.toSorted((a, b) => a.ratio - b.ratio);
        return [{ name, criterion, family, reconstruct, rows: sorted, style: counts[family]++ }];
      }),
    );
  });
}

/** The ratios measured, ascending. */
export function ratiosOf(rows: readonly ReportRow[]): number[] {
  return [...new Set(rows.map((row) => row.ratio))].sort((a, b) => a - b);
}

/** The standard deviation of a measure over seeds, where it is known. */
export function deviationOf(row: ReportRow, measure: Measure): number | undefined {
  const value = measure === 'accuracy' ? row.accuracyStd : row.balancedAccuracyStd;
  return value !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** `5 seeds`, `3 to 5 seeds`; undefined when no row says how many. */
export function seedsText(rows: readonly ReportRow[]): string | undefined {
  const counts = rows.flatMap((row) => row.seeds ?? []);
  if (counts.length === 0) return undefined;
  const [least, most] = [smallest(counts), largest(counts)];
  return `${least === most ? '' : `${least} to `}${most} ${most === 1 ? 'seed' : 'seeds'}`;
}

/** Whether the classes are uneven enough for the two accuracies to tell different stories. */
export function isImbalanced(data: ReportData): boolean {
  return [data.base, ...data.rows].some((row) => Math.abs(row.accuracy - row.balancedAccuracy) > 0.005);
}

/**
 * What a network that answers one class reaches: 1 / classes for balanced accuracy, the largest class's share for
 * accuracy. Undefined when that share is unknown.
 */
export function chanceOf(data: ReportData, measure: Measure): number | undefined {
  const counts = data.data.testPerClass;
  if (measure === 'accuracy' && counts) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return total > 0 ? largest(counts) / total : undefined;
  }
  if (measure === 'accuracy' && isImbalanced(data)) return undefined;
  // A class without samples has no recall, and is left out of balanced accuracy.
  const classes = data.base.recall.filter(Number.isFinite).length || data.classNames.length;
  return classes > 0 ? 1 / classes : undefined;
}

/** `84.6 %`, or a dash for what was not measured. */
export function percent(fraction: number | undefined): string {
  if (fraction === undefined || !Number.isFinite(fraction)) return '–';
  return `${(fraction * 100).toFixed(1)} %`;
}

/** A ratio as people write it: `30 %`, `12.5 %`. */
export function ratioText(ratio: number): string {
  return `${Number((ratio * 100).toFixed(1))} %`;
}
