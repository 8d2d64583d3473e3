// `bedside pack`: one network at any mix of levels as a folder, with measured mixes; or one more measured mix of one.
import type { Command } from 'commander';
import {
  DEFAULT_PER_CLASS,
  type EngineOptions,
  isBundle,
  loadBundle,
  loadNetwork,
} from '../../../app/index.ts';
import { checkLevels } from '../../../bundle/index.ts';
import { assertPrunable, findGroups } from '../../../channels/index.ts';
import { PACK_RATIOS, type PackedModel } from '../../../pack/index.ts';
import { type CriterionChoice, detectBlock } from '../../../prune/index.ts';
import {
  describeUncounted,
  frontierRows,
  levelsText,
  measureWord,
  shownRows,
} from '../../../report/index.ts';
import {
  assertWritable,
  BedsideError,
  formatBytes,
  formatPercent,
  formatSeconds,
  plainLine,
} from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { frontierTable } from '../../frontier-table.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { count, levelList, ratios } from '../../options/numbers.ts';
import { criteriaHelp, criterionChoiceOption } from '../../options/ranking.ts';
import {
  assertBundleFolder,
  certifyAndWrite,
  DEFAULT_VALIDATION,
  type DrawOptions,
  localDraws,
  nameOf,
  type PackResult,
  packAndWrite,
} from '../../pack-run.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks, sayScoreRemarks } from '../../terminal/score-remarks.ts';
import { indent, table } from '../../terminal/tables.ts';

interface PackCommandOptions extends CommonOptions, EngineOptions, DrawOptions {
  readonly out?: string;
  readonly name?: string;
  readonly criterion: CriterionChoice;
  readonly levelsCount?: number;
  readonly ratios?: readonly number[];
  readonly variants?: number;
  readonly block?: number;
  readonly measure: boolean;
  readonly lowRank: boolean;
  readonly maxPositions?: number;
  readonly chart?: string;
  readonly certify?: readonly number[];
}

/** Rows of the frontier that people are shown; --json has all. */
const SHOWN = 16;

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
      const typed = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
      if (options.certify) return certify(path, options.certify, options, typed);
      return pack(path, options);
    });
}

async function pack(path: string, options: PackCommandOptions): Promise<void> {
  const output = new Output(options);
  const { out, chart = `${out?.replace(/[/\\]+$/, '')}.svg` } = options;
  if (await isBundle(path)) {
    throw new BedsideError('E_USAGE', `${path} is a folder, not a model`, {
      hint: `to measure one more mix of a bundle: bedside pack ${path} --certify LEVELS --data …`,
    });
  }
  if (out === undefined) {
    throw new BedsideError('E_USAGE', "required option '--out <folder>' not specified", {
      hint: 'name the folder that becomes the bundle, such as --out ecg',
    });
  }
  const levels = levelRatios(options);
  await assertBundleFolder(out);
  await assertWritable(chart);
  const loaded = await loadNetwork(path, options);
  assertPrunable(findGroups(loaded.canonical), path);
  const { batch, threads, seed, variants, maxPositions, criterion, name = nameOf(path) } = options;
  const block = options.block ?? detectBlock();
  const start = performance.now();
  const draws = await localDraws(loaded.classifier, options, seed, output);
  const settings = {
    out,
    chart,
    name,
    criterion,
    ratios: levels,
    block,
    variants,
    maxPositions,
    batch,
    threads,
    seed,
    lowRankFrom: lowRankFrom(options),
  };
  const result = await packAndWrite(loaded, draws, { ...settings, measureSeconds: options.measure }, output);
  const totalSeconds = (performance.now() - start) / 1000;
  const told = { output, out, chart, block, totalSeconds };
  output.result(facts(result, told));
  output.say(describe(result, told));
}

/** What of the model's file the bundle does not have. */
function givenLines({ given: { dropped, freedBatch } }: PackedModel): string[] {
  const lines: string[] = [];
  if (dropped.outputs.length > 0) {
    const only = dropped.nodes.length > 0 ? `, and ${dropped.nodes.length} nodes that only they need` : '';
    lines.push(plainLine(`left out: outputs behind the first (${dropped.outputs.join(', ')})${only}`));
  }
  if (freedBatch !== undefined) {
    lines.push(
      `the model fixes a batch of ${freedBatch}, the bundle none: tried on samples, the scores are the same`,
    );
  }
  return lines;
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
    return Array.from({ length: levelsCount }, (_, level) => (LAST_RATIO * level) / (levelsCount - 1));
  }
  // The first level is always the unpruned network.
  return given && [...new Set([0, ...given])];
}

/** Undefined for the usual one. */
function lowRankFrom({ lowRank }: PackCommandOptions): number | undefined {
  return lowRank ? undefined : Number.POSITIVE_INFINITY;
}

const LAST_RATIO = PACK_RATIOS.at(-1) ?? 0.875;

interface Told {
  readonly output: Output;
  readonly out: string;
  readonly chart: string;
  readonly block: number;
  readonly totalSeconds: number;
}

