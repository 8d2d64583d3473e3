// `bedside compare`: the same network cut to the same sizes by several criteria, measured.
import type { Command } from 'commander';
import {
  assertLocal,
  type CalibrationSources,
  calibrationSources,
  DEFAULT_PER_CLASS,
  type DrawnSets,
  describePrior,
  loadDraws,
  loadNetwork,
  type Network,
  priorWeighting,
  type RankingOptions,
  rankingOf,
  type TwoSetsOptions,
  unrepairedNote,
} from '../../app/index.ts';
import { type CalibrationDraw, type CriterionChoice, compareCriteria } from '../../prune/index.ts';
import { describeUncounted, renderReport } from '../../report/index.ts';
import { assertWritable, BedsideError, formatSeconds, plainLine, writeFileAtomic } from '../../util/index.ts';
import { examples } from '../command-line.ts';
import {
  commandAsTyped,
  comparisonTables,
  jsonBase,
  jsonRows,
  mixTables,
  picksOf,
  reportData,
} from '../compare-run.ts';
import { reportHeatmaps } from '../heatmaps/index.ts';
import { addClassPrior } from '../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions, type ComputeOptions } from '../options/common.ts';
import { addData } from '../options/data.ts';
import { count, ratio, ratios } from '../options/numbers.ts';
import { addRanking, criteriaHelp, criteriaOption } from '../options/ranking.ts';
import { Output } from '../terminal/output.ts';
import { jsonScoreRemarks, sayScoreRemarks } from '../terminal/score-remarks.ts';

const DEFAULT_CRITERIA = 'lrp-gamma,lrp-zplus,lrp-epsilon,taylor,gradient,l1,activation,apoz,random';
const DEFAULT_RATIOS = '.1,.2,.3,.4,.5';

interface CompareCommandOptions extends CommonOptions, ComputeOptions, TwoSetsOptions, RankingOptions {
  readonly data: string;
  readonly criteria: readonly CriterionChoice[];
  readonly ratios: readonly number[];
  readonly seeds: number;
  readonly local?: boolean;
  readonly reconstruct?: boolean;
  readonly report?: string;
  readonly recallRatio?: number;
}

