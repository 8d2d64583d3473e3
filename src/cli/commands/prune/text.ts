// What `prune` wrote, as text.
import type { AutoResult, PruneResult } from '../../../app/prune/prune.ts';
import type { RepairResult } from '../../../repair/index.ts';
import { describeUncounted } from '../../../report/index.ts';
import {
  formatCount,
  formatMeasure,
  formatPercent,
  formatSeconds,
  hasClasses,
  MEASURE_WORDS,
  type MeasureName,
  type TaskKind,
} from '../../../util/index.ts';
import { keptTable } from '../../terminal/kept-table.ts';
import { describeScoreRemarks } from '../../terminal/score-remarks.ts';
import { indent, table } from '../../terminal/tables.ts';
import { describeInt8, sizeRows } from '../quantize/text.ts';

/** Before and after, and the channels kept of each group. */
export function describePruning(result: PruneResult): string {
  const { macs, parameters, groups } = result;
  const pairs: [string, string, string, string][] = [
    ['MACs', formatCount(macs / result.macsFraction), formatCount(macs), formatPercent(result.macsFraction)],
    [
      'parameters',
      formatCount(parameters / result.parametersFraction),
      formatCount(parameters),
      formatPercent(result.parametersFraction),
    ],
    result.speedNotMeasured === undefined
      ? [
          'time a sample',
          formatSeconds(result.msPerSampleBefore / 1000),
          formatSeconds(result.msPerSampleAfter / 1000),
          `${result.speedup.toFixed(2)} times faster`,
        ]
      : ['time a sample', '-', '-', 'not measured'],
    ...measureRows(result),
  ];
  return [
    table(['', '>before', '>after', ''], pairs),
    ...describeUncounted(result.uncounted),
    '',
    ...(result.int8
      ? [table(['', '>float32', '>eight bits', ''], sizeRows(result.int8)), '', ...describeInt8(result.int8)]
      : []),
    ...(result.auto ? describeChoice(result.auto, result.task) : []),
    ...describeScoreRemarks(result.scoreRemarks ?? []),
    ...(result.repairs ? describeRepairs(result.repairs) : []),
    `Channels kept, by ${result.auto?.picked ?? result.criterion}, in blocks of ${result.block}`,
    keptTable(groups),
    '',
    `written: ${result.out}`,
  ].join('\n');
}

/** The measures of the task before and after; of classes without labels also balanced agreement. */
function measureRows(result: PruneResult): [string, string, string, string][] {
  const { task, labelled, measureBefore, measureAfter } = result;
  const rows = Object.entries(measureBefore).map(([name, before]): [string, string, string, string] => {
    const measure = name as MeasureName;
    const after = measureAfter[measure] ?? Number.NaN;
    return [MEASURE_WORDS[measure], formatMeasure(measure, before), formatMeasure(measure, after), ''];
  });
  if (labelled) return rows;
  if (!hasClasses(task)) return rows;
  const { balancedAccuracyBefore, balancedAccuracyAfter } = result;
  rows.push([
    'balanced accuracy',
    formatPercent(balancedAccuracyBefore),
    formatPercent(balancedAccuracyAfter),
    '',
  ]);
  return rows;
}

/** How near the repaired layers came to what the unpruned ones gave. */
function describeRepairs(repairs: RepairResult['layers']): string[] {
  const rows = repairs.map(({ layer, errorBefore, errorAfter, refit }) => [
    layer,
    formatPercent(errorBefore),
    refit ? formatPercent(errorAfter) : 'left as it was',
  ]);
  const title = 'Layers refit, and their error on held-out samples as a share of the variance';
  return [title, indent(table(['layer', '>cut', '>repaired'], rows)), ''];
}

/** What `auto` measured and took. */
function describeChoice(
  { picked, reason, candidates, measure, repaired, allocation }: AutoResult,
  task: TaskKind,
): string[] {
  if (repaired) {
    const rows = candidates.map((row) => [
      row.criterion,
      row.difference.toPrecision(3),
      formatPercent(row.measure),
    ]);
    const titles = ['criterion', '>distance, repaired', hasClasses(task) ? '>same answer' : '>agreement'];
    const shared = allocation
      ? [
          `groups keep shares of their own: after ${allocation.trials} trials, repaired on either half of the samples and ` +
            `measured on the other, distance ${allocation.distance.toPrecision(3)}; with one share for all ` +
            allocation.uniform.toPrecision(3),
        ]
      : [];
    const measured = rows.length > 0 ? [indent(table(titles, rows))] : [];
    return [`auto took ${picked}: ${reason}`, ...measured, ...shared, ''];
  }
  const share = ['accuracy', 'balanced accuracy', 'agreement'].includes(measure);
  const shown = (value: number): string => (share ? formatPercent(value) : value.toFixed(4));
  const rows = candidates.map((row) => [
    row.criterion,
    shown(row.screened),
    row.halves === undefined ? '' : shown(row.halves),
    row.difference.toFixed(4),
  ]);
  const titles = ['criterion', `>${measure} as cut`, '>by halves', '>change of probabilities'];
  return [`auto took ${picked}: ${reason}`, indent(table(titles, rows)), ''];
}
