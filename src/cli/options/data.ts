// --data, and the options that choose samples from it.
import { type Command, InvalidArgumentError } from 'commander';
import type { DataOptions } from '../../app/options.ts';
import { BedsideError, TASKS, type TaskKind } from '../../util/index.ts';
import { addContract } from './contract.ts';
import { parseSeries, parseWindow, WINDOWS } from './medical.ts';
import { count, items, names, numberIn, whole } from './numbers.ts';

const DATA = '--data <dataset>';

/**
 * --data and the options that choose samples. `uses` says what the samples are for, and which split is the default. A command
 * that needs no data for some inputs makes it optional, and asks for it with `assertData`.
 */
export function addData(
  command: Command,
  uses: { readonly split: string; readonly perClass: string; readonly optional?: boolean },
): Command {
  const what =
    'an .npz (<split>_images and <split>_labels, or x and y), a folder of class folders with images, ' +
    'a CSV of file and label beside images, images of DICOM or NIfTI, or recordings (WFDB, EDF, BDF, DICOM)';
  const withData = (uses.optional ? command.option(DATA, what) : command.requiredOption(DATA, what))
    .option(
      '--split <name>',
      `part of the data: local (also called train), test or all; ${uses.split}`,
      split,
    )
    .option(
      '--split-by <what>',
      'patient: draw local and test so that they share no patient (docs/data.md says whose a sample is)',
      splitBy,
    )
    .option('--per-class <n>', uses.perClass, count())
    .option('--limit <n>', 'at most this many samples, drawn by the seed after --per-class', count())
    .option('--classes <list>', 'only samples of these classes, such as 0,2', integers)
    .option('--records <list>', 'only these records of a folder of recordings, such as 100,106', names)
    .option(
      '--series <list>',
      'only DICOM objects of series that match all that is given of modality=CT,body-part=HEAD,description=TEXT',
      parseSeries,
    )
    .option(
      '--window <centre,width>',
      `grey window of medical images, such as 40,400, or ${Object.keys(WINDOWS).join(', ')}; default: as the contract says, else each file of DICOM`,
      parseWindow,
    )
    .option(
      '--sampling-rate <hz>',
      'sampling rate of the signals that the network reads, if its metadata does not say it; default 360',
      numberIn(1, 1e6, 'samples a second'),
    )
    .option(
      '--task <name>',
      `what the network is for: ${TASKS.join(', ')}; default: as its output and the labels show (docs/tasks.md)`,
      task,
    )
    .option(
      '--max-pixels <n>',
      'refuse images with more pixels, before decoding; default 268435456 (2^28)',
      count(),
    )
    .option('--skip-bad', 'leave out corrupt images and name them, instead of stopping at the first');
  return addContract(withData);
}

/**
 * @throws BedsideError E_USAGE if --data is missing, with the message of a required option
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

function split(text: string): NonNullable<DataOptions['split']> {
  if (text === 'train') return 'local';
  if (text === 'local' || text === 'test' || text === 'all') return text;
  throw new InvalidArgumentError('Expected local, train, test or all.');
}

function splitBy(text: string): 'patient' {
  if (text === 'patient') return text;
  throw new InvalidArgumentError('Expected patient.');
}

function task(text: string): TaskKind {
  const found = TASKS.find((known) => known === text);
  if (!found) throw new InvalidArgumentError(`Expected ${TASKS.slice(0, -1).join(', ')} or ${TASKS.at(-1)}.`);
  return found;
}

function integers(text: string): readonly number[] {
  return [...new Set(items(text).map(whole))];
}
