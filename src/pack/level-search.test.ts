// Which mixes are looked at: paths climb one step at a time, and cost less at every step.
import { describe, expect, it } from 'vitest';
import { Random } from '../util/internal.ts';
import {
  type CostName,
  evenlySpaced,
  greedyPath,
  type LevelVectorSpace,
  randomLevelVectors,
  singleGroupLevels,
  spacedInside,
  uniformLevels,
} from './level-search.ts';

const WEIGHTS = [
  [9, 6, 4, 1],
  [20, 15, 8, 2],
  [4, 3, 3, 1],
] as const;

/** Costs that fall with every group's level: products of neighbours, as layers' are, and sums. */
const SPACE: LevelVectorSpace = {
  groups: 3,
  levels: 4,
  costs(levels) {
    const kept = levels.map((level, group) => WEIGHTS[group]?.[level] ?? Number.NaN);
    const [a, b, c] = kept as [number, number, number];
    return { macs: a * b + b * c + c, weightBytes: a + b + c, crossingBytes: Math.max(a, b) + c };
  },
};
const ERROR = [
  [0, 1, 2, 9],
  [0, 0.1, 0.2, 0.3],
  [0, 3, 3, 3],
];

describe('greedyPath', () => {
  it.each<CostName>(['macs', 'weightBytes', 'crossingBytes', 'seconds'])(
    'leads from unpruned to smallest, %s',
    (cost) => {
      for (const curvature of [0, 0.01, 1]) {
        const path = greedyPath(SPACE, ERROR, cost, curvature);
        expect(path).toHaveLength(9);
        let before = [0, 0, 0];
        for (const mix of path) {
          const raised = mix.map((level, group) => level - (before[group] ?? 0));
          expect(raised.toSorted()).toEqual([0, 0, 1]);
          const [now, then] = [SPACE.costs(mix)[cost] ?? 0, SPACE.costs(before)[cost] ?? 0];
          expect(now).toBeLessThanOrEqual(then);
          if (cost === 'weightBytes' && mix[2] !== 2) expect(now).toBeLessThan(then);
          before = mix;
        }
        expect(before).toEqual([3, 3, 3]);
      }
    },
  );

  it('goes first where most is saved for what is lost', () => {
    const path = greedyPath(SPACE, ERROR, 'macs');
    // The second group loses least for what it saves.
    expect(path.slice(0, 3)).toEqual([
      [0, 1, 0],
      [0, 2, 0],
      [0, 3, 0],
    ]);
  });

  it('keeps levels even where all is alike', () => {
    const alike: LevelVectorSpace = {
      groups: 3,
      levels: 4,
      costs: (levels) => {
        const sum = levels.reduce((total, level) => total + 10 - level, 0);
        return { macs: sum, weightBytes: sum, crossingBytes: sum };
      },
    };
    const flat = [0, 1, 2].map(() => [0, 0.1, 0.2, 0.3]);
    for (const mix of greedyPath(alike, flat, 'macs', 0.05)) {
      expect(Math.max(...mix) - Math.min(...mix)).toBeLessThanOrEqual(1);
    }
  });
});

describe('the other mixes', () => {
  it('are uniform from unpruned to smallest', () => {
    expect(uniformLevels(SPACE)).toEqual([
      [0, 0, 0],
      [1, 1, 1],
      [2, 2, 2],
      [3, 3, 3],
    ]);
  });

  it('raise one group alone, half way and all the way', () => {
    expect(singleGroupLevels(SPACE)).toEqual([
      [2, 0, 0],
      [3, 0, 0],
      [0, 2, 0],
      [0, 3, 0],
      [0, 0, 2],
      [0, 0, 3],
    ]);
    expect(singleGroupLevels({ ...SPACE, groups: 1, levels: 2 })).toEqual([[1]]);
  });

  it('are random: levels that there are, half of them near each other, the same by the seed', () => {
    const wide: LevelVectorSpace = { ...SPACE, groups: 6, levels: 8 };
    const mixes = randomLevelVectors(wide, 400, new Random(1));
    expect(mixes).toHaveLength(400);
    const seen = new Set(mixes.flat());
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const range = (mix: readonly number[]): number => Math.max(...mix) - Math.min(...mix);
    const near = mixes.filter((_, i) => i % 2 === 0);
    expect(Math.max(...near.map(range))).toBeLessThanOrEqual(2);
    const anywhere = mixes.filter((_, i) => i % 2 === 1).map(range);
    expect(anywhere.reduce((a, b) => a + b) / anywhere.length).toBeGreaterThan(4);
    expect(randomLevelVectors(wide, 400, new Random(1))).toEqual(mixes);
    expect(randomLevelVectors(wide, 400, new Random(2))).not.toEqual(mixes);
  });
});

describe('spread', () => {
  const items = Array.from({ length: 20 }, (_, i) => i);

  it.each([1, 2, 3, 7, 19])('chooses %i evenly, the last included', (count) => {
    const chosen = evenlySpaced(items, count);
    expect(chosen).toHaveLength(count);
    expect(chosen.at(-1)).toBe(19);
    const gaps = chosen.map((item, i) => item - (chosen[i - 1] ?? -1));
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });

  it.each([1, 2, 3, 7, 18])('chooses %i evenly between the ends', (count) => {
    const chosen = spacedInside(items, count);
    expect(chosen).toHaveLength(count);
    expect(chosen).not.toContain(19);
    const gaps = [-1, ...chosen, 19].map((item, i, all) => item - (all[i - 1] ?? -1)).slice(1);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
    expect(spacedInside(items, 30)).toEqual(items.slice(0, -1));
    expect(spacedInside([], 2)).toEqual([]);
  });

  it('keeps all where there are no more, and none of none', () => {
    expect(evenlySpaced(items, 20)).toEqual(items);
    expect(evenlySpaced(items, 50)).toEqual(items);
    expect(evenlySpaced(items, 0)).toEqual([]);
    expect(evenlySpaced([], 3)).toEqual([]);
  });
});
