// --flat and --saturation: what `stream` and `detect` take for a lead that cannot be read.
import type { Command } from 'commander';
import { numberIn } from './numbers.ts';

/** Adds both. */
export function addQuality(command: Command): Command {
  return command
    .option(
      '--flat <s>',
      'seconds of the same value that mean a lead is off; default 1',
      numberIn(0.05, 60, 'seconds'),
    )
    .option(
      '--saturation <mv>',
      'millivolts beyond which a lead is saturated; default 10',
      numberIn(0.1, 1e6, 'mV'),
    );
}
