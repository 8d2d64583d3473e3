// The shipped policy's training, from its card, as numbers and as a picture.
import { readFile } from 'node:fs/promises';
import type { HistoryRow } from '../../src/learn/index.ts';
import type { ResultTable } from '../lib/results.ts';

interface Card {
  readonly training: { readonly source: string; readonly seed: number };
  readonly results: {
    readonly labels: number;
    readonly steps: number;
    readonly stepsPerSecond: number;
    readonly seconds: number;
    readonly gapToExact: number;
    readonly worstGap: number;
    readonly missed: number;
    readonly bytes: number;
  };
  readonly history: readonly HistoryRow[];
}

/** A table of what training was, and its curves. */
export async function curves(): Promise<{ readonly table: ResultTable; readonly picture: string }> {
  const { training, results, history } = JSON.parse(
    await readFile(new URL('../../models/policy.json', import.meta.url), 'utf8'),
  ) as Card;
  const table: ResultTable = {
    title: 'Training of the shipped policy',
    columns: [
      'source',
      'seed',
      'labels',
      'epochs',
      'steps of trials',
      'steps/s',
      'minutes',
      'held-back gap',
      'worst',
      'bytes',
    ],
    rows: [
      [
        ...[
          training.source,
          training.seed,
          results.labels,
          history.filter(({ phase }) => phase === 'imitation').length,
        ],
        ...[results.steps, Math.round(results.stepsPerSecond), (results.seconds / 60).toFixed(0)],
        ...[
          `${(100 * results.gapToExact).toFixed(2)} %`,
          `${(100 * results.worstGap).toFixed(1)} %`,
          results.bytes,
        ],
      ],
    ],
    note: 'Steps a second count drawing trials and learning from them, in one process, on two cores that other work kept busy.',
  };
  return { table, picture: picture(history) };
}

const WIDTH = 640;
const HEIGHT = 200;
const LEFT = 60;

/** Three small charts, one above the other, over minutes. */
function picture(history: readonly HistoryRow[]): string {
  const minutes = (row: HistoryRow): number => row.seconds / 60;
  const points = (of: (row: HistoryRow) => number | null): [number, number][] =>
    history.flatMap((row) => {
      const value = of(row);
      return value === null ? [] : [[minutes(row), value] as [number, number]];
    });
  const charts = [
    { title: 'loss of imitation', data: points((row) => (row.phase === 'imitation' ? row.loss : null)) },
    { title: 'mean reward of a trial', data: points((row) => row.reward) },
    { title: 'gap on held-back requests', data: points((row) => row.gap) },
  ];
  const body = charts.map(({ title, data }, at) => chart(title, data, at * (HEIGHT + 60)));
  const height = charts.length * (HEIGHT + 60) + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH + LEFT + 20} ${height}" font-family="sans-serif" font-size="12"><title>The course of training</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function chart(title: string, data: readonly (readonly [number, number])[], top: number): string {
  const xs = data.map(([x]) => x);
  const ys = data.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [Math.min(0, ...ys), Math.max(0, ...ys)];
  const x = (value: number): number => LEFT + ((value - x0) / Math.max(1e-9, x1 - x0)) * WIDTH;
  const y = (value: number): number => top + 30 + HEIGHT - ((value - y0) / Math.max(1e-9, y1 - y0)) * HEIGHT;
  const line = data.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(' ');
  return [
    `<text x="${LEFT}" y="${top + 20}" font-weight="bold">${title}</text>`,
    ...[y0, (y0 + y1) / 2, y1].map(
      (value) =>
        `<line x1="${LEFT}" x2="${LEFT + WIDTH}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/><text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${value.toPrecision(2)}</text>`,
    ),
    `<polyline points="${line}" fill="none" stroke="#1f6f8b" stroke-width="1.5"/>`,
    `<text x="${LEFT}" y="${top + HEIGHT + 46}">${x0.toFixed(0)} min</text><text x="${LEFT + WIDTH}" y="${top + HEIGHT + 46}" text-anchor="end">${x1.toFixed(0)} min</text>`,
  ].join('\n');
}
