// `bedside evaluate`: accuracy, recall of each class and time of a model on labelled samples.
import type { Command } from 'commander';
import { isBundle, type LevelOptions } from '../../../app/bundle/bundle-levels.ts';
import { evaluate } from '../../../app/evaluate.ts';
import type { DataOptions } from '../../../app/options.ts';
import type { ClassPriorOptions } from '../../../app/samples/class-prior.ts';
import { examples } from '../../command-line.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions, type ComputeOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addLevels, assertNoLevels } from '../../options/levels.ts';
import { addOutput } from '../../options/network.ts';
import { ratio } from '../../options/numbers.ts';
import { Output } from '../../terminal/output.ts';
import { evaluatedJson } from './json.ts';
import { describeEvaluated } from './text.ts';

interface EvaluateCommandOptions
  extends CommonOptions,
    ComputeOptions,
    DataOptions,
    ClassPriorOptions,
    LevelOptions {
  readonly preview?: string;
}

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .summary('accuracy and speed of a model, or of a bundle at chosen levels, on labelled samples')
    .description(
      'Measures accuracy and speed on labelled samples: accuracy, recall of each class, balanced accuracy (mean recall of ' +
        'the classes that occur), and the mean time of inference alone after a warm-up. A bundle is assembled at the ' +
        'levels given, from its repaired weights; without levels it is unpruned. Levels that were measured when it was ' +
        'packed are corrected as they were then.',
    )
    .argument('<model>', 'an ONNX file, or a bundle: a folder written by bedside pack')
    .option(
      '--ratio <r>',
      'bundles only: every group at the level nearest to this fraction of channels removed',
      ratio,
    );
  command.option(
    '--preview <dir>',
    'write a few samples as the network reads them: pictures, and index.html',
  );
  addLevels(command);
  addData(command, { split: 'default test', perClass: 'at most this many samples of each class' });
  addClassPrior(command, 'accuracy is for it');
  addCommon(addRun(addOutput(command)))
    .addHelpText(
      'after',
      examples(
        ['bedside evaluate model.onnx --data scans/', 'all of scans/test'],
        ['bedside evaluate model.onnx --data mitdb/ --records 100,106', 'two patients'],
        ['bedside evaluate model.onnx --data x.npz --threads 1 --json', 'for programs'],
        ['bedside evaluate model.onnx --data scans/ --preview seen/', 'and look at what it reads'],
        ['bedside evaluate ecg/ --data mitdb/ --ratio 0.5', 'a bundle, half of every group'],
        ['bedside evaluate ecg/ --data mitdb/ --levels 0,3,3,1', 'each group at a level of its own'],
      ),
    )
    .action(async (path: string, options: EvaluateCommandOptions) => {
      const output = new Output(options);
      if (!(await isBundle(path))) assertNoLevels(command, path, ['--levels', '--ratio', '--no-correction']);
      const result = await evaluate(path, options, output);
      output.result(evaluatedJson(result));
      output.print(describeEvaluated(result, options.threads));
    });
}
