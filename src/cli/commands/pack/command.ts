// `bedside pack`: one network at any level vector as a folder, with measured variants; or one more variant of a bundle.
import type { Command } from 'commander';
import { certify, DEFAULT_PER_CLASS, DEFAULT_VALIDATION, pack } from '../../../app/index.ts';
import { PACK_RATIOS } from '../../../pack/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, addRun } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { count, levelList, ratios } from '../../options/numbers.ts';
import { criteriaHelp, criterionChoiceOption } from '../../options/ranking.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks } from '../../terminal/score-remarks.ts';
import { packedJson } from './json.ts';
import {
  assertCertifyOptions,
  assertIsBundle,
  levelRatios,
  outOf,
  type PackCommandOptions,
} from './options.ts';
import { describeCertified, describePacked } from './text.ts';

/** Adds the command to the program. */
export function addPack(program: Command): void {
  const command = program
    .command('pack')
    .summary('one network at any mix of widths as a bundle, with measured mixes')
    .description(
      'Puts the channels of every group in the order of their scores, so that keeping the first ones is pruning; refits ' +
        'the layers in closed form for every level, so that any mix of levels can be put together without fitting ' +
        'anything; measures what layers take on this machine, and mixes of levels along the frontier of accuracy against ' +
        'cost. The local split is divided: --per-class samples of each class rank and repair (labels are not read but ' +
        'by the criterion), others, held apart, measure. The bundle is written whole or not at all, and a bundle in its ' +
        'place is replaced. With --certify, one more mix of a bundle is measured and added.',
    )
    .argument('<model>', 'an ONNX file; with --certify, a bundle')
    .option('--out <folder>', 'the folder to write: a new one, an empty one, or a bundle to replace')
    .option('--name <name>', "the bundle's name; default the model's file name without its ending")
    .addOption(criterionChoiceOption())
    .option('--levels-count <p>', 'this many levels, evenly from 0 to 7/8 of the channels removed', count(64))
    .option(
      '--ratios <list>',
      `fraction of channels removed at each level, such as 0,.25,.5; default ${PACK_RATIOS.join(',')}`,
      ratios,
    )
    .option(
      '--variants <n>',
      'measure and store about this many mixes of levels; default 256',
      count(100_000),
    )
    .option(
      '--block <n>',
      'channels to align kept counts to; 1 for none; default: as this processor',
      count(4096),
    )
    .option(
      '--validation-per-class <n>',
      'measure on at most this many samples of each class',
      count(),
      DEFAULT_VALIDATION,
    )
    .option(
      '--no-low-rank',
      'correct mixes by factors and summands alone: packed sooner, a smaller bundle, less accurate mixes',
    )
    .option('--no-measure', 'do not measure how long layers take on this machine')
    .option(
      '--max-positions <n>',
      'most places a layer is repaired from, over all samples; bounds memory; default 4096',
      count(),
    )
    .option('--chart <file>', 'where the chart of the measured mixes goes, an SVG; default beside the folder')
    .option('--certify <levels>', 'of a bundle: measure these levels, one a group, and add them', levelList);
  addData(command, {
    split: 'what is divided in two; default local',
    perClass: `rank and repair on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
  });
  addCommon(addRun(command))
    .addHelpText('after', criteriaHelp(true))
    .addHelpText(
      'after',
      examples(
        ['bedside pack model.onnx --data mitdb/ --out ecg', 'criterion chosen by measurement'],
        [
          'bedside pack model.onnx --data scans/ --criterion lrp-gamma --ratios 0,.25,.5,.75 --out scans-bundle',
          'four levels',
        ],
        ['bedside pack model.onnx --data x.npz --variants 32 --no-measure --out quick --json', 'quickly'],
        ['bedside pack ecg --certify 0,3,3,1 --data mitdb/', 'one more mix measured'],
      ),
    )
    .action((path: string, options: PackCommandOptions) =>
      options.certify ? addVariant(command, path, options.certify, options) : packNetwork(path, options),
    );
}

async function packNetwork(path: string, options: PackCommandOptions): Promise<void> {
  const output = new Output(options);
  const settings = { ...options, out: await outOf(path, options), ratios: levelRatios(options) };
  const result = await pack(path, settings, output);
  output.result({ ...packedJson(result), ...jsonScoreRemarks(output, result.scoreRemarks ?? []) });
  output.say(describePacked(result));
}

async function addVariant(
  command: Command,
  path: string,
  levels: readonly number[],
  options: PackCommandOptions,
): Promise<void> {
  const output = new Output(options);
  assertCertifyOptions(command);
  await assertIsBundle(path);
  const result = await certify(path, levels, options, output);
  output.result(result);
  output.say(describeCertified(result));
}
