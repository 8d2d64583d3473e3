// The accuracy-cost frontier of a bundle as a table for a terminal.

import {
  agreementTitle,
  type FrontierRow,
  formatFigure,
  levelsText,
  type MeasuredBundle,
  measureTitle,
} from '../../report/index.ts';
import { formatBytes, formatPercent, formatSeconds } from '../../util/index.ts';
import { table } from './tables.ts';

/** One line a row. */
export function frontierTable(manifest: MeasuredBundle, rows: readonly FrontierRow[]): string {
  const timed = rows.some(({ seconds }) => seconds !== undefined);
  return table(
    [
      '>variant',
      '>MACs',
      '>weights',
      ...(timed ? ['>time'] : []),
      `>${measureTitle(manifest)}`,
      '>at least',
      `>${agreementTitle(manifest)}`,
      'levels',
    ],
    rows.map((row) => [
      String(row.variant),
      formatPercent(row.macsFraction),
      formatBytes(row.weightBytes),
      ...(timed ? [row.seconds === undefined ? '' : formatSeconds(row.seconds)] : []),
      formatFigure(manifest, row.accuracy),
      formatFigure(manifest, row.lowerBound),
      formatPercent(row.agreement),
      levelsText(row.levels),
    ]),
  );
}
