// What `prune` wrote, as text.
import type { AutoResult, PruneResult } from '../../../app/prune.ts';
import type { PruneBundleResult } from '../../../app/prune-bundle.ts';
import type { LayerRepair } from '../../../repair/index.ts';
import { describeUncounted } from '../../../report/index.ts';
import { formatCount, formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { describeLevels } from '../../terminal/levels.ts';
import { describeScoreRemarks } from '../../terminal/score-remarks.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Before and after, and the channels kept of each group. */
export function describePruning(result: PruneResult): string {
  const { macs, parameters, groups, labelled } = result;
  const word = labelled ? 'accuracy' : 'agreement with the unpruned network';
  const pairs: [string, string, string, string][] = [
    ['MACs', formatCount(macs / result.macsFraction), formatCount(macs), formatPercent(result.macsFraction)],
    [
      'parameters',
      formatCount(parameters / result.parametersFraction),
      formatCount(parameters),
      formatPercent(result.parametersFraction),
    ],
    [
      'time a sample',
      formatSeconds(result.msPerSampleBefore / 1000),
      formatSeconds(result.msPerSampleAfter / 1000),
      `${result.speedup.toFixed(2)} times faster`,
    ],
    [word, formatPercent(result.accuracyBefore), formatPercent(result.accuracyAfter), ''],
    [
      'balanced accuracy',
      formatPercent(result.balancedAccuracyBefore),
      formatPercent(result.balancedAccuracyAfter),
      '',
    ],
  ];
  return [
    table(['', '>before', '>after', ''], pairs),
    ...describeUncounted(result.uncounted),
    '',
    ...(result.auto ? describeChoice(result.auto) : []),
    ...describeScoreRemarks(result.scoreRemarks ?? []),
    ...(result.repairs ? describeRepairs(result.repairs) : []),
    `Channels kept, by ${result.auto?.picked ?? result.criterion}, in blocks of ${result.block}`,
    indent(
      table(
        ['>group', '>channels', '>kept', 'layers'],
        groups.map(({ id, channels, kept, layers }) => [
          String(id),
          String(channels),
          String(kept),
          layers.join(', '),
        ]),
      ),
    ),
    '',
    `written: ${result.out}`,
  ].join('\n');
}

/** How near the repaired layers came to what the unpruned ones gave. */
function describeRepairs(repairs: readonly LayerRepair[]): string[] {
  const rows = repairs.map(({ layer, errorBefore, errorAfter, refit }) => [
    layer,
    formatPercent(errorBefore),
    refit ? formatPercent(errorAfter) : 'left as it was',
  ]);
  const title = 'Layers refit, and their error on held-out samples as a share of the variance';
  return [title, indent(table(['layer', '>cut', '>repaired'], rows)), ''];
}

/** What `auto` measured and took. */
function describeChoice({ picked, reason, candidates, measure, repaired }: AutoResult): string[] {
  if (repaired) {
    const rows = candidates.map((row) => [
      row.criterion,
      row.difference.toPrecision(3),
      formatPercent(row.measure),
    ]);
    const titles = ['criterion', '>distance, repaired', '>same answer'];
    return [`auto took ${picked}: ${reason}`, ...(rows.length > 0 ? [indent(table(titles, rows))] : []), ''];
  }
  const rows = candidates.map((row) => [
    row.criterion,
    formatPercent(row.screened),
    row.halves === undefined ? '' : formatPercent(row.halves),
    row.difference.toFixed(4),
  ]);
  const titles = ['criterion', `>${measure} as cut`, '>by halves', '>change of probabilities'];
  return [`auto took ${picked}: ${reason}`, indent(table(titles, rows)), ''];
}

/** The network of a bundle at chosen levels: its costs, and the channels kept of each group. */
export function describeBundlePruning(result: PruneBundleResult): string {
  const { macs, parameters, accuracy, lowerBound } = result;
  const measured =
    accuracy !== null && lowerBound !== null
      ? `${result.measure} when packed: ${formatPercent(accuracy)}, at least ${formatPercent(lowerBound)} with 95 % confidence`
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
    indent(
      table(
        ['>group', '>level', '>channels', '>kept', 'layers'],
        result.groups.map(({ id, channels, kept, layers }) => [
          String(id),
          String(result.levels[id]),
          String(channels),
          String(kept),
          layers.join(', '),
        ]),
      ),
    ),
    '',
    `written: ${result.out}`,
  ].join('\n');
}
