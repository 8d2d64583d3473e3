// Which level vectors are worth measuring: along the frontier of accuracy against each kind of cost.
import type { Random } from '../util/index.ts';
import { additiveValue } from './additive-loss-model.ts';

/** Costs of a level vector that matter on devices. */
export interface LevelVectorCosts {
  readonly macs: number;
  readonly weightBytes: number;
  readonly crossingBytes: number;
  readonly seconds?: number | undefined;
}

export type CostName = keyof LevelVectorCosts;

/** The space of level vectors. */
export interface LevelVectorSpace {
  readonly groups: number;
  readonly levels: number;
  costs(levels: readonly number[]): LevelVectorCosts;
}

/** Every group at the same level, from unpruned to the smallest. */
export function uniformLevels({ groups, levels }: LevelVectorSpace): number[][] {
  return Array.from({ length: levels }, (_, level) => new Array<number>(groups).fill(level));
}

/** One group alone at the middle and at the last level: how sensitive each is. */
export function singleGroupLevels({ groups, levels }: LevelVectorSpace): number[][] {
  const middle = Math.ceil((levels - 1) / 2);
  return Array.from({ length: groups }, (_, group) =>
    [...new Set([middle, levels - 1])].map((level) => {
      const mix = new Array<number>(groups).fill(0);
      mix[group] = level;
      return mix;
    }),
  ).flat();
}

/** Random mixes around a random level: half of them near it, half anywhere. */
export function randomLevelVectors(
  { groups, levels }: LevelVectorSpace,
  count: number,
  random: Random,
): number[][] {
  return Array.from({ length: count }, (_, index) => {
    const center = random.integer(levels);
    return Array.from({ length: groups }, () =>
      index % 2 === 0
        ? Math.min(Math.max(center - 1 + random.integer(3), 0), levels - 1)
        : random.integer(levels),
    );
  });
}

/**
 * A path from unpruned to smallest: at each step the group goes up a level that saves most of a cost for what it adds to
 * the error, by a table of errors.
 */
export function greedyPath(
  space: LevelVectorSpace,
  error: readonly (readonly number[])[],
  cost: CostName,
  curvature = 0,
): number[][] {
  let current = new Array<number>(space.groups).fill(0);
  const path: number[][] = [];
  const costOf = (mix: readonly number[]): number => space.costs(mix)[cost] ?? 0;
  for (;;) {
    const before = costOf(current);
    const least = 1e-6 * (1 + additiveValue(error, current));
    const options = current.flatMap((level, group) => {
      if (level + 1 >= space.levels) return [];
      const next = current.with(group, level + 1);
      const saved = before - costOf(next);
      const own = error[group] ?? [];
      const added = (own[level + 1] ?? 0) - (own[level] ?? 0);
      // A pull toward even levels: tables hold best where neighbours are alike.
      return [{ next, rate: saved / (added + least + curvature * (level + 1)) }];
    });
    const best = options.reduce<(typeof options)[number] | undefined>(
      (a, b) => (a === undefined || b.rate > a.rate ? b : a),
      undefined,
    );
    if (!best) return path;
    current = best.next;
    path.push(current);
  }
}

/** At most `count` entries, evenly spread, the last one included. */
export function evenlySpaced<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from(
    { length: count },
    (_, i) => items[Math.floor(((i + 1) * items.length) / count) - 1] as T,
  );
}
