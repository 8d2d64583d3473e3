// `bedside init`: a first contract of a model's input, to be looked at and corrected.
import type { Command } from 'commander';
import { type InitOptions, init } from '../../../app/init/init.ts';
import { examples } from '../../command-line.ts';
import { addCommon, addRun, type CommonOptions, type ComputeOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addOutput } from '../../options/network.ts';
import { Output } from '../../terminal/output.ts';
import { describeInit } from './text.ts';

/** Adds the command to the program. */
export function addInit(program: Command): void {
  const command = program
    .command('init')
    .summary("write a first contract (model.json) of a model's input, from the model and its data")
    .description(
      "Writes a first contract of a model's input and scores: names, task, classes, and how samples are prepared. It takes " +
        'what the model and the data say, measures common ways to prepare samples on a few labelled ones, and says of every ' +
        'field what it rests on. Look at it, correct it, and look at the samples with evaluate --preview.',
    )
    .argument('<model>', 'an ONNX file')
    .option('--out <file>', 'the file to write; default NAME.json beside NAME.onnx')
    .option('--force', 'replace a file that is there');
  addData(command, {
    split: 'default local',
    perClass: 'compare on at most this many samples of each class; default 12',
  });
  addCommon(addRun(addOutput(command)))
    .addHelpText(
      'after',
      examples(
        ['bedside init model.onnx --data scans/', 'writes model.json'],
        ['bedside init ecg.onnx --data mitdb/ --out contract.json', 'another file'],
      ),
    )
    .action(async (path: string, options: InitOptions & CommonOptions & ComputeOptions) => {
      const output = new Output(options);
      const result = await init(path, options, output);
      output.result(result);
      output.print(describeInit(result));
    });
}
