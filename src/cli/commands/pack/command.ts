// `bedside pack`: one network at any level vector as a folder, with measured variants; or one more variant of a bundle.
import type { Command } from 'commander';
import { certify } from '../../../app/bundle/certify.ts';
import { pack } from '../../../app/bundle/pack.ts';
import { DEFAULT_PER_CLASS } from '../../../app/options.ts';
import { DEFAULT_VALIDATION } from '../../../app/samples/local-draws.ts';
import { PACK_RATIOS } from '../../../pack/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, addRun } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addOutput } from '../../options/network.ts';
import { count, levelList, ratios } from '../../options/numbers.ts';
import { precisionList } from '../../options/precisions.ts';
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

const VARIANTS =
  'measure and store about this many level vectors; default 128, fewer (at least 30) for large networks';

/** Adds the command to the program. */
export function addPack(program: Command): void {
  const command = program
    .command('pack')
    .summary('one network at many sizes as a bundle, with the accuracy of each')
    .description(
      'Writes a bundle: a folder that holds one network at many sizes. The channels of every group are sorted by their ' +
        'scores, so that keeping the first ones is pruning. Every level is repaired in closed form, so that any level ' +
        'vector can be assembled without fitting. Then bedside times every layer on this machine, and measures level ' +
        'vectors along the accuracy-cost frontier. The local split is divided: --per-class samples of each class rank ' +
        'and repair (only the criterion uses labels), and validation samples measure. The bundle is written whole or ' +
        'not at all, and replaces a bundle in its place. With --certify, one more level vector of a bundle is measured ' +
        'and added.',
    )
    .argument('<model>', 'an ONNX file; with --certify, a bundle')
    .option('--out <folder>', 'the folder to write: a new one, an empty one, or a bundle to replace')
    .option('--name <name>', "the bundle's name; default the model's file name without its ending")
    .addOption(criterionChoiceOption())
    .option('--levels-count <p>', 'this many levels, evenly from 0 to 7/8 of the channels removed', count(64))
    .option(
      '--ratios <list>',
      `fraction of channels removed at each level, such as 0,0.25,0.5; default ${PACK_RATIOS.join(',')}`,
      ratios,
    )
    .option('--variants <n>', VARIANTS, count(100_000))
    .option(
      '--block <n>',
      'kept counts are multiples of this many channels; 1 for any count; default: as this processor computes',
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
      'correct variants by scales and biases alone: faster packing, a smaller bundle, less accurate variants',
    )
    .option(
      '--precisions <list>',
      'what stages may compute in, in any case: float32, or float32,int8; default: int8 too where the unpruned network ' +
        'is then at least 1.25 times as fast here and loses at most half a point',
      precisionList,
    )
    .option('--no-measure', 'do not measure how long layers take on this machine')
    .option(
      '--max-positions <n>',
      'the most positions that a layer is repaired from, over all samples; bounds memory; default 4096',
      count(),
    )
    .option('--chart <file>', 'the SVG file for the chart of measured variants; default beside the folder')
    .option(
      '--certify <levels>',
      'bundles only: measure these levels, one for each group, and add them',
      levelList,
    );
  addData(command, {
    split: 'samples that are divided in two; default local',
    perClass: `rank and repair on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
  });
  addCommon(addRun(addOutput(command)))
    .addHelpText('after', criteriaHelp(true))
    .addHelpText(
      'after',
      examples(
        ['bedside pack model.onnx --data mitdb/ --out ecg', 'criterion chosen by measurement'],
        [
          'bedside pack model.onnx --data scans/ --criterion lrp-gamma --ratios 0,0.25,0.5,0.75 --out scans-bundle',
          'four levels',
        ],
        ['bedside pack model.onnx --data x.npz --variants 32 --no-measure --out quick --json', 'quickly'],
        ['bedside pack ecg --certify 0,3,3,1 --data mitdb/', 'one more level vector measured'],
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
  output.print(describePacked(result));
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
  output.print(describeCertified(result));
}
