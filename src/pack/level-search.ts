// Which level vectors are worth measuring: along the frontier of accuracy against each kind of cost.
import type { Random } from '../util/index.ts';
import { sumOf } from './additive-loss-model.ts';

/** Costs of a level vector that matter on devices. */
export interface MixCosts {
  readonly macs: number;
  readonly weightBytes: number;
  readonly crossingBytes: number;
  readonly seconds?: number | undefined;
}

export type CostName = keyof MixCosts;

/** The space of level vectors. */
export interface MixSpace {
  readonly groups: number;
  readonly levels: number;
  costs(levels: readonly number[]): MixCosts;
}

/** Every group at the same level, from unpruned to the smallest. */
export function uniformMixes({ groups, levels }: MixSpace): number[][] {
  return Array.from({ length: levels }, (_, level) => new Array<number>(groups).fill(level));
}

/** One group alone at the middle and at the last level: how sensitive each is. */
export function singleMixes({ groups, levels }: MixSpace): number[][] {
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
export function randomMixes({ groups, levels }: MixSpace, count: number, random: Random): number[][] {
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
  space: MixSpace,
  error: readonly (readonly number[])[],
  cost: CostName,
  curvature = 0,
): number[][] {
  let current = new Array<number>(space.groups).fill(0);
  const path: number[][] = [];
  const costOf = (mix: readonly number[]): number => space.costs(mix)[cost] ?? 0;
  for (;;) {
    const before = costOf(current);
    const least = 1e-6 * (1 + sumOf(error, current));
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
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from(
    { length: count },
    (_, i) => items[Math.floor(((i + 1) * items.length) / count) - 1] as T,
  );
}
