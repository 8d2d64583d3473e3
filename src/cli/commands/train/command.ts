// `bedside train`: a policy that plans in a millisecond or two, for any fleet and any bundle.
import { type Command, InvalidArgumentError } from 'commander';
import { DEFAULT_TRAIN_STEPS, train } from '../../../app/train.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { count, positive } from '../../options/numbers.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { describeTraining } from './text.ts';

interface TrainCommandOptions extends CommonOptions {
  readonly out: string;
  readonly bundles?: readonly string[];
  readonly steps?: number;
  readonly minutes?: number;
  readonly resume?: boolean;
}

/** Adds the command to the program. */
export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .summary('train a policy that plans any fleet in a millisecond or two')
    .description(
      'Trains a policy: a small network that plans any bundle on any fleet in a millisecond or two. It first imitates the ' +
        'exact planner on random requests, then improves by its own trials (PPO; choices that break a limit are masked). ' +
        'The result is an ONNX file and a card beside it that lists features, training and results. Ctrl-C stops after ' +
        'the current unit of work and writes the policy as it is then. --resume continues such a run, and also one that ' +
        'was killed.',
    )
    .requiredOption('--out <file>', 'the policy to write, as ONNX; its card goes beside it, as JSON')
    .option('--bundles <list>', 'every other request is for one of these bundles, on a random fleet', paths)
    .option(
      '--steps <n>',
      `decisions to try after imitation (${DEFAULT_TRAIN_STEPS} unless --minutes)`,
      count(),
    )
    .option(
      '--minutes <m>',
      'stop after this time instead; such a run does not repeat exactly',
      positive(10_000, 'minutes'),
    )
    .option('--resume', 'continue from the checkpoint of a run that was stopped or killed');
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside train --out policy.onnx --minutes 30', 'half an hour, for any bundle'],
        ['bedside train --out policy.onnx --minutes 30 --resume', 'continue after an interruption'],
        ['bedside train --out ward.onnx --bundles ecg/,chest/', 'with two bundles in mind'],
        ['bedside plan ecg/ --fleet ward.json --solver policy --policy policy.onnx', 'use it'],
      ),
    )
    .action((options: TrainCommandOptions) => run(options));
}

async function run({ bundles = [], ...options }: TrainCommandOptions): Promise<void> {
  const output = new Output(options);
  const interrupt = Interrupt.of(output, 'the unit of work');
  try {
    const {
      remarks: _,
      skipped: __,
      ...result
    } = await train(bundles, { ...options, signal: interrupt.signal }, output);
    output.result(result);
    output.print(describeTraining(result));
    if (!result.finished) process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.end();
  }
}

function paths(text: string): readonly string[] {
  const list = text.split(',').filter((part) => part !== '');
  if (list.length === 0) throw new InvalidArgumentError('Expected folders of bundles, such as ecg/,chest/.');
  return list;
}
