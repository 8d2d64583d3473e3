// A comparison for programs.
import type { BaseMeasurements, Comparison } from '../../../app/compare/comparison.ts';
import type { CompareRow } from '../../../prune/index.ts';

/** The fields of `--json`. */
export function comparisonFields(comparison: Comparison): object {
  const { base, rows, seconds, scoreRemarks, calibration, classMix, mixes, report } = comparison;
  return {
    base: baseFields(base),
    rows: rowFields(rows),
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
  const { accuracy, balancedAccuracy, recall, macs, uncounted, parameters, n, msPerSample } = base;
  return { accuracy, balancedAccuracy, recall, macs, uncounted, parameters, n, msPerSample };
}

/** The rows, without the family that only the report shows. */
export function rowFields(rows: readonly CompareRow[]): readonly Omit<CompareRow, 'family'>[] {
  return rows.map(({ family: _, ...row }) => row);
}
