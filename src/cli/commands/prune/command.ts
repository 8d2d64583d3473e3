// `bedside prune`: a smaller model without retraining, written and measured.
import type { Command } from 'commander';
import { isBundle, type LevelOptions } from '../../../app/bundle/bundle-levels.ts';
import { DEFAULT_PER_CLASS } from '../../../app/options.ts';
import type { PruneOptions } from '../../../app/prune/options.ts';
import { prune } from '../../../app/prune/prune.ts';
import { pruneBundle } from '../../../app/prune/prune-bundle.ts';
import { examples } from '../../command-line.ts';
import { addAlias } from '../../options/alias.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData, assertData } from '../../options/data.ts';
import { assertNoneTyped } from '../../options/explicit.ts';
import { addInt8, assertInt8 } from '../../options/int8.ts';
import { addLevels, assertNoLevels } from '../../options/levels.ts';
import { addOutput } from '../../options/network.ts';
import { count, macsFraction, ratio } from '../../options/numbers.ts';
import { addRanking, criteriaHelp, criterionChoiceOption } from '../../options/ranking.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks } from '../../terminal/score-remarks.ts';
import { describeBundlePruning } from './bundle-text.ts';
import { bundlePrunedJson, prunedJson } from './json.ts';
import { describePruning } from './text.ts';

interface PruneCommandOptions
  extends Omit<PruneOptions, 'data' | 'seed' | 'out'>,
    CommonOptions,
    LevelOptions {
  readonly data?: string;
  readonly out: string;
}

/** Adds the command to the program. */
export function addPrune(program: Command): void {
  const command = program
    .command('prune')
    .summary('write a smaller model, without retraining, and measure it')
    .description(
      'Writes a smaller model without retraining, and measures it. Channels are scored on samples of the local split, ' +
        'and the lowest are removed. Both models are measured on the test split; the smaller one is read back from its ' +
        'file first. Kept counts are rounded to multiples of the block that ONNX Runtime computes together, because ' +
        'counts between them run no faster. The layers that read pruned channels are repaired: refit in closed form, so ' +
        'that on the local samples they give what they gave before (labels are not used). A bundle was ranked and ' +
        'repaired when it was packed: its network at the given levels is written as it is.',
    )
    .argument('<model>', 'an ONNX file, or a bundle: a folder written by bedside pack')
    .option('--ratio <r>', 'fraction of the channels of each group to remove, in [0, 1)', ratio)
    .option('--macs <fraction>', 'share of the multiply-accumulates to be left, in (0, 1]', macsFraction)
    .requiredOption('--out <file>', 'the ONNX file to write')
    .addOption(criterionChoiceOption())
    .option('--no-repair', 'leave the kept weights as they are')
    .option(
      '--max-positions <n>',
      'the most positions that a layer is repaired from, over all samples; bounds memory; default 8192',
      count(),
    )
    .option(
      '--block <n>',
      'kept counts are multiples of this many channels; 1 for any count; default: as this processor computes (in images; ' +
        'networks of signals run faster with any count, so that 8 or 4 lose nothing; those with recurrent layers get 8)',
      count(4096),
    )
    .option('--no-speed', 'do not time both models; speedup and times are then null')
    .option('--test-limit <n>', 'measure on at most this many samples; default all', count())
    .option(
      '--int8',
      'write eight-bit integers: layers are refit to what they read in eight bits, and rounded (see bedside quantize)',
    );
  addInt8(command, '; with --int8');
  addAlias(command, '--no-reconstruct', '--no-repair');
  addLevels(command);
  addClassPrior(addRanking(command), 'weighs the samples that score, and accuracy is for it');
  addData(command, {
    split: 'samples that score; default local',
    perClass: `score on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
    optional: true,
  });
  addCommon(addRun(addOutput(command)))
    .addHelpText('after', criteriaHelp(true))
    .addHelpText(
      'after',
      examples(
        ['bedside prune model.onnx --data scans/ --macs 0.5 --out half.onnx', 'half the work'],
        [
          'bedside prune model.onnx --data mitdb/ --ratio 0.3 --criterion taylor --out small.onnx',
          '30 % of the channels',
        ],
        [
          'bedside prune model.onnx --data x.npz --ratio 0.25 --block 1 --out small.onnx --json',
          'exact counts',
        ],
        ['bedside prune model.onnx --data scans/ --macs 0.25 --int8 --out small8.onnx', 'and eight bits'],
        ['bedside prune ecg/ --levels 0,3,3,1 --out mix.onnx', 'a bundle, at these levels'],
      ),
    )
    .action(async (path: string, options: PruneCommandOptions) => {
      const output = new Output(options);
      if (await isBundle(path)) {
        assertBundleOptions(command, path);
        const result = await pruneBundle(path, options, output);
        output.result(bundlePrunedJson(result));
        output.print(describeBundlePruning(result));
        return;
      }
      assertNoLevels(command, path, ['--levels', '--no-correction']);
      assertData(options, 'prune');
      assertInt8(command, options);
      const result = await prune(path, options, output);
      output.result({ ...prunedJson(result), ...jsonScoreRemarks(output, result.scoreRemarks ?? []) });
      output.print(describePruning(result));
    });
}

/** Options that say how a model is scored, cut and repaired. */
const OF_MODELS = [
  ...['--data', '--macs', '--criterion', '--no-repair', '--no-reconstruct', '--max-positions', '--block'],
  ...[
    '--test-limit',
    '--no-speed',
    '--target',
    '--aggregate',
    '--global',
    '--normalise',
    '--steps',
    '--protect',
  ],
  ...['--class-prior', '--class-mix', '--split', '--per-class', '--limit', '--classes', '--records'],
  ...['--skip-bad', '--split-by', '--int8', '--keep-float', '--budget', '--reduced-range'],
];

function assertBundleOptions(command: Command, path: string): void {
  assertNoneTyped(command, {
    options: OF_MODELS,
    because: (option) =>
      `${option} is for models; ${path} is a bundle, ranked and repaired when it was packed`,
    hint: `give --levels or --ratio alone; \`bedside evaluate ${path} --data …\` measures, \`bedside inspect ${path}\` lists levels`,
  });
}
