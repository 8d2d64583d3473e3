// `bedside detect`: heartbeats of recordings, found as a live detector finds them.
import type { Command } from 'commander';
import { type DetectOptions, detect } from '../../../app/detect/detect.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { numberIn } from '../../options/numbers.ts';
import { addQuality } from '../../options/quality.ts';
import { Output } from '../../terminal/output.ts';
import { detectedJson } from './json.ts';
import { describeDetected } from './text.ts';

interface DetectCommandOptions
  extends CommonOptions,
    Pick<DetectOptions, 'lead' | 'learning' | 'flat' | 'saturation'> {}

/** Adds the command to the program. */
export function addDetect(program: Command): void {
  const command = program
    .command('detect')
    .summary('find the heartbeats of recordings, and compare them with annotated ones')
    .description(
      'Finds heartbeats in one lead of each recording, sample by sample and without looking ahead more than half a second, ' +
        'as `bedside stream` does live. Where beats are annotated, both are compared as ANSI/AAMI EC57 says: beat by beat, ' +
        'one to one within 150 ms, the first five minutes and ventricular flutter left out. Sensitivity is the share of ' +
        'annotated beats that were found, positive predictivity the share of found beats that were annotated; gross counts ' +
        'all beats alike, average all records alike. Where a lead is missing, flat or saturated no beats are looked for; how long ' +
        'and how often that was is told.',
    )
    .argument('<recordings...>', 'WFDB records (without ending), files of EDF or BDF, or folders of them')
    .option('--lead <name>', 'the lead to look at; default: MLII or II, else the first one')
    .option(
      '--learning <seconds>',
      'seconds at the start that are not compared; default 300, as the standard says',
      numberIn(0, 1e6, 'seconds'),
    );
  addQuality(command);
  addCommon(command, false)
    .addHelpText(
      'after',
      examples(
        ['bedside detect mitdb/100 mitdb/106', 'two records'],
        ['bedside detect mitdb/ --json', 'all records of a folder, for programs'],
        ['bedside detect night.edf --lead "ECG II"', 'beats of a file without annotations'],
      ),
    )
    .action(async (paths: readonly string[], options: DetectCommandOptions) => {
      const output = new Output(options);
      const result = await detect(paths, options, output);
      output.result(detectedJson(result));
      output.print(describeDetected(result));
    });
}
