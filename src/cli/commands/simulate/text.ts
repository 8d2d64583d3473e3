// A simulated ward for people: what each planner reached, and its course over time.
import type { SimulatedEpisode, SimulatedRow, SimulateResult } from '../../../app/simulate/simulate.ts';
import { figureWord } from '../../../report/index.ts';
import type { RequestOutcome } from '../../../simulate/index.ts';
import { formatJoules, formatPercent, formatSeconds, largest, plainLine } from '../../../util/index.ts';
import { meanSparkline } from '../../terminal/sparkline.ts';
import { table } from '../../terminal/tables.ts';

const COLUMNS = 48;

/** A simulation: means, the course over time, and why requests were refused. */
export function describeSimulation(result: SimulateResult): string {
  const { bundles, place, requests, seed, rows, episodes } = result;
  const refusals = describeRefusals(rows);
  return [
    `${plainLine(`${bundles.join(', ')} in ${place}`)}: ${requests} requests, seed ${seed}`,
    '',
    describeRows(rows, sharedTitle(result)),
    ...describeFigures(result),
    '',
    describeCourse(episodes),
    ...(refusals === '' ? [] : ['', refusals]),
  ].join('\n');
}

/** Means of every planner, the best objective first. */
function describeRows(rows: readonly SimulatedRow[], figure: string): string {
  const orDash = (value: number | null, format: (value: number) => string): string =>
    value === null ? '-' : format(value);
  const sorted = rows.toSorted((a, b) => (a.objective ?? 0) - (b.objective ?? 0));
  return table(
    [
      'solver',
      '>objective',
      '>latency',
      '>95 %',
      '>energy',
      `>${figure}`,
      '>decides in',
      '>served',
      '>late',
      '>lost',
      '>refused',
      '>broken',
    ],
    sorted.map((row) => [
      row.solver,
      orDash(row.objective, (value) => value.toFixed(3)),
      orDash(row.latency, formatSeconds),
      orDash(row.latencyP95, formatSeconds),
      orDash(row.energy, formatJoules),
      orDash(row.accuracy, formatPercent),
      orDash(row.decisionMs, (value) => formatSeconds(value / 1000)),
      ...[row.served, row.late, row.lost, row.refused, row.violations].map(String),
    ]),
  );
}

/** What the bundles' measures are called: accuracy where they differ. */
function sharedTitle({ measures }: SimulateResult): string {
  const words = new Set(measures.map((measure) => figureWord({ measure })));
  return words.size === 1 ? ([...words][0] ?? 'accuracy') : 'accuracy';
}

/** What accuracy is for each bundle, where the measures differ in more than how classes are weighed. */
function describeFigures({ bundles, measures }: SimulateResult): string[] {
  const words = measures.map((measure) => figureWord({ measure }));
  if (new Set(words).size < 2) return [];
  return [plainLine(`accuracy: ${bundles.map((name, i) => `${words[i]} of ${name}`).join(', ')}`)];
}

/** Why requests were refused, a line a planner; empty if none was. */
function describeRefusals(rows: readonly SimulatedRow[]): string {
  return rows
    .filter(({ refused }) => refused > 0)
    .map(({ solver, refusals, violated }) => {
      const reasons = Object.entries(refusals).map(([reason, count]) => `${reason} ${count}`);
      const broken = Object.entries(violated).map(([constraint, count]) => `${constraint} ${count}`);
      return `refused by ${solver}: ${reasons.join(', ')}${broken.length > 0 ? ` (${broken.join(', ')})` : ''}`;
    })
    .join('\n');
}

/** Mean objective over time, a row of blocks a planner, all on one scale. */
function describeCourse(episodes: readonly SimulatedEpisode[]): string {
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

/** NaN for a column without requests. */
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
