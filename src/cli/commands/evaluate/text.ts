// What `evaluate` found, as text.

import type { EvaluateResult } from '../../../app/evaluate.ts';
import { describePrior } from '../../../app/samples/class-prior.ts';
import { describeUncounted } from '../../../report/index.ts';
import {
  counted,
  formatCount,
  formatMeasure,
  formatPercent,
  formatSeconds,
  MEASURE_WORDS,
  type MeasureName,
  plainLine,
} from '../../../util/index.ts';
import { describeLevels } from '../../terminal/levels.ts';
import { indent, table } from '../../terminal/tables.ts';

/** The measures of the task, time and cost, and a table of classes, labels or values. */
export function describeEvaluated(result: EvaluateResult, threads: number): string {
  const { name, levels, variant = null, corrected = false } = result;
  return [
    ...(levels ? [plainLine(`${name}: ${describeLevels({ levels, variant, corrected })}`), ''] : []),
    ...describeMeasures(result),
    `time               ${formatSeconds(result.msPerSample / 1000)} a sample, ` +
      `${counted(threads, 'thread')}, batches of ${result.batch}`,
    `cost               ${formatCount(result.macs)} MACs a sample`,
    ...describeUncounted(result.uncounted),
    ...(result.recall.length > 0 || result.byLabel ? ['', indent(tableOf(result))] : []),
  ].join('\n');
}

function describeMeasures({ task, measures, n, classMix, classNames, threshold }: EvaluateResult): string[] {
  const prior = classMix ? `, for ${describePrior(classMix, classNames)}` : '';
  const rows = Object.entries(measures).map(([measure, value], i) => {
    const first = i === 0 ? ` of ${n} samples${prior}` : '';
    const above = measure === 'f1' && threshold !== undefined ? ` for scores above ${threshold}` : '';
    const word = MEASURE_WORDS[measure as MeasureName];
    return `${word.padEnd(19)}${formatMeasure(measure as MeasureName, value)}${first}${above}`;
  });
  return task === 'single-label' ? rows : [`${'task'.padEnd(19)}${task}`, ...rows];
}

function tableOf({ recall, byLabel, classNames, perClass }: EvaluateResult): string {
  if (byLabel) return tableOfLabels(byLabel);
  return table(
    ['>class', 'name', '>samples', '>recall'],
    recall.map((value, label) => [
      String(label),
      classNames[label] ?? '',
      String(perClass[label] ?? 0),
      Number.isNaN(value) ? '-' : formatPercent(value),
    ]),
  );
}

function tableOfLabels(byLabel: NonNullable<EvaluateResult['byLabel']>): string {
  const [first] = byLabel;
  const names = Object.keys(MEASURE_WORDS).filter((name): name is MeasureName => name in (first ?? {}));
  const counted = first?.positives !== undefined;
  const decided = first?.threshold !== undefined;
  return table(
    [
      ...['label', ...(counted ? ['>positive'] : [])],
      ...names.map((name) => `>${MEASURE_WORDS[name]}`),
      ...(decided ? ['>threshold'] : []),
    ],
    byLabel.map((row) => [
      ...[row.label, ...(counted ? [String(row.positives)] : [])],
      ...names.map((name) => formatMeasure(name, row[name] ?? Number.NaN)),
      ...(decided ? [String(row.threshold)] : []),
    ]),
  );
}
