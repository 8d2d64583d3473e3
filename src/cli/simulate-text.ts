// A simulated ward for people: what planners reached, and how it went over time.
import type { RequestOutcome, WardSummary } from '../simulate/index.ts';
import { formatJoules, formatPercent, formatSeconds, largest } from '../util/index.ts';
import { meanSparkline } from './terminal/sparkline.ts';
import { table } from './terminal/tables.ts';

/** One planner's row. */
export interface SimulatedRow extends WardSummary {
  readonly solver: string;
  /** How far its mean objective is above that of `exact`, relative; null where `exact` took no part. */
  readonly toExact: number | null;
}

const COLUMNS = 48;

/** Means of every planner, the best objective first. */
export function rowsText(rows: readonly SimulatedRow[]): string {
  const told = (value: number | null, format: (value: number) => string): string =>
    value === null ? '-' : format(value);
  const sorted = rows.toSorted((a, b) => (a.objective ?? 0) - (b.objective ?? 0));
  return table(
    [
      'solver',
      '>objective',
      '>latency',
      '>95 %',
      '>energy',
      '>accuracy',
      '>decides in',
      '>served',
      '>late',
      '>lost',
      '>refused',
      '>broken',
    ],
    sorted.map((row) => [
      row.solver,
      told(row.objective, (value) => value.toFixed(3)),
      told(row.latency, formatSeconds),
      told(row.latencyP95, formatSeconds),
      told(row.energy, formatJoules),
      told(row.accuracy, formatPercent),
      told(row.decisionMs, (value) => formatSeconds(value / 1000)),
      ...[row.served, row.late, row.lost, row.refused, row.violations].map(String),
    ]),
  );
}

/** Why requests were refused, a line a planner; empty where none was. */
export function refusalsText(rows: readonly SimulatedRow[]): string {
  return rows
    .filter(({ refused }) => refused > 0)
    .map(({ solver, refusals, violated }) => {
      const reasons = Object.entries(refusals).map(([reason, count]) => `${reason} ${count}`);
      const broken = Object.entries(violated).map(([constraint, count]) => `${constraint} ${count}`);
      return `refused by ${solver}: ${reasons.join(', ')}${broken.length > 0 ? ` (${broken.join(', ')})` : ''}`;
    })
    .join('\n');
}

/** Mean objective over time, a row of blocks a planner; all on one scale. */
export function courseText(
  episodes: readonly { readonly solver: string; readonly outcomes: readonly RequestOutcome[] }[],
): string {
  let end = 1e-9;
  for (const { outcomes } of episodes) for (const { arrived } of outcomes) end = Math.max(end, arrived);
  const width = largest(episodes.map(({ solver }) => solver.length));
  const columns = episodes.map(({ outcomes }) => meansOverTime(outcomes, end));
  const most = largest(columns.flat().filter(Number.isFinite));
  const rows = episodes.map(
    ({ solver }, i) => `${solver.padEnd(width)} |${meanSparkline(columns[i] ?? [], most)}|`,
  );
  return [
    'mean objective over time (lower is better; a request without a result in time counts its whole deadline and accuracy)',
    ...rows,
    `${' '.repeat(width)}  0${formatSeconds(end).padStart(COLUMNS - 1)}`,
  ].join('\n');
}

/** NaN where no request came. */
function meansOverTime(outcomes: readonly RequestOutcome[], end: number): number[] {
  const sums = new Float64Array(COLUMNS);
  const counts = new Float64Array(COLUMNS);
  for (const { arrived, objective } of outcomes) {
    const column = Math.min(COLUMNS - 1, Math.floor((arrived / end) * COLUMNS));
    sums[column] = (sums[column] ?? 0) + objective;
    counts[column] = (counts[column] ?? 0) + 1;
  }
  return Array.from(sums, (sum, i) => sum / (counts[i] ?? 0));
}
