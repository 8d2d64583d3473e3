// --levels and --no-correction of commands that take bundles beside models.
import type { Command } from 'commander';
import type { LevelOptions, NetworkAtLevels } from '../../app/index.ts';
import { BedsideError } from '../../util/index.ts';
import { levelList } from './numbers.ts';

/** --levels and --no-correction. */
export function addLevels(command: Command): Command {
  return command
    .option(
      '--levels <list>',
      'of a bundle: the level of each group, in the order that inspect lists them, such as 0,3,1',
      levelList,
    )
    .option(
      '--no-correction',
      'of a bundle: leave out the correction that is stored for levels that have been measured',
    );
}

/**
 * @throws BedsideError E_USAGE for options that only bundles have
 */
export function assertNoLevels(path: string, { levels, correction, ratio }: LevelOptions): void {
  const given = levels
    ? '--levels'
    : ratio !== undefined
      ? '--ratio'
      : correction
        ? undefined
        : '--no-correction';
  if (given === undefined) return;
  throw new BedsideError('E_USAGE', `${given} needs a bundle, and ${path} is a model`, {
    hint: 'name a folder that `bedside pack` wrote; a model is made smaller by `bedside prune --ratio`',
  });
}

/** The same for people. */
export function describeLevels({ levels, variant, corrected }: NetworkAtLevels): string {
  const [first] = levels;
  const same = levels.every((level) => level === first);
  const which = same ? `every group at level ${first ?? 0}` : `levels ${levels.join(',')}`;
  if (!variant) return `${which}, not measured before`;
  return `${which}, variant ${variant.index}${corrected ? ', corrected' : ''}`;
}
