// A bundle that leaves a planner no choice of levels.
import type { BundleManifest } from '../../bundle/index.ts';
import { checkLevels, findVariant } from '../../bundle/internal.ts';
import type { PlannedBundle } from '../../plan/internal.ts';

/** The bundle as if these levels were its only variant. @throws BedsideError E_LEVELS */
export function onlyLevels(manifest: BundleManifest, levels: readonly number[]): PlannedBundle {
  checkLevels(manifest, levels);
  const { unpruned, loss } = manifest.accuracy;
  const lost = levels.reduce((sum, level, group) => sum + (loss[group]?.[level] ?? 0), 0);
  const index = findVariant(manifest, levels);
  const known = index === undefined ? undefined : manifest.variants[index];
  const accuracy = unpruned * Math.exp(-lost);
  const [first] = manifest.variants;
  const variant = known ?? (first && { ...first, levels, corrected: false, accuracy });
  return { ...manifest, variants: variant ? [variant] : [], allVariants: manifest.variants };
}
