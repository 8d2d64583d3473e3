// `bedside compare`: the same network pruned to the same sizes by several criteria, and measured.
import type { Command } from 'commander';
import {
  type CompareOptions,
  compare,
  DEFAULT_CRITERIA,
  DEFAULT_RATIOS,
} from '../../../app/compare/compare.ts';
import { DEFAULT_PER_CLASS } from '../../../app/options.ts';
import { examples } from '../../command-line.ts';
import { addAlias } from '../../options/alias.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addInt8, assertInt8 } from '../../options/int8.ts';
import { addOutput } from '../../options/network.ts';
import { count, ratio, ratios } from '../../options/numbers.ts';
import { addRanking, criteriaHelp, criteriaOption } from '../../options/ranking.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks } from '../../terminal/score-remarks.ts';
import { typedCommand } from '../../terminal/typed-command.ts';
import { comparisonFields } from './json.ts';
import { describeComparison } from './text.ts';

interface CompareCommandOptions extends CommonOptions, CompareOptions {
  readonly seed: number;
}

/** Adds the command to the program. */
export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .summary('which criterion keeps the most accuracy at each size')
    .description(
      'Prunes a network by each criterion to each ratio, without retraining, and measures every pruned network. ' +
        'Channels are scored on samples of the local split; the lowest are removed; the test split measures. Channel counts ' +
        'are not aligned to the engine, so that criteria are compared at equal counts. Without labels, accuracy is ' +
        'agreement with the unpruned network. --local compares three sources of the samples for scoring, with as many ' +
        'samples of each, and measures on the local test samples. local: the samples that --class-prior, --classes or ' +
        '--records choose, in their own mix. uniform: all classes equally, from all records. wrong: the same classes from ' +
        'the other records, in their mix; without --records the other classes; if all classes are local, the shares in ' +
        'reverse.',
    )
    .argument('<model>', 'an ONNX file')
    .addOption(criteriaOption(DEFAULT_CRITERIA.join()))
    .option('--ratios <list>', 'fractions of channels removed, each in [0, 1)', ratios, DEFAULT_RATIOS)
    .option(
      '--seeds <n>',
      'number of draws of the samples for scoring, by seeds from --seed on; several give mean and spread',
      count(1000),
      1,
    )
    .option('--repair', 'repair every pruned network, from the samples for scoring, before it is measured')
    .option('--int8', 'measure every pruned network in eight bits (see bedside quantize)')
    .option('--local', 'compare samples of the local class prior with uniform and with wrong samples')
    .option('--test-limit <n>', 'measure on at most this many samples; default all', count())
    .option('--report <file>', 'write a self-contained HTML page: charts, tables, heatmaps, command, hashes')
    .option(
      '--recall-ratio <r>',
      'ratio at which the report shows the recall of each class; default the middle ratio',
      ratio,
    );
  addInt8(command, '; with --int8');
  addAlias(command, '--reconstruct', '--repair');
  // Help shows defaults as typed.
  for (const option of command.options) {
    if (option.attributeName() === 'ratios') option.defaultValueDescription = DEFAULT_RATIOS.join();
  }
  addClassPrior(addRanking(command), 'weighs the samples for scoring, and accuracy');
  addData(command, {
    split: 'the samples for scoring; default local',
    perClass: `score on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
  });
  addCommon(addRun(addOutput(command)))
    .addHelpText('after', criteriaHelp(true))
    .addHelpText(
      'after',
      examples(
        ['bedside compare model.onnx --data scans/ --report report.html', 'everything by default'],
        ['bedside compare model.onnx --data mitdb/ --criteria lrp-gamma,l1 --ratios 0.25,0.5', 'two of each'],
        ['bedside compare model.onnx --data scans/ --test-limit 500', 'a quick look'],
        [
          'bedside compare model.onnx --data mitdb/ --records 208 --local --seeds 3',
          'one patient against others',
        ],
      ),
    )
    .action((path: string, options: CompareCommandOptions) => {
      assertInt8(command, options);
      return run(path, options);
    });
}

async function run(path: string, options: CompareCommandOptions): Promise<void> {
  const start = performance.now();
  const output = new Output(options);
  const comparison = await compare(path, { ...options, command: typedCommand() }, output);
  jsonScoreRemarks(output, comparison.scoreRemarks ?? []);
  output.result(comparisonFields(comparison));
  output.print(describeComparison(comparison, (performance.now() - start) / 1000));
}
