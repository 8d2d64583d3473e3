// Levels of a bundle as text.
import type { LevelFields } from '../../app/bundle/bundle-levels.ts';

/** Which levels, and whether they have been measured. */
export function describeLevels({ levels, variant, corrected }: LevelFields): string {
  const [first] = levels;
  const same = levels.every((level) => level === first);
  const which = same ? `every group at level ${first ?? 0}` : `levels ${levels.join(',')}`;
  if (variant === null) return `${which}, not measured before`;
  return `${which}, variant ${variant}${corrected ? ', corrected' : ''}`;
}
