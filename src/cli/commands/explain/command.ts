// `bedside explain`: one score for every channel, by a criterion, on local samples.
import type { Command } from 'commander';
import { type ExplainOptions, explain } from '../../../app/explain/explain.ts';
import { scoresFormat } from '../../../app/explain/scores-file.ts';
import { DEFAULT_PER_CLASS } from '../../../app/options.ts';
import { type Criterion, isAttribution } from '../../../explain/index.ts';
import { BedsideError } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addOutput } from '../../options/network.ts';
import { count } from '../../options/numbers.ts';
import { aggregateOption, criteriaHelp, criterionOption, targetOption } from '../../options/ranking.ts';
import { Output } from '../../terminal/output.ts';
import { jsonScoreRemarks } from '../../terminal/score-remarks.ts';
import { explanationFields } from './json.ts';
import { describeExplanation } from './text.ts';

interface ExplainCommandOptions extends CommonOptions, ExplainOptions {
  readonly criterion: Criterion;
  readonly seed: number;
}

/** Adds the command to the program. */
export function addExplain(program: Command): void {
  const command = program
    .command('explain')
    .summary('how much every channel matters for the samples')
    .description(
      'Scores every output channel of every weighted layer by a criterion, and draws heatmaps of samples (--heatmaps). ' +
        'For each sample and channel the criterion gives one signed value, summed over space; --per-sample writes these ' +
        'values. The score of a channel is their mean absolute value over samples (--aggregate). Times are medians of ' +
        'attribution passes and forward runs in turn on one batch, after a warm-up.',
    )
    .argument('<model>', 'an ONNX file')
    .addOption(criterionOption())
    .addOption(targetOption())
    .addOption(aggregateOption())
    .option(
      '--per-sample',
      'write one signed value for each sample and channel: an array [samples, channels] per layer',
    )
    .option(
      '--out <file>',
      'write the scores to an .npz file (arrays layer00, layer01, ... in execution order; with --per-sample also ' +
        '_targets, the explained classes) or to a .json file',
      scoresFile,
    )
    .option(
      '--heatmaps <folder>',
      'draw some samples of each class, coloured by relevance, and the channel scores: index.html and SVG files',
    )
    .option('--heatmap-samples <n>', 'samples of each class to draw', count(10_000), 3);
  addClassPrior(command, 'weighs the samples');
  addData(command, {
    split: 'default local',
    perClass:
      `at most this many samples of each class; default ${DEFAULT_PER_CLASS}, ` +
      'or all with --limit and for an .npz of x and y',
  });
  addCommon(addRun(addOutput(command)))
    .addHelpText('after', criteriaHelp(false))
    .addHelpText(
      'after',
      examples(
        ['bedside explain model.onnx --data scans/', 'relevance of every channel'],
        ['bedside explain model.onnx --data mitdb/ --records 100 --criterion taylor', 'for one patient'],
        ['bedside explain model.onnx --data x.npz --per-sample --out scores.npz', 'for NumPy'],
        ['bedside explain model.onnx --data scans/ --heatmaps pictures', 'what the network looks at'],
      ),
    )
    .action((path: string, options: ExplainCommandOptions) => run(path, options));
}

async function run(path: string, options: ExplainCommandOptions): Promise<void> {
  assertPlaceForSamples(options);
  const output = new Output(options);
  const explanation = await explain(path, options, output);
  const remarks = jsonScoreRemarks(output, explanation.scoreRemarks ?? []);
  output.result({ ...explanationFields(explanation), ...remarks });
  output.print(describeExplanation(path, options.criterion, explanation));
}

/** Values per sample are printed nowhere but in a file or as JSON. */
function assertPlaceForSamples({ perSample, criterion, out, json }: ExplainCommandOptions): void {
  if (!perSample || !isAttribution(criterion) || out !== undefined || json) return;
  throw new BedsideError('E_USAGE', '--per-sample has nowhere to put its values', {
    hint: 'add --out scores.npz, or --json',
  });
}

function scoresFile(path: string): string {
  scoresFormat(path);
  return path;
}
