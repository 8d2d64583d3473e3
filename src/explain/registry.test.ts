// The table of criteria.
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../util/index.ts';
import { CRITERIA, findCriterion } from './registry.ts';
import { context, smallNetwork } from './test-support/calibration.ts';

describe('the table of criteria', () => {
  it('finds each by its name, and names are unique', () => {
    for (const criterion of CRITERIA) expect(findCriterion(criterion.name)).toBe(criterion);
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

  it.each(CRITERIA)(
    '$name scores every layer and channel with a finite number of zero or more',
    async (criterion) => {
      const scores = await criterion.score(context(smallNetwork(), { count: 3 }));
      expect(scores.map(({ layer, scores: list }) => [layer, list.length])).toEqual([
        ['Conv', 4],
        ['Conv_1', 4],
        ['Conv_2', 5],
        ['Gemm', 3],
      ]);
      for (const { scores: list } of scores) {
        expect(list.every((score) => Number.isFinite(score) && score >= 0)).toBe(true);
        expect(list.some((score) => score > 0)).toBe(true);
      }
    },
  );
});
