// 1, 10 and 40 beds at real time.
import type { Bundle } from '../../src/bundle/index.ts';
import type { ResultTable } from '../lib/results.ts';
import { COLUMNS, DEADLINE, figures, replayed, wardPool } from './ward.ts';

const BEDS = [1, 10, 40] as const;

/** One row for each number of beds. */
export async function bedTables(
  bundle: Bundle,
  records: readonly string[],
  seconds: number,
): Promise<ResultTable[]> {
  const rows: (string | number)[][] = [];
  for (const beds of BEDS) {
    await using pool = wardPool(bundle);
    const before = process.cpuUsage();
    const result = await replayed(bundle, records.slice(0, beds), { pool, seconds });
    const { user, system } = process.cpuUsage(before);
    rows.push([beds, ...figures(result), ((user + system) / 1e4 / seconds).toFixed(0)]);
    process.stderr.write(`${rows.at(-1)?.join('  ')}\n`);
  }
  return [
    {
      title: 'Beds at real time',
      columns: ['beds', ...COLUMNS, 'processor of the monitor %'],
      rows,
      note:
        `${seconds} s of each record. Times are from R peak to answer; 433 ms of them are the signal behind the peak that the window ` +
        `needs, and up to 100 ms the packet that it ends in. A request has ${1000 * DEADLINE} ms. Wrong: answered beats whose ` +
        'class is not the annotated one. Beats without an answer at the end of a replay are those whose window leaves it.',
    },
  ];
}
