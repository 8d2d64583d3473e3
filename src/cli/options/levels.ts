// --levels and --no-correction of commands that take bundles beside models.
import type { Command } from 'commander';
import { assertNoneTyped } from './explicit.ts';
import { levelList } from './numbers.ts';

/** --levels and --no-correction. */
export function addLevels(command: Command): Command {
  return command
    .option(
      '--levels <list>',
      'bundles only: the level of each group, in the order of inspect, such as 0,3,1',
      levelList,
    )
    .option('--no-correction', 'bundles only: leave out the correction that is stored for measured levels');
}

/**
 * Refuses options that only bundles have.
 * @throws BedsideError E_USAGE
 */
export function assertNoLevels(command: Command, path: string, options: readonly string[]): void {
  assertNoneTyped(command, {
    options,
    because: (option) => `${option} needs a bundle, and ${path} is a model`,
    hint: 'name a folder that `bedside pack` wrote; a model is made smaller by `bedside prune --ratio`',
  });
}
