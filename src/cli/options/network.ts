// Options of every command that reads a network.
import type { Command } from 'commander';

/** --output. */
export function addOutput(command: Command): Command {
  return command.option(
    '--output <name>',
    'the output to explain and measure, of several; default the first',
  );
}
