// Options that several commands share: each is declared and checked here once, before any work begins.
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { DatasetSplit } from '../data/index.ts';
import { BedsideError } from '../util/index.ts';

/** Samples of each class that criteria read unless said otherwise. */
export const DEFAULT_PER_CLASS = 20;

const DATA = '--data <dataset>';

/** What every command takes. */
export interface CommonOptions {
  readonly seed: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** How computations run. */
export interface RunOptions {
  readonly threads: number;
  readonly batch: number;
}

/** Which samples. */
export interface DataOptions {
  readonly data: string;
  readonly split?: DatasetSplit;
  readonly perClass?: number;
  readonly limit?: number;
  readonly classes?: readonly number[];
  readonly records?: readonly string[];
  readonly skipBad?: boolean;
  readonly samplingRate?: number;
  readonly maxPixels?: number;
}

/** --seed, --json and --quiet. */
export function addCommon(command: Command): Command {
  return command
    .option('--seed <n>', 'seed of everything that is drawn; the same seed repeats a run exactly', seed, 1)
    .option('--json', 'print the result, or the error, as one JSON object on stdout')
    .option('--quiet', 'no progress and no remarks on stderr');
}

/** --threads and --batch. */
export function addRun(command: Command): Command {
  return command
    .option('--threads <n>', 'threads of ONNX Runtime', count(256), Math.min(2, availableParallelism()))
    .option('--batch <n>', 'samples computed together', count(65_536), 32);
}

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

/** A whole number from 1 to `most`. */
export function count(most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = whole(text);
    if (value < 1 || value > most) {
      throw new InvalidArgumentError(
        most === Number.MAX_SAFE_INTEGER
          ? 'Expected a whole number from 1.'
          : `Expected a whole number from 1 to ${most}.`,
      );
    }
    return value;
  };
}

/** A number from `least` to `most`, which `what` names in errors. */
export function numberIn(least: number, most: number, what: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected ${what} from ${least} to ${most}.`);
  };
}

/** A fraction of channels removed, in [0, 1). */
export function ratio(text: string): number {
  const value = number(text);
  if (!(value >= 0 && value < 1)) {
    throw new InvalidArgumentError('A ratio is the fraction of channels removed, in [0, 1).');
  }
  return value;
}

/** Fractions of channels removed, without repeats, ascending. */
export function ratios(text: string): readonly number[] {
  return [...new Set(items(text).map(ratio))].sort((a, b) => a - b);
}

/** A share of the multiply-accumulates that is left, in (0, 1]. */
export function macsFraction(text: string): number {
  const value = number(text);
  if (!(value > 0 && value <= 1)) {
    throw new InvalidArgumentError('Expected the share of multiply-accumulates to be left, in (0, 1].');
  }
  return value;
}

function seed(text: string): number {
  const value = whole(text);
  if (value > 0xffffffff) throw new InvalidArgumentError('Expected a whole number from 0 to 4294967295.');
  return value;
}

function split(text: string): DatasetSplit {
  if (text === 'train') return 'local';
  if (text === 'local' || text === 'test' || text === 'all') return text;
  throw new InvalidArgumentError('Expected local, train, test or all.');
}

function integers(text: string): readonly number[] {
  return [...new Set(items(text).map(whole))];
}

/** Levels with commas, one a group; repeats stay. */
export function levelList(text: string): readonly number[] {
  return items(text).map(whole);
}

/** Names with commas, without repeats. */
export function names(text: string): readonly string[] {
  return [...new Set(items(text))];
}

/** What stands between commas. */
export function items(text: string): string[] {
  const list = text.split(',').map((item) => item.trim());
  if (list.includes('')) throw new InvalidArgumentError('Expected a list with commas and without gaps.');
  return list;
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError(`'${text}' is not a whole number from 0.`);
  return Number(text);
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(`'${text}' is not a number.`);
  return value;
}
