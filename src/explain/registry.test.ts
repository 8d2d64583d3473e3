// The table of criteria.
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../util/index.ts';
import { CRITERIA, findCriterion } from './registry.ts';
import { context, smallNetwork, withNormalisation } from './test-support/calibration.ts';

describe('the table of criteria', () => {
  it('finds each by its name, and names are unique', () => {
    for (const { name, summary } of CRITERIA) expect(findCriterion(name)).toMatchObject({ name, summary });
    expect(new Set(CRITERIA.map(({ name }) => name)).size).toBe(CRITERIA.length);
  });

  it('refuses an unknown name and lists the known ones', () => {
    const failure = (): unknown => {
      try {
        return findCriterion('lrp-delta');
      } catch (error) {
        return error;
      }
    };
    const error = failure();
    expect(BedsideError.is(error, 'E_CRITERION') && error.message).toContain("'lrp-delta'");
    for (const { name } of CRITERIA) expect(BedsideError.is(error) && error.hint).toContain(name);
  });

  it.each(CRITERIA)('$name scores every layer and channel with a finite number', async (criterion) => {
    const model = smallNetwork();
    const unmerged = withNormalisation(model, 'Conv_1');
    const scores = await criterion.score({ ...context(model, { count: 3 }), unmerged });
    expect(scores.map(({ layer, scores: list }) => [layer, list.length])).toEqual([
      ['Conv', 4],
      ['Conv_1', 4],
      ['Conv_2', 5],
      ['Gemm', 3],
    ]);
    for (const { scores: list } of scores) {
      expect(list.every(Number.isFinite)).toBe(true);
      expect(list.some((score) => score !== 0)).toBe(true);
      // The one criterion that keeps the sign of what it explains.
      if (criterion.name !== 'taylor-signed') expect(list.every((score) => score >= 0)).toBe(true);
    }
  });
});
