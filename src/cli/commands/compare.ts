// `bedside compare`: the same network cut to the same sizes by several criteria, measured.
import type { Command } from 'commander';
import { CRITERIA, type Criterion } from '../../explain/index.ts';
import { compareCriteria } from '../../prune/index.ts';
import { assertWritable, formatSeconds, writeFileAtomic } from '../../util/index.ts';
import { examples } from '../command-line.ts';
import { commandAsTyped, comparisonTables, jsonBase, jsonRows, reportData } from '../compare-run.ts';
import { loadClassifier, loadTwoSets, type TwoSetsOptions } from '../load.ts';
import {
  addCommon,
  addData,
  addRun,
  type CommonOptions,
  count,
  criteria,
  DEFAULT_PER_CLASS,
  type RunOptions,
  ratios,
  targetOption,
} from '../options.ts';
import { Output } from '../output.ts';
import { renderReport } from '../report/index.ts';

const DEFAULT_CRITERIA = 'lrp-gamma,lrp-zplus,lrp-epsilon,taylor,gradient,l1,activation,apoz,random';
const DEFAULT_RATIOS = '.1,.2,.3,.4,.5';

interface CompareCommandOptions extends CommonOptions, RunOptions, TwoSetsOptions {
  readonly criteria: readonly Criterion[];
  readonly ratios: readonly number[];
  readonly target?: 'label' | 'predicted';
  readonly global?: boolean;
  readonly report?: string;
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
        'labels, accuracy is agreement with the unpruned network.',
    )
    .argument('<model>', 'an ONNX file')
    .option(
      '--criteria <list>',
      `names with commas, of ${CRITERIA.map(({ name }) => name).join(', ')}`,
      criteria,
      criteria(DEFAULT_CRITERIA),
    )
    .option(
      '--ratios <list>',
      'fractions of channels removed, each in [0, 1)',
      ratios,
      ratios(DEFAULT_RATIOS),
    )
    .option(
      '--global',
      'rank the channels of all groups together instead of taking the ratio from each group',
    )
    .addOption(targetOption())
    .option('--test-limit <n>', 'measure on at most this many samples; default all', count())
    .option('--report <file>', 'write a self-contained HTML page: chart, table, command, hashes');
  // Shown as typed, not as objects.
  for (const option of command.options) {
    if (option.attributeName() === 'criteria') option.defaultValueDescription = DEFAULT_CRITERIA;
    if (option.attributeName() === 'ratios') option.defaultValueDescription = DEFAULT_RATIOS;
  }
  addData(command, {
    split: 'what channels are scored on; default local',
    perClass: `score on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
  });
  addCommon(addRun(command))
    .addHelpText(
      'after',
      examples(
        ['bedside compare model.onnx --data scans/ --report report.html', 'everything by default'],
        ['bedside compare model.onnx --data mitdb/ --criteria lrp-gamma,l1 --ratios .25,.5', 'two of each'],
        ['bedside compare model.onnx --data scans/ --test-limit 500', 'a quick look'],
      ),
    )
    .action((path: string, options: CompareCommandOptions) => compare(path, options));
}

async function compare(path: string, options: CompareCommandOptions): Promise<void> {
  const output = new Output(options);
  if (options.report !== undefined) await assertWritable(options.report);
  const start = performance.now();
  const loaded = await loadClassifier(path);
  const sets = await loadTwoSets(loaded.classifier, options, options.seed, output);
  output.note(
    `scoring on ${sets.calibration.size} samples, measuring on ${sets.test.size}: ` +
      `${options.criteria.length} criteria, ${options.ratios.length} ratios`,
  );
  const comparison = await output.during('comparing', (progress) =>
    compareCriteria(loaded.canonical, {
      ...sets,
      name: path,
      criteria: options.criteria,
      ratios: options.ratios,
      global: options.global,
      target: options.target,
      batch: options.batch,
      threads: options.threads,
      seed: options.seed,
      onProgress: (step, done, total) => progress.update(done, total, step),
    }),
  );
  if (options.report !== undefined) {
    const words = { title: `Pruning criteria on ${path}`, command: commandAsTyped() };
    await writeFileAtomic(options.report, renderReport(await reportData(loaded, sets, comparison, words)));
  }
  output.result({
    base: jsonBase(comparison),
    rows: jsonRows(comparison),
    seconds: comparison.seconds,
    calibration: sets.calibration.size,
    ...(options.report === undefined ? {} : { report: options.report }),
  });
  output.say(
    `${comparisonTables(comparison, sets.test)}\n\n` +
      `${sets.calibration.size} samples for scoring, ${sets.test.size} for measuring, ` +
      `${formatSeconds((performance.now() - start) / 1000)}`,
  );
  if (options.report !== undefined) output.say(`report: ${options.report}`);
}
