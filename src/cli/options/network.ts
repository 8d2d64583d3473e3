// Options of every command that reads a network.
import type { Command } from 'commander';

/** --output. */
export function addOutput(command: Command): Command {
  return command.option(
    '--output <name>',
    'which output to explain and measure, if there are several; default: the first',
  );
}
