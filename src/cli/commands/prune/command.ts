// `bedside prune`: a smaller model without retraining, written and measured.
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  DEFAULT_PER_CLASS,
  type EngineOptions,
  isBundle,
  type LevelOptions,
  loadNetwork,
  loadTwoSets,
  type RankingOptions,
  rankingOf,
  type TwoSetsOptions,
  unrepairedNote,
} from '../../../app/index.ts';
import { type CriterionChoice, detectBlock, type PruneAmount } from '../../../prune/index.ts';
import type { LayerRepair } from '../../../repair/index.ts';
import { describeUncounted } from '../../../report/index.ts';
import {
  assertWritable,
  BedsideError,
  formatCount,
  formatPercent,
  formatSeconds,
} from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData, assertData } from '../../options/data.ts';
import { addLevels, assertNoLevels } from '../../options/levels.ts';
import { count, macsFraction, ratio } from '../../options/numbers.ts';
import { addRanking, criteriaHelp, criterionChoiceOption } from '../../options/ranking.ts';
import { assertBundleOptions, pruneBundle } from '../../prune-bundle.ts';
import { type AutoResult, type PruneResult, pruneAndMeasure } from '../../prune-run.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks, sayScoreRemarks } from '../../terminal/score-remarks.ts';
import { indent, table } from '../../terminal/tables.ts';

interface PruneCommandOptions
  extends CommonOptions,
    EngineOptions,
    Omit<TwoSetsOptions, 'data'>,
    RankingOptions,
    LevelOptions {
  readonly data?: string;
  readonly macs?: number;
  readonly criterion: CriterionChoice;
  readonly block?: number;
  readonly reconstruct: boolean;
  readonly maxPositions?: number;
  readonly out: string;
}

