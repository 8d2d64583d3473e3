// Vectors of levels: what is accepted, found, and said of what is not.
import { describe, expect, it } from 'vitest';
import { checkLevels, findVariant, keptUnitsAt, levelsOfRatio } from './levels.ts';

const group = (id: number, counts: readonly number[]) => ({
  id,
  channels: counts[0] as number,
  layers: [`conv${id}`, `other${id}`],
  counts,
});
const manifest = { name: 'net', ratios: [0, 0.25, 0.5], groups: [group(0, [8, 6, 4]), group(1, [2, 2, 1])] };

describe('levels', () => {
  it.each([
    [[0], /has 2 groups; 1 levels are given/],
    [[0, 3], /no level 3 for group 1 \(conv1, other1\): levels are 0 to 2/],
    [[-1, 0], /no level -1 for group 0/],
    [[0, 0.5], /no level 0.5 for group 1/],
    [[Number.NaN, 0], /no level NaN for group 0/],
  ])('%j are refused', (levels, message) => {
    const refusal = expect.objectContaining({ code: 'E_LEVELS', message: expect.stringMatching(message) });
    expect(() => checkLevels(manifest, levels)).toThrow(refusal);
    expect(() => keptUnitsAt(manifest, levels)).toThrow(refusal);
  });

  it('keep the first units of each group', () => {
    expect(keptUnitsAt(manifest, [2, 1])).toEqual(
      new Map([
        [0, [0, 1, 2, 3]],
        [1, [0, 1]],
      ]),
    );
  });

  it.each([
    [0, 0],
    [0.12, 0],
    [0.125, 0],
    [0.13, 1],
    [0.375, 1],
    [0.99, 2],
  ])('of ratio %d are %d everywhere', (ratio, level) => {
    expect(levelsOfRatio(manifest, ratio)).toEqual([level, level]);
  });

  it.each([-0.1, 1, Number.NaN])('of ratio %d are refused', (ratio) => {
    expect(() => levelsOfRatio(manifest, ratio)).toThrow(expect.objectContaining({ code: 'E_LEVELS' }));
  });

  it('lead to the variant that was measured', () => {
    const variants = [
      [0, 0],
      [1, 2],
    ].map((levels) => ({ levels })) as unknown as Parameters<typeof findVariant>[0]['variants'];
    expect(findVariant({ variants }, [1, 2])).toBe(1);
    expect(findVariant({ variants }, [2, 1])).toBeUndefined();
  });
});
