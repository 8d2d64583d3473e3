// Report data for tests: a small comparison, to be varied.
import type { ReportData, ReportRow } from '../report-data.ts';

/** A row; balanced accuracy and recalls equal the accuracy unless given. */
export function row(
  criterion: string,
  ratio: number,
  accuracy: number,
  more: Partial<ReportRow> = {},
): ReportRow {
  return {
    criterion,
    family: criterion.startsWith('lrp') ? 'xai' : 'reference',
    ratio,
    reconstruct: false,
    accuracy,
    balancedAccuracy: accuracy,
    recall: [accuracy, accuracy, accuracy, accuracy],
    agreement: accuracy,
    macs: 1000 * (1 - ratio) ** 2,
    macsFraction: (1 - ratio) ** 2,
    ...more,
  };
}

/** Four balanced classes of 250 test samples. */
export function reportData(rows: readonly ReportRow[], more: Partial<ReportData> = {}): ReportData {
  return {
    title: 'Criteria compared',
    command: 'bedside compare model.onnx --data samples',
    date: '2026-01-02',
    version: '1.2.3',
    model: { name: 'model.onnx', sha256: 'aa'.repeat(32), macs: 1000, parameters: 500 },
    data: { name: 'samples', sha256: 'bb'.repeat(32), calibration: 40, test: 1000 },
    classNames: ['north', 'east', 'south', 'west'],
    base: { accuracy: 0.96, balancedAccuracy: 0.96, recall: [0.96, 0.96, 0.96, 0.96] },
    rows,
    seconds: { 'lrp-gamma': 1.5, l1: 0.02 },
    ...more,
  };
}

/** Two criteria at three ratios. */
export const ROWS: readonly ReportRow[] = [
  row('lrp-gamma', 0.1, 0.95),
  row('lrp-gamma', 0.3, 0.9),
  row('lrp-gamma', 0.5, 0.8),
  row('l1', 0.1, 0.8),
  row('l1', 0.3, 0.5),
  row('l1', 0.5, 0.3),
];
