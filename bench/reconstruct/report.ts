// The study's tables.
import { type ResultTable, writeResults } from '../lib/results.ts';
import { SHARED_MODELS } from '../lib/shared.ts';
import { type Cell, CRITERIA, type Figure, FRACTIONS, type Job, MIXES, SEEDS, SIZES } from './plan.ts';

/** Points that a repaired network may lose at a share of MACs. */
const GOALS = [
  { what: 'sequential', method: 'sequential', mix: 'uniform', limits: { 0.25: 1, 0.1: 3 } },
  {
    what: 'tables, factors and summands alone, random mixes',
    method: 'corrected',
    mix: 'random',
    limits: { 0.25: 1.5, 0.1: 4 },
  },
  {
    what: 'tables, low rank besides, random mixes',
    method: 'low-rank',
    mix: 'random',
    limits: { 0.25: 1.5, 0.1: 4 },
  },
] as const;

const MAIN_SIZE = 20;

/** Writes `bench/results/reconstruct.md` and `.json`; returns the Markdown. */
export async function writeReport(jobs: readonly Job[], cells: readonly Cell[]): Promise<string> {
  const hours = cells.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
  return writeResults('reconstruct', {
    title: 'Repair without retraining',
    command: 'npm run bench:reconstruct',
    about:
      'Balanced accuracy on a fixed part of the test split: 50 images a class (300), 187 beats a class (935) of mitdb. ' +
      'Networks are cut and then repaired from the calibration samples alone, without labels. "None" is cut only; ' +
      '"sequential" is refit layer by layer for the one network; "tables" and "corrected" are networks put together of ' +
      "levels as a bundle's are, without and with the correction of a certified variant (factors and summands of channels, " +
      'a last layer of its own); "low rank" has changes of rank four besides, which `pack` fits where a variant still loses ' +
      `more than half a point. Adjacent mixes stay within one level of a common one, random ones are anywhere between unpruned and seven eighths removed, extreme ones are all at one or the other; up to three of each. Kept counts are not aligned to the engine.\n\n` +
      `Coverage: ${cells.length} of ${jobs.length} draws (model, criterion, size, seed), in ${hours.toFixed(1)} hours on two threads of a machine busy with other work. Running the command again goes on with the rest.`,
    tables: [goals(cells), ...SHARED_MODELS.flatMap(({ name }) => tablesOf(name, cells)), costs(cells)],
  });
}

function goals(cells: readonly Cell[]): ResultTable {
  const rows = GOALS.flatMap(({ what, method, mix, limits }) =>
    Object.entries(limits).flatMap(([fraction, limit]) =>
      SHARED_MODELS.map(({ name }) => {
        const drops = cells
          .filter((cell) => cell.model === name && cell.size === MAIN_SIZE && cell.criterion === 'auto')
          .flatMap((cell) => {
            const found = find(cell, method, mix, Number(fraction));
            return found ? [100 * (cell.unpruned - found.accuracy)] : [];
          });
        const drop = mean(drops);
        const verdict = drops.length === 0 ? 'not measured' : drop <= limit ? 'met' : 'missed';
        return [
          what,
          `${100 * Number(fraction)} %`,
          name,
          points(drops),
          `<= ${limit}`,
          verdict,
          drops.length,
        ];
      }),
    ),
  );
  return {
    title: `Goals: points of balanced accuracy lost, criterion auto, ${MAIN_SIZE} samples a class`,
    columns: ['repair', 'MACs left', 'model', 'points lost', 'goal', '', 'seeds'],
    rows,
  };
}

function tablesOf(model: string, cells: readonly Cell[]): ResultTable[] {
  const own = cells.filter((cell) => cell.model === model);
  if (own.length === 0) return [];
  const methods: [string, Figure['method'], Figure['mix']][] = [
    ['none', 'none', 'uniform'],
    ['sequential', 'sequential', 'uniform'],
    ...MIXES.flatMap((mix): [string, Figure['method'], Figure['mix']][] => [
      [`tables, ${mix}`, 'tables', mix],
      [`corrected, ${mix}`, 'corrected', mix],
      [`low rank, ${mix}`, 'low-rank', mix],
    ]),
  ];
  return SIZES.toSorted((a, b) => b - a).flatMap((size): ResultTable[] => {
    const rows = CRITERIA.flatMap((criterion) => {
      const group = own.filter((cell) => cell.size === size && cell.criterion === criterion);
      if (group.length === 0) return [];
      return methods.flatMap(([label, method, mix]) => {
        const values = FRACTIONS.map((fraction) =>
          group.flatMap((cell) => find(cell, method, mix, fraction)?.accuracy ?? []),
        );
        if (values.every((list) => list.length === 0)) return [];
        const seeds = Math.max(...values.map((list) => list.length));
        return [[criterion, label, ...values.map(accuracy), seeds]];
      });
    });
    if (rows.length === 0) return [];
    const base = own[0]?.unpruned.toFixed(3);
    const seeds = SEEDS.length;
    return [
      {
        title: `${model}: ${size} sample${size === 1 ? '' : 's'} a class`,
        columns: ['criterion', 'repair', ...FRACTIONS.map((f) => `${100 * f} % of MACs`), 'seeds'],
        rows,
        note: `Unpruned ${base}. Mean over the seeds measured (of ${seeds}) and the mixes drawn.`,
      },
    ];
  });
}

function costs(cells: readonly Cell[]): ResultTable {
  const rows = SHARED_MODELS.flatMap(({ name }) =>
    SIZES.toSorted((a, b) => a - b).flatMap((size) => {
      const own = cells.filter((cell) => cell.model === name && cell.size === size);
      if (own.length === 0) return [];
      const seconds = (of: (cell: Cell) => number, digits: number): string =>
        mean(own.map(of)).toFixed(digits);
      return [
        [
          name,
          size,
          seconds((c) => c.sequentialSeconds, 1),
          seconds((c) => c.tableSeconds, 1),
          seconds((c) => c.correctionSeconds, 2),
          points(own.flatMap((c) => c.lowRankSeconds ?? [])),
        ],
      ];
    }),
  );
  return {
    title: 'Seconds',
    columns: [
      'model',
      'samples a class',
      'one sequential repair',
      'all tables (7 levels)',
      'one correction',
      'its changes of low rank',
    ],
    rows,
    note: 'Two threads, by the clock, on a machine that did other work as well.',
  };
}

function find(
  cell: Cell,
  method: Figure['method'],
  mix: Figure['mix'],
  fraction: number,
): Figure | undefined {
  return cell.figures.find((f) => f.method === method && f.mix === mix && f.fraction === fraction);
}

function accuracy(values: readonly number[]): string {
  return values.length === 0 ? '' : mean(values).toFixed(3);
}

function points(values: readonly number[]): string {
  return values.length === 0 ? '' : mean(values).toFixed(1);
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
}