/** Adds the command to the program. */
export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .summary('which criterion keeps the most accuracy at each size')
    .description(
      'Scores the channels by each criterion on samples of the local split, removes the lowest at each ratio without ' +
        'retraining, and measures each cut network on the test split. Counts are not aligned to the engine, so that ' +
        'criteria are compared at equal counts. Without ' +
        'labels, accuracy is agreement with the unpruned network. --local compares where the samples for scoring come ' +
        'from, with as many samples of each kind, all measured on the local test samples: local is what --class-mix, ' +
        '--classes or --records (in their own mix) say; uniform is every class alike, from everybody; wrong is the same ' +
        'classes from the other records, in their mix, or the classes that are not local, or, where all are, the shares ' +
        'in reverse.',
    )
    .argument('<model>', 'an ONNX file')
    .addOption(criteriaOption(DEFAULT_CRITERIA))
    .option(
      '--ratios <list>',
      'fractions of channels removed, each in [0, 1)',
      ratios,
      ratios(DEFAULT_RATIOS),
    )
    .option(
      '--seeds <n>',
      'draw the samples for scoring so many times, from --seed on: mean and spread',
      count(1000),
      1,
    )
    .option('--reconstruct', 'repair every cut network from the same samples before it is measured')
    .option('--local', 'also score on other samples than the local ones, and compare')
    .option('--test-limit <n>', 'measure on at most this many samples; default all', count())
    .option('--report <file>', 'write a self-contained HTML page: charts, tables, heatmaps, command, hashes')
    .option(
      '--recall-ratio <r>',
      'the ratio whose recalls by class the report shows; default the middle one',
      ratio,
    );
  // Shown as typed, not as objects.
  for (const option of command.options) {
    if (option.attributeName() === 'ratios') option.defaultValueDescription = DEFAULT_RATIOS;
  }
  addClassPrior(addRanking(command), 'samples for scoring weigh so, and accuracy is for this mix');
  addData(command, {
    split: 'what channels are scored on; default local',
    perClass: `score on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
  });
  addCommon(addRun(command))
    .addHelpText('after', criteriaHelp(true))
    .addHelpText(
      'after',
      examples(
        ['bedside compare model.onnx --data scans/ --report report.html', 'everything by default'],
        ['bedside compare model.onnx --data mitdb/ --criteria lrp-gamma,l1 --ratios .25,.5', 'two of each'],
        ['bedside compare model.onnx --data scans/ --test-limit 500', 'a quick look'],
        [
          'bedside compare model.onnx --data mitdb/ --records 208 --local --seeds 3',
          'one patient against others',
        ],
      ),
    )
    .action((path: string, options: CompareCommandOptions) => compare(path, options));
}

async function compare(path: string, options: CompareCommandOptions): Promise<void> {
  const output = new Output(options);
  if (options.local) assertLocal(options);
  assertRecallRatio(options);
  if (options.report !== undefined) await assertWritable(options.report);
  const start = performance.now();
  const loaded = await loadNetwork(path, options);
  const { sets, draws, mixes } = await loadSets(loaded, options, output);
  output.note(
    `scoring on ${sets.calibration.size} samples, measuring on ${sets.test.size}: ` +
      `${options.criteria.length} criteria, ${options.ratios.length} ratios, ${draws.length} draws`,
  );
  const unrepaired = unrepairedNote(options.criteria, options.reconstruct ?? false);
  if (unrepaired !== undefined) output.note(unrepaired);
  const comparison = await output.during('comparing', (progress) =>
    compareCriteria(loaded.canonical, {
      ...rankingOf(options),
      ...sets,
      draws,
      classPrior: sets.shares,
      name: path,
      unmerged: loaded.unmerged,
      criteria: options.criteria,
      ratios: options.ratios,
      reconstruct: options.reconstruct ?? false,
      batch: options.batch,
      threads: options.threads,
      seed: options.seed,
      onProgress: (step, done, total) => progress.update(done, total, step),
    }),
  );
  if (options.report !== undefined) {
    const { recallRatio } = options;
    const words = {
      title: `Pruning criteria on ${path}`,
      command: commandAsTyped(),
      heatmaps: await reportHeatmaps(loaded, sets.calibration, options.criteria, options),
      ...(recallRatio === undefined ? {} : { recallRatio }),
    };
    await writeFileAtomic(options.report, renderReport(await reportData(loaded, sets, comparison, words)));
  }
  const scoreRemarks = Object.values(comparison.remarks).flat();
  output.result({
    base: jsonBase(comparison),
    rows: jsonRows(comparison),
    seconds: comparison.seconds,
    ...jsonScoreRemarks(output, scoreRemarks),
    calibration: sets.calibration.size,
    ...(sets.shares ? { classMix: Array.from(sets.shares) } : {}),
    ...(mixes ? { mixes: mixes.words } : {}),
    ...(options.report === undefined ? {} : { report: options.report }),
  });
  const { classNames } = sets.test;
  output.say(
    [
      ...(sets.shares ? [`For the mix ${describePrior(sets.shares, classNames)}`, ''] : []),
      mixes ? mixTables(comparison, sets.test) : comparisonTables(comparison, sets.test),
      '',
      ...(mixes ? sayMixes(mixes) : []),
      ...[picksOf(comparison) ?? []].flat(),
      ...describeUncounted(comparison.base.uncounted),
      ...sayScoreRemarks(scoreRemarks),
      `${sets.calibration.size} samples for scoring, ${sets.test.size} for measuring, ` +
        `${formatSeconds((performance.now() - start) / 1000)}`,
    ].join('\n'),
  );
  if (options.report !== undefined) output.say(`report: ${plainLine(options.report)}`);
}

interface Sets {
  readonly sets: DrawnSets;
  readonly draws: readonly CalibrationDraw[];
  readonly mixes: CalibrationSources | undefined;
}

async function loadSets(loaded: Network, options: CompareCommandOptions, output: Output): Promise<Sets> {
  const seeds = Array.from({ length: options.seeds }, (_, i) => (options.seed + i) >>> 0);
  const sets = await loadDraws(loaded.classifier, options, seeds, output);
  if (options.local) {
    const mixes = await calibrationSources(loaded.classifier, options, sets, seeds, output);
    return { sets: { ...sets, test: mixes.test }, draws: mixes.draws, mixes };
  }
  const draws = sets.draws.map((calibration, i) => ({
    calibration,
    ...priorWeighting(calibration, sets.shares, options.target),
    seed: seeds[i],
  }));
  return { sets, draws, mixes: undefined };
}

function sayMixes({ words }: CalibrationSources): string[] {
  return [`local: ${words.local}`, `uniform: ${words.uniform}`, `wrong: ${words.wrong}`, ''];
}

/** Recalls can only be shown of a ratio that is measured, in a report that is written. */
function assertRecallRatio({ recallRatio, ratios: measured, report }: CompareCommandOptions): void {
  if (recallRatio === undefined || (report !== undefined && measured.includes(recallRatio))) return;
  const what = report === undefined ? 'needs --report' : 'is not one of --ratios';
  throw new BedsideError('E_USAGE', `--recall-ratio ${recallRatio} ${what}`, {
    hint: `measured ratios: ${measured.join(', ')}; --report FILE writes the page`,
  });
}
