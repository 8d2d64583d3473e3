// A comparison of criteria as `compare` and `demo` show it: tables for people, rows for programs, the report's data.
import type { Dataset } from '../data/index.ts';
import type { CompareRow, Comparison } from '../prune/index.ts';
import { formatPercent } from '../util/index.ts';
import { hashFile, type LoadedModel } from './load.ts';
import type { ReportData } from './report/report-data.ts';
import { indent, table } from './tables.ts';
import { VERSION } from './version.ts';

/** The rows of the contract: without what only the report shows. */
export function jsonRows(comparison: Comparison): readonly Omit<CompareRow, 'family'>[] {
  return comparison.rows.map(({ family: _, ...row }) => row);
}

/** What the unpruned network measures. */
export function jsonBase({ base }: Comparison) {
  const { accuracy, balancedAccuracy, recall, macs, parameters, n, msPerSample } = base;
  return { accuracy, balancedAccuracy, recall, macs, parameters, n, msPerSample };
}

/** Criteria from the best to the worst by the mean over the ratios. */
export function ranking(comparison: Comparison, measure: 'accuracy' | 'balancedAccuracy'): string[] {
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
  return Math.min(...present) * 2 < Math.max(...present);
}

/** Criterion by ratio, best first: accuracy, and balanced accuracy where classes are far from equally many. */
export function comparisonTables(comparison: Comparison, test: Dataset): string {
  const word = test.labels ? 'Accuracy' : 'Agreement with the unpruned network';
  const parts = [matrix(comparison, 'accuracy', word)];
  if (isImbalanced(test))
    parts.push(matrix(comparison, 'balancedAccuracy', 'Balanced accuracy (mean recall)'));
  return parts.join('\n\n');
}

function matrix({ base, rows }: Comparison, measure: 'accuracy' | 'balancedAccuracy', title: string): string {
  const ratios = [...new Set(rows.map((row) => row.ratio))];
  const cell = (criterion: string, ratio: number): CompareRow | undefined =>
    rows.find((row) => row.criterion === criterion && row.ratio === ratio);
  const order = ranking({ base, rows, seconds: {} }, measure);
  const body = order.map((criterion) => {
    const values = ratios.map((ratio) => cell(criterion, ratio)?.[measure] ?? Number.NaN);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [criterion, ...[...values, mean].map(formatPercent)];
  });
  const macs = ratios.map((ratio) => {
    const all = rows.filter((row) => row.ratio === ratio).map((row) => row.macsFraction);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return formatPercent(low) === formatPercent(high)
      ? formatPercent(low)
      : `${(low * 100).toFixed(0)}-${(high * 100).toFixed(0)} %`;
  });
  const titles = ['channels removed', ...ratios.map((ratio) => `>${+(ratio * 100).toFixed(2)} %`), '>mean'];
  return `${title}, unpruned ${formatPercent(base[measure])}\n${indent(table(titles, [...body, ['MACs left', ...macs, '']]))}`;
}

/** What the report draws. */
export async function reportData(
  loaded: LoadedModel,
  sets: { readonly calibration: Dataset; readonly test: Dataset },
  comparison: Comparison,
  words: { readonly title: string; readonly command: string },
): Promise<ReportData> {
  const { base, rows, seconds } = comparison;
  return {
    ...words,
    date: new Date().toISOString(),
    version: VERSION,
    model: {
      name: loaded.path,
      sha256: await hashFile(loaded.path),
      macs: base.macs,
      parameters: base.parameters,
    },
    data: {
      name: sets.test.name,
      sha256: sets.test.hash,
      calibration: sets.calibration.size,
      test: sets.test.size,
    },
    classNames: sets.test.classNames,
    base: { accuracy: base.accuracy, balancedAccuracy: base.balancedAccuracy, recall: base.recall },
    rows,
    seconds,
  };
}

/** This process's command as typed, quoted where a shell needs it. */
export function commandAsTyped(): string {
  const quote = (word: string): string =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  return ['bedside', ...process.argv.slice(2).map(quote)].join(' ');
}