/** The JSON object. */
function facts({ packed, manifest, bytes, seconds }: PackResult, told: Told): object {
  const { accuracy, provenance, groups, ratios: levels, variants } = manifest;
  const { choice } = packed;
  return {
    out: told.out,
    name: manifest.name,
    chart: told.chart,
    criterion: packed.criterion,
    ...(choice ? { auto: { ...choice, criterion: choice.criterion.name } } : {}),
    block: told.block,
    ratios: levels,
    groups: groups.length,
    levels: levels.length,
    variants: variants.length,
    lowRank: packed.lowRank,
    stages: manifest.stages.length,
    uncounted: manifest.uncounted ?? [],
    bytes,
    calibration: provenance.calibration,
    validation: provenance.validation,
    accuracyModel: accuracy,
    ...(packed.given.dropped.outputs.length > 0 ? { dropped: packed.given.dropped } : {}),
    ...(packed.given.freedBatch === undefined ? {} : { freedBatch: packed.given.freedBatch }),
    ...jsonScoreRemarks(told.output, packed.remarks),
    ...(packed.fixed.size > 0 ? { unordered: Object.fromEntries(packed.fixed) } : {}),
    frontier: frontierRows(manifest),
    seconds: { ...Object.fromEntries(seconds), total: told.totalSeconds },
  };
}

function describe({ packed, manifest, bytes, seconds }: PackResult, told: Told): string {
  const { accuracy, groups, variants, provenance, measured } = manifest;
  const best = frontierRows(manifest).length;
  const { choice } = packed;
  const ranked = choice ? `${packed.criterion}, which auto took: ${choice.reason}` : packed.criterion;
  const steps = [...seconds].map(([step, time]) => [step, formatSeconds(time)]);
  return [
    `${plainLine(manifest.name)}: ${groups.length} groups at ${manifest.ratios.length} levels (${manifest.ratios.join(', ')}), in blocks of ${told.block}`,
    `ranked by ${ranked}`,
    ...givenLines(packed),
    ...sayScoreRemarks(packed.remarks),
    ...[...packed.fixed].map(([group, why]) => `group ${group} keeps its order: ${plainLine(why)}`),
    '',
    `${variants.length} mixes measured on ${provenance.validation} samples held apart; ${best} ${best === 1 ? 'is' : 'are'} not beaten in ${measureWord(manifest)} and MACs`,
    ...(packed.lowRank > 0 ? [`${packed.lowRank} of them corrected by changes of low rank besides`] : []),
    indent(frontierTable(manifest, shownRows(manifest, SHOWN))),
    ...describeUncounted(manifest.uncounted),
    '',
    `accuracy of other mixes is predicted: mean error ${accuracy.meanError.toFixed(3)}, at most ${accuracy.maxError.toFixed(3)} on ${accuracy.checked} mixes that it was not made from`,
    ...(measured
      ? [`times: sums over stages run one by one, ${plainLine(measured.machine)}, one sample at a time`]
      : []),
    '',
    indent(table(['step', '>time'], [...steps, ['all', formatSeconds(told.totalSeconds)]])),
    '',
    `written: ${plainLine(told.out)} (${formatBytes(bytes)}), ${plainLine(told.chart)}`,
  ].join('\n');
}

/** Options of packing that say nothing of one more mix, as typed. */
const OF_PACKING: ReadonlyMap<string, string> = new Map([
  ['out', '--out'],
  ['name', '--name'],
  ['criterion', '--criterion'],
  ['levelsCount', '--levels-count'],
  ['ratios', '--ratios'],
  ['variants', '--variants'],
  ['block', '--block'],
  ['measure', '--no-measure'],
  ['maxPositions', '--max-positions'],
  ['chart', '--chart'],
]);

async function certify(
  path: string,
  levels: readonly number[],
  options: PackCommandOptions,
  typed: (name: string) => boolean,
): Promise<void> {
  const output = new Output(options);
  for (const [name, flag] of OF_PACKING) {
    if (!typed(name)) continue;
    throw new BedsideError(
      'E_USAGE',
      `${flag} has no meaning with --certify, which adds to a bundle as it is`,
      {
        hint: 'give --data and what chooses samples; pack the model again to change the bundle itself',
      },
    );
  }
  if (!(await isBundle(path))) {
    throw new BedsideError('E_USAGE', `--certify needs a bundle, and ${path} is none`, {
      hint: 'name a folder that `bedside pack` wrote',
    });
  }
  const bundle = await loadBundle(path, output);
  checkLevels(bundle.manifest, levels);
  const { variant, index, manifest } = await certifyAndWrite(
    bundle,
    levels,
    { ...options, lowRankFrom: lowRankFrom(options) },
    output,
  );
  const whole = manifest.variants[0]?.macs ?? variant.macs;
  output.result({
    bundle: path,
    name: manifest.name,
    variant: index,
    variants: manifest.variants.length,
    measure: manifest.accuracy.measure,
    macsFraction: variant.macs / whole,
    uncounted: manifest.uncounted ?? [],
    ...variant,
  });
  output.say(
    [
      `${plainLine(manifest.name)}: levels ${levelsText(levels)}, now variant ${index} of ${manifest.variants.length}`,
      `${measureWord(manifest)} ${formatPercent(variant.accuracy)}, at least ${formatPercent(variant.lowerBound)} with 95 % confidence; same answer as unpruned ${formatPercent(variant.agreement)}`,
      `${formatPercent(variant.macs / whole)} of the multiply-accumulates, ${formatBytes(variant.weightBytes)} of weights`,
      ...describeUncounted(manifest.uncounted),
      ...(variant.seconds === undefined
        ? []
        : [`${formatSeconds(variant.seconds)} a sample, by the bundle's tables`]),
    ].join('\n'),
  );
}
