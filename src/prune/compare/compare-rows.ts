// The rows of a comparison. Rows of several draws of samples become one, with mean and standard deviation.
import type { Measures } from '../../evaluate/index.ts';
import { type MeasureName, must } from '../../util/index.ts';

/** Names of draws of samples for scoring: as the local classes occur, with all classes alike, or with wrong shares. */
export type CalibrationDrawName = 'local' | 'uniform' | 'wrong';

/** Measured networks: one, or the mean over several draws of samples for scoring. */
export interface CompareRow {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  readonly ratio: number;
  readonly reconstruct: boolean;
  /** Present where the network was measured in eight bits. */
  readonly int8?: true;
  /** The measures of the task by name, the main one first; agreement alone without labels. */
  readonly measures: Measures;
  /** Of tasks without classes the main measure, as the next. */
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly recall: readonly number[];
  /** Agreement with the unpruned network: of classes, the share of samples with the same one (docs/tasks.md). */
  readonly agreement: number;
  readonly macs: number;
  readonly macsFraction: number;
  /** The name of the draw of the samples for scoring, where several are compared. */
  readonly mix?: CalibrationDrawName;
  /** The choice of `auto`; with several draws, the most frequent one. */
  readonly picked?: string;
  /** With several draws: how many, and the standard deviation over them (n - 1). */
  readonly seeds?: number;
  readonly accuracyStd?: number;
  readonly balancedAccuracyStd?: number;
}

/** Merges the rows of one criterion with the same draw name and ratio, in the order of their first rows. */
export function mergeRows(rows: readonly CompareRow[]): CompareRow[] {
  const groups = new Map<string, CompareRow[]>();
  for (const row of rows) {
    const key = `${row.criterion} ${row.mix ?? ''} ${row.ratio}`;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()].map(merged);
}

function merged(rows: readonly CompareRow[]): CompareRow {
  const first = must(rows[0], 'a row to merge');
  if (rows.length === 1) return first;
  const mean = (of: (row: CompareRow) => number): number =>
    rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const std = (of: (row: CompareRow) => number): number => {
    const centre = mean(of);
    return Math.sqrt(rows.reduce((sum, row) => sum + (of(row) - centre) ** 2, 0) / (rows.length - 1));
  };
  const picked = mostFrequent(rows.flatMap((row) => row.picked ?? []));
  return {
    ...first,
    family: rows.find((row) => row.picked === picked)?.family ?? first.family,
    measures: Object.fromEntries(
      Object.keys(first.measures).map((name) => [
        name,
        mean((row) => row.measures[name as MeasureName] ?? Number.NaN),
      ]),
    ),
    accuracy: mean((row) => row.accuracy),
    balancedAccuracy: mean((row) => row.balancedAccuracy),
    recall: first.recall.map((_, label) => mean((row) => row.recall[label] ?? Number.NaN)),
    agreement: mean((row) => row.agreement),
    macs: Math.round(mean((row) => row.macs)),
    macsFraction: mean((row) => row.macsFraction),
    ...(picked === undefined ? {} : { picked }),
    seeds: rows.length,
    accuracyStd: std((row) => row.accuracy),
    balancedAccuracyStd: std((row) => row.balancedAccuracy),
  };
}

/** The first of those that occur most often. */
function mostFrequent(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].reduce<[string, number] | undefined>(
    (best, entry) => (best === undefined || entry[1] > best[1] ? entry : best),
    undefined,
  )?.[0];
}
