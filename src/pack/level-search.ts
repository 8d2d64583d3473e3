// Chooses which level vectors are worth measuring: those along the frontier of accuracy against each kind of cost.
import type { Random } from '../util/internal.ts';
import { additiveValue } from './additive-loss-model.ts';

/** The costs of a level vector that matter on devices. */
export interface LevelVectorCosts {
  readonly macs: number;
  readonly weightBytes: number;
  readonly crossingBytes: number;
  readonly seconds?: number | undefined;
}

export type CostName = keyof LevelVectorCosts;

/** All level vectors of a bundle, and their costs. */
export interface LevelVectorSpace {
  readonly groups: number;
  readonly levels: number;
  costs(levels: readonly number[]): LevelVectorCosts;
}

/** Every group at the same level, from unpruned to the smallest. */
export function uniformLevels({ groups, levels }: LevelVectorSpace): number[][] {
  return Array.from({ length: levels }, (_, level) => new Array<number>(groups).fill(level));
}

/** One group alone at the middle level and at the last one, which shows how sensitive each group is. */
export function singleGroupLevels({ groups, levels }: LevelVectorSpace): number[][] {
  const middle = Math.ceil((levels - 1) / 2);
  return Array.from({ length: groups }, (_, group) =>
    [...new Set([middle, levels - 1])].map((level) => {
      const vector = new Array<number>(groups).fill(0);
      vector[group] = level;
      return vector;
    }),
  ).flat();
}

/**
 * Random level vectors: even ones stay near a random level above the first two, since nearly whole networks take longest and
 * lose little that could be fitted; odd ones take any level.
 */
export function randomLevelVectors(
  { groups, levels }: LevelVectorSpace,
  count: number,
  random: Random,
): number[][] {
  const least = Math.min(2, levels - 1);
  return Array.from({ length: count }, (_, index) => {
    const center = least + random.integer(levels - least);
    return Array.from({ length: groups }, () =>
      index % 2 === 0
        ? Math.min(Math.max(center - 1 + random.integer(3), 0), levels - 1)
        : random.integer(levels),
    );
  });
}

/**
 * A path from unpruned to smallest. Each step raises the level of the group that saves most cost for the error that it
 * adds.
 * @param error added error by group and level
 * @param curvature penalty on high levels, in units of the error; default 0
 */
export function greedyPath(
  space: LevelVectorSpace,
  error: readonly (readonly number[])[],
  cost: CostName,
  curvature = 0,
): number[][] {
  let current = new Array<number>(space.groups).fill(0);
  const path: number[][] = [];
  const costOf = (levels: readonly number[]): number => space.costs(levels)[cost] ?? 0;
  for (;;) {
    const before = costOf(current);
    const least = 1e-6 * (1 + additiveValue(error, current));
    const options = current.flatMap((level, group) => {
      if (level + 1 >= space.levels) return [];
      const next = current.with(group, level + 1);
      const saved = before - costOf(next);
      const own = error[group] ?? [];
      const added = (own[level + 1] ?? 0) - (own[level] ?? 0);
      // Favours even levels: repair tables hold best where groups have similar levels.
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

/** At most `count` items, evenly spaced between the ends of the list, which are left out. */
export function spacedInside<T>(items: readonly T[], count: number): T[] {
  const inside = items.slice(0, -1);
  if (inside.length <= count) return inside;
  return Array.from(
    { length: count },
    (_, i) => items[Math.round(((i + 1) * items.length) / (count + 1)) - 1] as T,
  );
}

/** At most `count` items, evenly spaced, always with the last one. */
export function evenlySpaced<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from(
    { length: count },
    (_, i) => items[Math.floor(((i + 1) * items.length) / count) - 1] as T,
  );
}
