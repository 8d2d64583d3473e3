// A comparison of criteria as `compare` and `demo` show it: tables for people, rows for programs, the report's data.
import { basename } from 'node:path';
import { hashFile, type Network } from '../app/index.ts';
import type { Dataset } from '../data/index.ts';
import type { CalibrationDrawName, CompareRow, CriteriaComparison } from '../prune/index.ts';
import type { MixRow, ReportData, ReportHeatmap } from '../report/index.ts';
import { formatPercent, largest, smallest, VERSION } from '../util/index.ts';
import { indent, table } from './terminal/tables.ts';

/** The rows of the contract: without what only the report shows. */
export function jsonRows(comparison: CriteriaComparison): readonly Omit<CompareRow, 'family'>[] {
  return comparison.rows.map(({ family: _, ...row }) => row);
}

/** What the unpruned network measures. */
export function jsonBase({ base }: CriteriaComparison) {
  const { accuracy, balancedAccuracy, recall, macs, uncounted, parameters, n, msPerSample } = base;
  return { accuracy, balancedAccuracy, recall, macs, uncounted, parameters, n, msPerSample };
}

/** Criteria from the best to the worst by the mean over the ratios. */
export function ranking(comparison: CriteriaComparison, measure: 'accuracy' | 'balancedAccuracy'): string[] {
  const means = new Map<string, number>();
  for (const row of comparison.rows) {
    means.set(row.criterion, (means.get(row.criterion) ?? 0) + row[measure]);
  }
  return [...means].sort(([, a], [, b]) => b - a).map(([criterion]) => criterion);
}

