// Level vectors: one level for each group of a bundle.
import type { KeptUnits } from '../channels/index.ts';
import { BedsideError, must } from '../util/index.ts';
import type { BundleGroup, BundleManifest } from './manifest.ts';

/** The parts of a manifest that levels refer to. */
type Leveled = Pick<BundleManifest, 'name' | 'groups' | 'ratios'>;

/** A level vector as a key of a map or set. */
export function levelsKey(levels: readonly number[]): string {
  return levels.join();
}

/**
 * Checks a level vector.
 * @throws BedsideError E_LEVELS unless there is one level for each group, each a level of the bundle
 */
export function checkLevels(manifest: Leveled, levels: readonly number[]): void {
  const { groups, ratios, name } = manifest;
  const last = ratios.length - 1;
  const hint = `give ${groups.length} integers from 0 (unpruned) to ${last}, one for each group`;
  if (levels.length !== groups.length) {
    const message = `bundle '${name}' has ${groups.length} groups; ${levels.length} levels are given`;
    throw new BedsideError('E_LEVELS', message, { hint });
  }
  for (const [group, level] of levels.entries()) {
    if (Number.isInteger(level) && level >= 0 && level <= last) continue;
    const layers = groups[group]?.layers.join(', ');
    const message = `bundle '${name}' has no level ${level} for group ${group} (${layers}): levels are 0 to ${last}`;
    throw new BedsideError('E_LEVELS', message, { hint });
  }
}

/**
 * Every group at the level with the nearest ratio; of two equally near, the one that keeps more.
 * @param ratio fraction of channels removed, in [0, 1)
 * @throws BedsideError E_LEVELS for a ratio out of range
 */
export function levelsOfRatio(manifest: Leveled, ratio: number): number[] {
  const { groups, ratios, name } = manifest;
  if (!(ratio >= 0 && ratio < 1)) {
    throw new BedsideError(
      'E_LEVELS',
      `ratio ${ratio} is out of range: it is a fraction of channels removed`,
      {
        hint: `bundle '${name}' has the ratios ${ratios.join(', ')}`,
      },
    );
  }
  const distances = ratios.map((other) => Math.abs(other - ratio));
  const level = distances.indexOf(Math.min(...distances));
  return groups.map(() => level);
}

/** Index of the variant with these levels, or undefined when they have not been measured. */
export function findVariant(
  manifest: Pick<BundleManifest, 'variants'>,
  levels: readonly number[],
): number | undefined {
  const key = levelsKey(levels);
  const index = manifest.variants.findIndex((variant) => levelsKey(variant.levels) === key);
  return index < 0 ? undefined : index;
}

/**
 * The units that stay at a level vector: the first ones of each group.
 * @throws BedsideError E_LEVELS as `checkLevels`
 */
export function keptUnitsAt(manifest: Leveled, levels: readonly number[]): KeptUnits {
  checkLevels(manifest, levels);
  return firstUnits(manifest.groups, (group) => levels[group] as number);
}

/** The units that stay when each group is at the level that `levelOf` gives: the first ones of each group. */
export function firstUnits(
  groups: readonly BundleGroup[],
  levelOf: (group: number) => number,
): Map<number, number[]> {
  return new Map(
    groups.map(({ id, counts }) => {
      const count = must(counts[levelOf(id)], `count of group ${id}`);
      return [id, Array.from({ length: count }, (_, unit) => unit)];
    }),
  );
}
