import { describe, expect, it } from 'vitest';
import { summariseComparison } from './summary.ts';
import { ROWS, reportData, row } from './test-support/data.ts';

describe('summariseComparison', () => {
  it('sets the best criterion against the best reference criterion at the largest ratio', () => {
    expect(
      summariseComparison(reportData([...ROWS, row('random', 0.5, 0.26), row('lrp-zplus', 0.5, 0.7)])),
    ).toBe(
      'With 50 % of the channels removed (25.0 % of the multiply-accumulates left), lrp-gamma reaches 80.0 % accuracy; the best reference criterion, l1, reaches 30.0 %. The unpruned network has 96.0 %.',
    );
  });

  it('says so when a reference criterion is ahead', () => {
    expect(summariseComparison(reportData([row('lrp-gamma', 0.5, 0.6), row('l1', 0.5, 0.8)]))).toContain(
      'l1 reaches 80.0 % accuracy; the best XAI criterion, lrp-gamma, reaches 60.0 %. ',
    );
  });

  // Standard errors: sqrt(.834 * .166 / 1000) = 1.18 points, sqrt(.8 * .2 / 1000) = 1.26, of the difference 1.73; twice that is 3.45.
  it('calls a difference within two standard errors what it is', () => {
    const doubt = 'a difference within the sampling error of 1000 test samples';
    expect(summariseComparison(reportData([row('lrp-gamma', 0.5, 0.834), row('l1', 0.5, 0.8)]))).toContain(
      doubt,
    );
    expect(
      summariseComparison(reportData([row('lrp-gamma', 0.5, 0.838), row('l1', 0.5, 0.8)])),
    ).not.toContain(doubt);
  });

  // The mean over 4 seeds adds .04 / 2 to each side: hypot(1.18, 2) = 2.32, hypot(1.26, 2) = 2.36, together 3.31 points.
  it('counts the spread over seeds', () => {
    const seeded = { accuracyStd: 0.04, seeds: 4 };
    const rows = (gap: number) => [row('lrp-gamma', 0.5, 0.8 + gap, seeded), row('l1', 0.5, 0.8, seeded)];
    expect(summariseComparison(reportData(rows(0.06)))).toContain(
      'sampling error of 1000 test samples and 4 seeds',
    );
    expect(summariseComparison(reportData(rows(0.07)))).not.toContain('sampling error');
  });

  it('sees no difference where there is none', () => {
    expect(summariseComparison(reportData([row('lrp-gamma', 0.5, 0.8), row('l1', 0.5, 0.8)]))).toContain(
      ', no difference.',
    );
  });

  it('does not praise what stays at chance', () => {
    expect(summariseComparison(reportData([row('lrp-gamma', 0.5, 0.27), row('l1', 0.5, 0.25)]))).toContain(
      'no criterion is clearly above the 25.0 % of predicting a single class: the best, lrp-gamma, reaches 27.0 % accuracy.',
    );
  });

  it('speaks of balanced accuracy when classes are uneven, with errors from the counts', () => {
    const uneven = (balanced: number) => ({
      balancedAccuracy: balanced,
      recall: [1, balanced, balanced, balanced],
    });
    const rows = [row('lrp-gamma', 0.5, 0.9, uneven(0.6)), row('l1', 0.5, 0.9, uneven(0.5))];
    const data = reportData(rows);
    const text = summariseComparison(data);
    expect(text).toContain(
      'lrp-gamma reaches 60.0 % balanced accuracy; the best reference criterion, l1, reaches 50.0 %.',
    );
    // Three classes of 10: the error of a recall of .5 is 16 points, of the mean over four classes 6.8, of a difference 9.6.
    const few = summariseComparison({ ...data, data: { ...data.data, testPerClass: [970, 10, 10, 10] } });
    expect(few).toContain('within the sampling error');
    const many = summariseComparison({
      ...data,
      data: { ...data.data, testPerClass: [970, 1000, 1000, 1000] },
    });
    expect(many).not.toContain('within the sampling error');
  });

  it('says what is missing when one family was not measured', () => {
    expect(summariseComparison(reportData([row('lrp-gamma', 0.5, 0.8)]))).toContain(
      'no reference criterion was measured',
    );
    expect(summariseComparison(reportData([row('l1', 0.5, 0.8)]))).toContain('no XAI criterion was measured');
    expect(summariseComparison(reportData([]))).toBe(
      'No pruned network was measured. The unpruned network has 96.0 %.',
    );
  });

  it('compares criteria alone, unless all rows are repaired', () => {
    const repaired = row('l1', 0.5, 0.95, { reconstruct: true });
    expect(summariseComparison(reportData([...ROWS, repaired]))).toContain(
      'lrp-gamma reaches 80.0 % accuracy',
    );
    expect(summariseComparison(reportData([repaired]))).toContain('channels removed and the rest repaired');
  });
});