/** Whether some class has less than half the samples of another: then accuracy alone says little. */
export function isImbalanced(dataset: Dataset): boolean {
  if (!dataset.labels) return false;
  const counts = new Map<number, number>();
  for (const label of dataset.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const present = [...counts.values()];
  return smallest(present) * 2 < largest(present);
}

/** Criterion by ratio, best first: accuracy, and balanced accuracy where classes are far from equally many. */
export function comparisonTables(comparison: CriteriaComparison, test: Dataset): string {
  return measures(test)
    .map(([measure, word]) => matrix(comparison, measure, word))
    .join('\n\n');
}

/** Scores from the local mix beside those from the two others, for each criterion and ratio. */
export function mixTables({ base, rows }: CriteriaComparison, test: Dataset): string {
  const found = (row: CompareRow, mix: CalibrationDrawName): CompareRow | undefined =>
    rows.find((other) => other.criterion === row.criterion && other.ratio === row.ratio && other.mix === mix);
  return measures(test)
    .map(([measure, word]) => {
      const body = rows
        .filter(({ mix }) => mix === 'local')
        .map((row) => {
          const [local, uniform, wrong] = MIXES.map((mix) => found(row, mix)?.[measure] ?? Number.NaN);
          const less = (other = Number.NaN): string => points((local ?? Number.NaN) - other);
          return [
            row.criterion,
            `${+(row.ratio * 100).toFixed(2)} %`,
            ...MIXES.map((mix) => shown(found(row, mix), measure)),
            less(uniform),
            less(wrong),
          ];
        });
      const titles = [
        'scores by',
        '>removed',
        '>local',
        '>uniform',
        '>wrong',
        '>local - uniform',
        '>local - wrong',
      ];
      return `${word} on the local samples, unpruned ${formatPercent(base[measure])}\n${indent(table(titles, body))}`;
    })
    .join('\n\n');
}

/** What `auto` took at each ratio. */
export function picksOf({ rows }: CriteriaComparison): string | undefined {
  const picks = rows.flatMap(({ picked, ratio, mix }) =>
    picked === undefined ? [] : [`${picked} at ${+(ratio * 100).toFixed(2)} %${mix ? ` (${mix})` : ''}`],
  );
  return picks.length === 0 ? undefined : `auto took ${picks.join(', ')}`;
}

const MIXES = ['local', 'uniform', 'wrong'] as const;
type Measure = 'accuracy' | 'balancedAccuracy';

function measures(test: Dataset): readonly (readonly [Measure, string])[] {
  const accuracy = ['accuracy', test.labels ? 'Accuracy' : 'Agreement with the unpruned network'] as const;
  return isImbalanced(test)
    ? [accuracy, ['balancedAccuracy', 'Balanced accuracy (mean recall)']]
    : [accuracy];
}

/** A share, with its standard deviation where there is one. */
function shown(row: CompareRow | undefined, measure: Measure): string {
  if (!row) return '-';
  const std = measure === 'accuracy' ? row.accuracyStd : row.balancedAccuracyStd;
  return std === undefined
    ? formatPercent(row[measure])
    : `${(row[measure] * 100).toFixed(1)} ± ${(std * 100).toFixed(1)} %`;
}

function points(difference: number): string {
  return `${difference < 0 ? '-' : '+'}${Math.abs(difference * 100).toFixed(1)}`;
}

function matrix({ base, rows }: CriteriaComparison, measure: Measure, title: string): string {
  const ratios = [...new Set(rows.map((row) => row.ratio))];
  const cell = (criterion: string, ratio: number): CompareRow | undefined =>
    rows.find((row) => row.criterion === criterion && row.ratio === ratio);
  const order = ranking({ base, rows, seconds: {}, remarks: {} }, measure);
  const body = order.map((criterion) => {
    const cells = ratios.map((ratio) => cell(criterion, ratio));
    const mean = cells.reduce((sum, row) => sum + (row?.[measure] ?? Number.NaN), 0) / cells.length;
    return [criterion, ...cells.map((row) => shown(row, measure)), formatPercent(mean)];
  });
  const macs = ratios.map((ratio) => {
    const all = rows.filter((row) => row.ratio === ratio).map((row) => row.macsFraction);
    const [low, high] = [smallest(all), largest(all)];
    return formatPercent(low) === formatPercent(high)
      ? formatPercent(low)
      : `${(low * 100).toFixed(0)}-${(high * 100).toFixed(0)} %`;
  });
  const titles = ['channels removed', ...ratios.map((ratio) => `>${+(ratio * 100).toFixed(2)} %`), '>mean'];
  return `${title}, unpruned ${formatPercent(base[measure])}\n${indent(table(titles, [...body, ['MACs left', ...macs, '']]))}`;
}

/** What the report draws. */
export async function reportData(
  loaded: Network,
  sets: { readonly calibration: Dataset; readonly test: Dataset },
  comparison: CriteriaComparison,
  words: {
    readonly title: string;
    readonly command: string;
    readonly recallRatio?: number;
    readonly heatmaps?: readonly ReportHeatmap[];
  },
): Promise<ReportData> {
  const { base, rows, seconds } = comparison;
  const mixRows = rows.flatMap((row): MixRow[] => (row.mix ? [{ ...row, mix: row.mix }] : []));
  return {
    ...words,
    date: new Date().toISOString(),
    version: VERSION,
    model: {
      name: basename(loaded.name),
      sha256: await hashFile(loaded.name),
      macs: base.macs,
      uncounted: base.uncounted,
      parameters: base.parameters,
    },
    data: {
      name: sets.test.name,
      sha256: sets.test.hash,
      calibration: sets.calibration.size,
      test: sets.test.size,
      ...(sets.test.labels ? { testPerClass: perClass(sets.test, base.recall.length) } : {}),
    },
    classNames: sets.test.classNames,
    base: { accuracy: base.accuracy, balancedAccuracy: base.balancedAccuracy, recall: base.recall },
    rows: rows.filter(({ mix }) => mix === undefined || mix === 'local'),
    ...(mixRows.length > 0 ? { mix: mixRows } : {}),
    seconds,
  };
}

function perClass({ labels }: Dataset, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels ?? []) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** This process's command as typed, quoted where a shell needs it. */
export function commandAsTyped(): string {
  const quote = (word: string): string =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  return ['bedside', ...process.argv.slice(2).map(quote)].join(' ');
}
