// A comparison for programs.
import type { BaseMeasurements, Comparison } from '../../../app/compare/comparison.ts';
import type { CriteriaComparison } from '../../../prune/index.ts';
import { hasClasses } from '../../../util/index.ts';

type CompareRow = CriteriaComparison['rows'][number];

/** The fields of `--json`. */
export function comparisonFields(comparison: Comparison): object {
  const { task, base, int8Base, rows, seconds, scoreRemarks, calibration, classMix, mixes, report } =
    comparison;
  const classes = hasClasses(task);
  return {
    task,
    base: classes ? baseFields(base) : withoutAccuracies(baseFields(base)),
    ...(int8Base ? { int8Base: classes ? int8Base : withoutAccuracies(int8Base) } : {}),
    rows: classes ? rowFields(rows) : rowFields(rows).map(withoutAccuracies),
    seconds,
    ...(scoreRemarks ? { scoreRemarks } : {}),
    calibration,
    ...(classMix ? { classMix } : {}),
    ...(mixes ? { mixes } : {}),
    ...(report === undefined ? {} : { report }),
  };
}

/** Measurements of the unpruned network. */
export function baseFields(base: BaseMeasurements): object {
  const { measures, accuracy, balancedAccuracy, recall, macs, uncounted, parameters, n, msPerSample } = base;
  return { measures, accuracy, balancedAccuracy, recall, macs, uncounted, parameters, n, msPerSample };
}

/** Accuracies and recall are those of classes. The spread of accuracy is that of the main measure. */
function withoutAccuracies(fields: object): object {
  const { accuracyStd } = fields as { readonly accuracyStd?: number };
  const kept = Object.entries(fields).filter(([name]) => !/accuracy|recall/i.test(name));
  return { ...Object.fromEntries(kept), ...(accuracyStd === undefined ? {} : { measureStd: accuracyStd }) };
}

/** The rows, without the family that only the report shows. */
export function rowFields(rows: readonly CompareRow[]): readonly Omit<CompareRow, 'family'>[] {
  return rows.map(({ family: _, ...row }) => row);
}
