// What `prune` wrote of a bundle, as text.
import type { PruneBundleResult } from '../../../app/prune/prune-bundle.ts';
import { describeUncounted, formatFigure } from '../../../report/index.ts';
import { formatCount, formatPercent, plainLine } from '../../../util/index.ts';
import { keptTable } from '../../terminal/kept-table.ts';
import { describeLevels } from '../../terminal/levels.ts';
import { table } from '../../terminal/tables.ts';

/** The network of a bundle at chosen levels: its costs, and the channels kept of each group. */
export function describeBundlePruning(result: PruneBundleResult): string {
  const { macs, parameters, accuracy, lowerBound } = result;
  const packed = { accuracy: { measure: result.measure } };
  const measured =
    accuracy !== null && lowerBound !== null
      ? `${result.measure} when packed: ${formatFigure(packed, accuracy)}, at least ${formatFigure(packed, lowerBound)} with 95 % confidence`
      : `not measured: bedside evaluate ${result.out} --data … does`;
  const share = (name: string, count: number, fraction: number): string[] => [
    ...[name, formatCount(count / fraction), formatCount(count), formatPercent(fraction)],
  ];
  return [
    plainLine(`${result.name}: ${describeLevels(result)}`),
    '',
    table(
      ['', '>unpruned', '>written', ''],
      [share('MACs', macs, result.macsFraction), share('parameters', parameters, result.parametersFraction)],
    ),
    ...describeUncounted(result.uncounted),
    '',
    measured,
    '',
    keptTable(result.groups, result.levels),
    '',
    `written: ${result.out}`,
  ].join('\n');
}
