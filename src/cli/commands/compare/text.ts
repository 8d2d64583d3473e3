// A comparison of criteria for people: its tables, and what they rest on.

import type { Comparison } from '../../../app/compare/comparison.ts';
import { describePrior } from '../../../app/samples/class-prior.ts';
import { describeUncounted } from '../../../report/index.ts';
import {
  formatMeasure,
  formatPercent,
  formatSeconds,
  MEASURE_WORDS,
  type MeasureName,
  plainLine,
} from '../../../util/index.ts';
import { describeScoreRemarks } from '../../terminal/score-remarks.ts';
import { type ComparedRows, comparisonTables, sourceTables } from './tables.ts';

/** The whole text. `seconds` is how long the command took. */
export function describeComparison(comparison: Comparison, seconds: number): string {
  const { mixes, classMix, classNames, calibration, test, base, int8Base, scoreRemarks, report } = comparison;
  return [
    ...(classMix ? [`For the mix ${describePrior(classMix, classNames)}`, ''] : []),
    mixes ? sourceTables(comparison, comparison) : comparisonTables(comparison, comparison, comparison.task),
    '',
    ...(mixes ? [`local: ${mixes.local}`, `uniform: ${mixes.uniform}`, `wrong: ${mixes.wrong}`, ''] : []),
    ...picksOf(comparison),
    ...describeUncounted(base.uncounted),
    ...(int8Base ? [describeInt8Base(int8Base)] : []),
    ...describeScoreRemarks(scoreRemarks ?? []),
    `${calibration} samples for scoring, ${test} for measuring, ${formatSeconds(seconds)}`,
    ...(report === undefined ? [] : [`report: ${plainLine(report)}`]),
  ].join('\n');
}

/** Pruned networks are in eight bits; this is the unpruned one. */
function describeInt8Base({ measures, agreement }: NonNullable<Comparison['int8Base']>): string {
  const [main = ['agreement', agreement]] = Object.entries(measures) as [MeasureName, number][];
  return (
    `pruned networks are in eight bits; unpruned in eight bits: ${MEASURE_WORDS[main[0] as MeasureName]} ` +
    `${formatMeasure(main[0] as MeasureName, main[1] as number)}, agreement with float32 ${formatPercent(agreement)}`
  );
}

/** The criterion that `auto` took at each ratio. */
function picksOf({ rows }: ComparedRows): string[] {
  const picks = rows.flatMap(({ picked, ratio, mix }) =>
    picked === undefined ? [] : [`${picked} at ${+(ratio * 100).toFixed(2)} %${mix ? ` (${mix})` : ''}`],
  );
  return picks.length === 0 ? [] : [`auto took ${picks.join(', ')}`];
}
