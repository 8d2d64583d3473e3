// --data and the options that choose samples of it.
import { type Command, InvalidArgumentError } from 'commander';
import type { DatasetSplit } from '../../data/index.ts';
import { BedsideError } from '../../util/index.ts';
import { count, items, names, numberIn, whole } from './numbers.ts';

const DATA = '--data <dataset>';

/**
 * --data and what chooses samples. `uses` says what the samples serve, and what the default split is; a command that
 * does without them for some inputs asks for them with `assertData`.
 */
export function addData(
  command: Command,
  uses: { readonly split: string; readonly perClass: string; readonly optional?: boolean },
): Command {
  const what =
    'an .npz (<split>_images and <split>_labels, or x and y), a folder of class folders with images, ' +
    'or a folder of WFDB records';
  return (uses.optional ? command.option(DATA, what) : command.requiredOption(DATA, what))
    .option('--split <name>', `local (also called train), test or all: ${uses.split}`, split)
    .option('--per-class <n>', uses.perClass, count())
    .option('--limit <n>', 'at most this many samples, drawn by the seed after --per-class', count())
    .option('--classes <list>', 'only samples of these classes, such as 0,2', integers)
    .option('--records <list>', 'only these records of a WFDB folder, such as 100,106', names)
    .option(
      '--sampling-rate <hz>',
      'samples a second of the signals that the network reads, where its metadata does not say so; default 360',
      numberIn(1, 1e6, 'samples a second'),
    )
    .option(
      '--max-pixels <n>',
      'refuse images of more pixels before they are decoded; default 268435456 (2^28)',
      count(),
    )
    .option('--skip-bad', 'leave corrupt images out, and name them, instead of stopping at the first');
}

/**
 * @throws BedsideError E_USAGE where --data is missing and needed, in the words of a required option
 */
export function assertData(
  options: { readonly data?: string },
  command: string,
): asserts options is { readonly data: string } {
  if (options.data !== undefined) return;
  throw new BedsideError('E_USAGE', `required option '${DATA}' not specified`, {
    hint: `bedside ${command} --help lists the options, with examples`,
  });
}

function split(text: string): DatasetSplit {
  if (text === 'train') return 'local';
  if (text === 'local' || text === 'test' || text === 'all') return text;
  throw new InvalidArgumentError('Expected local, train, test or all.');
}

function integers(text: string): readonly number[] {
  return [...new Set(items(text).map(whole))];
}