/** Adds the command to the program. */
export function addPrune(program: Command): void {
  const command = program
    .command('prune')
    .summary('write a smaller model, without retraining, and measure it')
    .description(
      'Scores the channels on samples of the local split, removes the lowest, writes the smaller model, reads it back, ' +
        'and measures both on the test split. What is reported is what was written. Kept counts are rounded to the ' +
        'nearest multiple of the block that ONNX Runtime computes together, since counts between run no faster. ' +
        'The layers behind pruned ones are then refit in closed form, so that on the same samples (labels are not ' +
        'read) they give again what they gave before; --no-reconstruct leaves the kept weights as they are. Of a bundle, ' +
        'which was ranked and repaired when it was packed, the network at chosen levels is written as it is.',
    )
    .argument('<model>', 'an ONNX file, or a bundle: a folder written by bedside pack')
    .option('--ratio <r>', 'fraction of the channels of each group to remove, in [0, 1)', ratio)
    .option('--macs <fraction>', 'share of the multiply-accumulates to be left, in (0, 1]', macsFraction)
    .requiredOption('--out <file>', 'the ONNX file to write')
    .addOption(criterionChoiceOption())
    .option('--no-reconstruct', 'leave the kept weights as they are, without repair')
    .option(
      '--max-positions <n>',
      'most places a layer is repaired from, over all samples; bounds memory; default 8192',
      count(),
    )
    .option(
      '--block <n>',
      'channels to align kept counts to; 1 for none; default: as this processor',
      count(4096),
    )
    .option('--test-limit <n>', 'measure on at most this many samples; default all', count());
  addLevels(command);
  addClassPrior(addRanking(command), 'samples for scoring weigh so, and accuracy is for this mix');
  addData(command, {
    split: 'what channels are scored on; default local',
    perClass: `score on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
    optional: true,
  });
  addCommon(addRun(command))
    .addHelpText('after', criteriaHelp(true))
    .addHelpText(
      'after',
      examples(
        ['bedside prune model.onnx --data scans/ --macs .5 --out half.onnx', 'half the work'],
        [
          'bedside prune model.onnx --data mitdb/ --ratio .3 --criterion taylor --out small.onnx',
          '30 % of the channels',
        ],
        [
          'bedside prune model.onnx --data x.npz --ratio .25 --block 1 --out small.onnx --json',
          'exact counts',
        ],
        ['bedside prune ecg/ --levels 0,3,3,1 --out mix.onnx', 'of a bundle, at these levels'],
      ),
    )
    .action(async (path: string, options: PruneCommandOptions) => {
      if (!(await isBundle(path))) return prune(path, options);
      assertBundleOptions(path, (name) => command.getOptionValueSource(name) === 'cli');
      return pruneBundle(path, options, new Output(options));
    });
}

async function prune(path: string, options: PruneCommandOptions): Promise<void> {
  const output = new Output(options);
  assertNoLevels(path, { levels: options.levels, correction: options.correction });
  assertData(options, 'prune');
  const amount = amountOf(options);
  await assertOther(path, options.out);
  await assertWritable(options.out);
  const loaded = await loadNetwork(path, options);
  if (options.macs !== undefined) {
    for (const line of describeUncounted(loaded.costs.uncounted))
      output.note(`--macs ${options.macs}: ${line}`);
  }
  const sets = await loadTwoSets(loaded.classifier, options, options.seed, output);
  output.note(`scoring on ${sets.calibration.size} samples, measuring on ${sets.test.size}`);
  const block = options.block ?? detectBlock();
  const { criterion, target, batch, threads, seed, out, reconstruct, maxPositions } = options;
  const ranking = rankingOf(options);
  const unrepaired = unrepairedNote([criterion], reconstruct);
  if (unrepaired !== undefined) output.note(unrepaired);
  const result = await output.during('pruning', (progress) =>
    pruneAndMeasure(
      loaded,
      sets,
      { criterion, target, ranking, amount, block, reconstruct, maxPositions, batch, threads, seed, out },
      progress,
    ),
  );
  if (result.groups.every(({ channels, kept }) => channels === kept)) {
    output.note(
      `nothing was removed: with blocks of ${block} the nearest counts are the whole groups (see --block)`,
    );
  }
  output.result({ ...result, ...jsonScoreRemarks(output, result.scoreRemarks ?? []) });
  output.say(describePruning(result, sets.test.labels !== undefined));
}

/** Before and after, and the channels kept of each group. */
export function describePruning(result: PruneResult, labelled: boolean): string {
  const { macs, parameters, groups } = result;
  const word = labelled ? 'accuracy' : 'agreement with the unpruned network';
  const pairs: [string, string, string, string][] = [
    ['MACs', formatCount(macs / result.macsFraction), formatCount(macs), formatPercent(result.macsFraction)],
    [
      'parameters',
      formatCount(parameters / result.parametersFraction),
      formatCount(parameters),
      formatPercent(result.parametersFraction),
    ],
    [
      'time a sample',
      formatSeconds(result.msPerSampleBefore / 1000),
      formatSeconds(result.msPerSampleAfter / 1000),
      `${result.speedup.toFixed(2)} times faster`,
    ],
    [word, formatPercent(result.accuracyBefore), formatPercent(result.accuracyAfter), ''],
    [
      'balanced accuracy',
      formatPercent(result.balancedAccuracyBefore),
      formatPercent(result.balancedAccuracyAfter),
      '',
    ],
  ];
  return [
    table(['', '>before', '>after', ''], pairs),
    ...describeUncounted(result.uncounted),
    '',
    ...(result.auto ? describeChoice(result.auto) : []),
    ...sayScoreRemarks(result.scoreRemarks ?? []),
    ...(result.repairs ? describeRepairs(result.repairs) : []),
    `Channels kept, by ${result.auto?.picked ?? result.criterion}, in blocks of ${result.block}`,
    indent(
      table(
        ['>group', '>channels', '>kept', 'layers'],
        groups.map(({ id, channels, kept, layers }) => [
          String(id),
          String(channels),
          String(kept),
          layers.join(', '),
        ]),
      ),
    ),
    '',
    `written: ${result.out}`,
  ].join('\n');
}

/** How near the repaired layers came to what the unpruned ones gave. */
function describeRepairs(repairs: readonly LayerRepair[]): string[] {
  const rows = repairs.map(({ layer, errorBefore, errorAfter, refit }) => [
    layer,
    formatPercent(errorBefore),
    refit ? formatPercent(errorAfter) : 'left as it was',
  ]);
  const title = 'Layers refit, and their error on held-out samples as a share of the variance';
  return [title, indent(table(['layer', '>cut', '>repaired'], rows)), ''];
}

/** What `auto` measured and took. */
function describeChoice({ picked, reason, candidates, measure, repaired }: AutoResult): string[] {
  if (repaired) {
    const rows = candidates.map((row) => [
      row.criterion,
      row.difference.toPrecision(3),
      formatPercent(row.measure),
    ]);
    const titles = ['criterion', '>distance, repaired', '>same answer'];
    return [`auto took ${picked}: ${reason}`, ...(rows.length > 0 ? [indent(table(titles, rows))] : []), ''];
  }
  const rows = candidates.map((row) => [
    row.criterion,
    formatPercent(row.screened),
    row.halves === undefined ? '' : formatPercent(row.halves),
    row.difference.toFixed(4),
  ]);
  const titles = ['criterion', `>${measure} as cut`, '>by halves', '>change of probabilities'];
  return [`auto took ${picked}: ${reason}`, indent(table(titles, rows)), ''];
}

function amountOf({ ratio: removed, macs }: PruneCommandOptions): PruneAmount {
  if (removed !== undefined && macs === undefined) return { ratio: removed };
  if (macs !== undefined && removed === undefined) return { macsFraction: macs };
  throw new BedsideError('E_USAGE', 'prune needs either --ratio or --macs, and not both', {
    hint: '--ratio .3 removes 30 % of the channels of each group; --macs .5 leaves half of the multiply-accumulates',
  });
}

/** The original must survive. */
async function assertOther(path: string, out: string): Promise<void> {
  if ((await realOf(path)) !== (await realOf(out))) return;
  throw new BedsideError('E_USAGE', `--out ${out} is the model itself, which would be overwritten`, {
    hint: 'choose another file name',
  });
}

/** Links resolved, also for a file that does not exist yet. */
async function realOf(path: string): Promise<string> {
  const full = resolve(path);
  return realpath(full).catch(async () =>
    join(await realpath(dirname(full)).catch(() => dirname(full)), basename(full)),
  );
}
