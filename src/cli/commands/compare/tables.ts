// Tables of a comparison of criteria: a measure by criterion and ratio.
import type { LabelFacts } from '../../../app/compare/comparison.ts';
import type { CriteriaComparison } from '../../../prune/index.ts';
import {
  formatPercent,
  hasClasses,
  largest,
  MEASURE_WORDS,
  smallest,
  TASK_MEASURES,
  type TaskKind,
} from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

type CompareRow = CriteriaComparison['rows'][number];

/** What the tables show: of a comparison, or of `compareCriteria`. */
export interface ComparedRows {
  readonly base: { readonly accuracy: number; readonly balancedAccuracy: number };
  readonly rows: readonly CompareRow[];
}

/** Criteria from best to worst by the mean over the ratios. */
export function ranking({ rows }: Pick<ComparedRows, 'rows'>, measure: Measure): string[] {
  const means = new Map<string, number>();
  for (const row of rows) {
    means.set(row.criterion, (means.get(row.criterion) ?? 0) + row[measure]);
  }
  return [...means].sort(([, a], [, b]) => b - a).map(([criterion]) => criterion);
}

/** Criterion by ratio, best first: the main measure, and balanced accuracy for imbalanced classes. */
export function comparisonTables(compared: ComparedRows, labels: LabelFacts, task?: TaskKind): string {
  return measures(labels, task)
    .map(([measure, word]) => matrix(compared, measure, word))
    .join('\n\n');
}

/** For each criterion and ratio, local calibration samples beside the two other sources. */
export function sourceTables({ base, rows }: ComparedRows, labels: LabelFacts): string {
  const found = (row: CompareRow, source: CompareRow['mix']): CompareRow | undefined =>
    rows.find(
      (other) => other.criterion === row.criterion && other.ratio === row.ratio && other.mix === source,
    );
  return measures(labels)
    .map(([measure, word]) => {
      const body = rows
        .filter(({ mix }) => mix === 'local')
        .map((row) => {
          const [local, uniform, wrong] = SOURCES.map(
            (source) => found(row, source)?.[measure] ?? Number.NaN,
          );
          const less = (other = Number.NaN): string => points((local ?? Number.NaN) - other);
          return [
            row.criterion,
            `${+(row.ratio * 100).toFixed(2)} %`,
            ...SOURCES.map((source) => shown(found(row, source), measure)),
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

const SOURCES = ['local', 'uniform', 'wrong'] as const;
type Measure = 'accuracy' | 'balancedAccuracy';

/** What is shown, in words. Of tasks without classes `accuracy` is the main measure. */
function measures(
  { labelled, imbalanced }: LabelFacts,
  task: TaskKind = 'single-label',
): readonly (readonly [Measure, string])[] {
  const word = hasClasses(task) ? 'Accuracy' : MEASURE_WORDS[TASK_MEASURES[task][0]];
  const accuracy = ['accuracy', labelled ? word : 'Agreement with the unpruned network'] as const;
  return imbalanced ? [accuracy, ['balancedAccuracy', 'Balanced accuracy (mean recall)']] : [accuracy];
}

/** A share, with its standard deviation if there is one. */
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

function matrix({ base, rows }: ComparedRows, measure: Measure, title: string): string {
  const ratios = [...new Set(rows.map((row) => row.ratio))];
  const cell = (criterion: string, ratio: number): CompareRow | undefined =>
    rows.find((row) => row.criterion === criterion && row.ratio === ratio);
  const order = ranking({ rows }, measure);
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
