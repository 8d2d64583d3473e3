// What `evaluate` found, as text.
import { describePrior } from '../../../app/class-prior.ts';
import type { EvaluateResult } from '../../../app/evaluate.ts';
import { describeUncounted } from '../../../report/index.ts';
import { formatCount, formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { describeLevels } from '../../terminal/levels.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Accuracy, time and cost, and a table of the classes. */
export function describeEvaluated(result: EvaluateResult, threads: number): string {
  const { name, levels, variant = null, corrected = false, classMix, classNames } = result;
  const prior = classMix ? `, for ${describePrior(classMix, classNames)}` : '';
  return [
    ...(levels ? [plainLine(`${name}: ${describeLevels({ levels, variant, corrected })}`), ''] : []),
    `accuracy           ${formatPercent(result.accuracy)} of ${result.n} samples${prior}`,
    `balanced accuracy  ${formatPercent(result.balancedAccuracy)}`,
    `time               ${formatSeconds(result.msPerSample / 1000)} a sample, ` +
      `${threads} thread${threads === 1 ? '' : 's'}, batches of ${result.batch}`,
    `cost               ${formatCount(result.macs)} MACs a sample`,
    ...describeUncounted(result.uncounted),
    '',
    indent(
      table(
        ['>class', 'name', '>samples', '>recall'],
        result.recall.map((recall, label) => [
          String(label),
          classNames[label] ?? '',
          String(result.perClass[label] ?? 0),
          Number.isNaN(recall) ? '-' : formatPercent(recall),
        ]),
      ),
    ),
  ].join('\n');
}
