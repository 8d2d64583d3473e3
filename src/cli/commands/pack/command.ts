// `bedside pack`: one network at any level vector as a folder, with measured variants; or one more variant of a bundle.
import type { Command } from 'commander';
import {
  certify,
  DEFAULT_PER_CLASS,
  DEFAULT_VALIDATION,
  evenRatios,
  isBundle,
  type PackOptions,
  pack,
} from '../../../app/index.ts';
import { PACK_RATIOS } from '../../../pack/index.ts';
import { BedsideError } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { assertNoneTyped } from '../../options/explicit.ts';
import { count, levelList, ratios } from '../../options/numbers.ts';
import { criteriaHelp, criterionChoiceOption } from '../../options/ranking.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks } from '../../terminal/score-remarks.ts';
import { packedJson } from './json.ts';
import { describeCertified, describePacked } from './text.ts';

interface PackCommandOptions extends CommonOptions, Omit<PackOptions, 'out' | 'seed'> {
  readonly data: string;
  readonly out?: string;
  readonly levelsCount?: number;
  readonly certify?: readonly number[];
}

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
    .action(async (path: string, options: PackCommandOptions) => {
      const output = new Output(options);
      if (options.certify) {
        assertCertifyOptions(command);
        await assertIsBundle(path);
        const result = await certify(path, options.certify, options, output);
        output.result(result);
        output.say(describeCertified(result));
        return;
      }
      const settings = { ...options, out: await outOf(path, options), ratios: levelRatios(options) };
      const result = await pack(path, settings, output);
      output.result({ ...packedJson(result), ...jsonScoreRemarks(output, result.scoreRemarks ?? []) });
      output.say(describePacked(result));
    });
}

/** @throws BedsideError E_USAGE for a folder instead of a model, or without --out */
async function outOf(path: string, { out }: PackCommandOptions): Promise<string> {
  if (await isBundle(path)) {
    throw new BedsideError('E_USAGE', `${path} is a folder, not a model`, {
      hint: `to measure one more mix of a bundle: bedside pack ${path} --certify LEVELS --data …`,
    });
  }
  if (out !== undefined) return out;
  throw new BedsideError('E_USAGE', "required option '--out <folder>' not specified", {
    hint: 'name the folder that becomes the bundle, such as --out ecg',
  });
}

/** The levels that options ask for; undefined for the usual ones. */
function levelRatios({ ratios: given, levelsCount }: PackCommandOptions): readonly number[] | undefined {
  if (given && levelsCount !== undefined) {
    throw new BedsideError('E_USAGE', 'give either --ratios or --levels-count, not both', {
      hint: '--levels-count 5 is --ratios 0,.21875,.4375,.65625,.875',
    });
  }
  if (levelsCount === 1) {
    throw new BedsideError('E_USAGE', '--levels-count 1: a single level is the unpruned network', {
      hint: 'ask for 2 or more, or evaluate the model as it is',
    });
  }
  if (levelsCount !== undefined) {
    return evenRatios(levelsCount);
  }
  // The first level is always the unpruned network.
  return given && [...new Set([0, ...given])];
}

/** Options of packing that say nothing of one more variant. */
const OF_PACKING = [
  ...['--out', '--name', '--criterion', '--levels-count', '--ratios', '--variants', '--block'],
  ...['--no-measure', '--max-positions', '--chart'],
];

function assertCertifyOptions(command: Command): void {
  assertNoneTyped(command, {
    options: OF_PACKING,
    because: (option) => `${option} has no meaning with --certify, which adds to a bundle as it is`,
    hint: 'give --data and what chooses samples; pack the model again to change the bundle itself',
  });
}

/** @throws BedsideError E_USAGE */
async function assertIsBundle(path: string): Promise<void> {
  if (await isBundle(path)) return;
  throw new BedsideError('E_USAGE', `--certify needs a bundle, and ${path} is none`, {
    hint: 'name a folder that `bedside pack` wrote',
  });
}
