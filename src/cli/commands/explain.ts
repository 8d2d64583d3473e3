// `bedside explain`: one score for every channel, by a criterion, on local samples.
import { extname } from 'node:path';
import type { Command } from 'commander';
import {
  type ClassPriorOptions,
  type DataOptions,
  DEFAULT_PER_CLASS,
  hasNoSplits,
  loadNetwork,
  loadSamples,
  type Network,
  noteLeftOver,
  priorShares,
  priorWeighting,
  samplesInPrior,
  type TargetOption,
} from '../../app/index.ts';
import { findGroups } from '../../channels/index.ts';
import { type Dataset, type NpyArray, npyArray, writeNpz } from '../../data/index.ts';
import { evaluate } from '../../evaluate/index.ts';
import {
  type Aggregation,
  CRITERIA,
  type Criterion,
  isAttribution,
  type LayerScores,
  type Target,
} from '../../explain/index.ts';
import { remarksOn, scoreBy, scoreLayers, withStandIns } from '../../prune/index.ts';
import { assertWritable, BedsideError, formatSeconds, plainLine, writeFileAtomic } from '../../util/index.ts';
import {
  channelScores,
  explainSamples,
  type PassTimes,
  type SampleScores,
  timePass,
} from '../attribution.ts';
import { examples } from '../command-line.ts';
import { addHeatmapOptions, type HeatmapOptions, planHeatmaps } from '../heatmaps/index.ts';
import { addClassPrior } from '../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions, type ComputeOptions } from '../options/common.ts';
import { addData } from '../options/data.ts';
import { aggregateOption, criteriaHelp, criterionOption, targetOption } from '../options/ranking.ts';
import { Output } from '../terminal/output.ts';
import { jsonScoreRemarks, sayScoreRemarks } from '../terminal/score-remarks.ts';
import { indent, table } from '../terminal/tables.ts';

interface ExplainOptions
  extends CommonOptions,
    ComputeOptions,
    DataOptions,
    HeatmapOptions,
    ClassPriorOptions {
  readonly criterion: Criterion;
  readonly target?: TargetOption;
  readonly aggregate?: Aggregation;
  readonly perSample?: boolean;
  readonly out?: string;
}

/** Adds the command to the program. */
export function addExplain(program: Command): void {
  const command = program
    .command('explain')
    .summary('how much every channel matters for the samples')
    .description(
      'Scores every output channel of every weighted layer by a criterion. A score is the mean over samples of the ' +
        "absolute value that the criterion gives a sample's channel, summed over space; --per-sample gives those " +
        'values themselves, signed. Times are medians of passes and forward runs in turn on one batch, after a warm-up.',
    )
    .argument('<model>', 'an ONNX file')
    .addOption(criterionOption())
    .addOption(targetOption())
    .addOption(aggregateOption())
    .option('--per-sample', 'one signed value for each sample and channel, [samples, channels] a layer')
    .option(
      '--out <file>',
      'write the scores to an .npz (arrays layer00, layer01, ... in execution order; with --per-sample also ' +
        '_targets, the explained classes) or to a .json file',
      outFile,
    );
  addClassPrior(addHeatmapOptions(command), 'samples weigh so');
  addData(command, {
    split: 'default local',
    perClass:
      `at most this many samples of each class; default ${DEFAULT_PER_CLASS}, ` +
      'all for an .npz of x and y or with --limit',
  });
  addCommon(addRun(command))
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
    .action((path: string, options: ExplainOptions) => explain(path, options));
}

async function explain(path: string, options: ExplainOptions): Promise<void> {
  const output = new Output(options);
  checkPerSample(options);
  if (options.out !== undefined) await assertWritable(options.out);
  const loaded = await loadNetwork(path, options);
  const planned = await planHeatmaps(loaded, options);
  const perClass = (await hasNoSplits(options.data)) ? undefined : DEFAULT_PER_CLASS;
  const defaults = { split: 'local', seed: options.seed, perClass } as const;
  const read = await loadSamples(loaded.classifier, options, defaults, output);
  const shares = options.classPrior && priorShares(options.classPrior, read.classNames);
  const dataset = shares && read.labels ? samplesInPrior(read, shares) : read;
  const target = targetOf(options, dataset);
  noteLeftOver(loaded.classifier, [dataset], output);
  const mix = priorWeighting(dataset, shares, options.target);
  const found = await output.during(`${options.criterion.name}`, (progress) =>
    score(
      loaded,
      dataset,
      { target: mix.target ?? (dataset.labels ? 'label' : 'predicted'), weights: mix.weights },
      options,
      (done, total) => progress.update(done, total),
    ),
  );

  const { layers, perSample, times, samples } = found;
  const remarks = remarksOn(options.criterion.name, layers, findGroups(loaded.canonical));
  const heatmaps = await planned?.write(
    dataset,
    { target: target === 'mix' ? 'predicted' : target, layers, samples },
    output,
  );
  const result = {
    criterion: options.criterion.name,
    target,
    samples,
    msPerSample: times.pass,
    forwardMsPerSample: times.forward,
    ...(heatmaps ? { heatmaps } : {}),
    ...jsonScoreRemarks(output, remarks),
    layers: layers.map(({ layer, scores }) => ({ name: layer, scores: Array.from(scores) })),
  };
  const full = perSample ? { ...result, layers: perSampleRows(perSample) } : result;
  if (options.out !== undefined) {
    const isNpz = extname(options.out).toLowerCase() === '.npz';
    await writeFileAtomic(
      options.out,
      isNpz ? writeNpz(arrays(layers, perSample)) : `${JSON.stringify(full)}\n`,
    );
  }
  output.result(options.out === undefined ? full : { ...result, out: options.out });
  output.say(describe(path, options, target, found));
  if (remarks.length > 0) output.say(sayScoreRemarks(remarks).join('\n'));
  if (heatmaps) output.say(`heatmaps of ${heatmaps.samples} samples: ${plainLine(heatmaps.index)}`);
}

interface Found {
  readonly layers: readonly LayerScores[];
  readonly perSample: SampleScores | undefined;
  readonly samples: number;
  readonly times: PassTimes;
}

async function score(
  loaded: Network,
  dataset: Dataset,
  { target, weights }: { readonly target: Target; readonly weights: Float64Array | undefined },
  { criterion, batch, threads, seed, perSample, aggregate: aggregation }: ExplainOptions,
  onProgress: (done: number, total: number) => void,
): Promise<Found> {
  const settings = { target, batch, threads, seed, onProgress };
  if (isAttribution(criterion)) {
    const each = await explainSamples(loaded, criterion, dataset, settings);
    const own = channelScores(each, aggregation ?? criterion.aggregation, weights);
    // Shown layer by layer: each that no relevance reaches has another's scores, and the remark says so.
    const layers = await withStandIns(loaded.canonical, criterion, own, 'layers', (other) =>
      scoreBy(loaded.canonical, other, dataset, { ...settings, name: loaded.name, aggregation, weights }),
    );
    const times = await timePass(loaded, criterion, dataset, settings);
    return {
      layers,
      perSample: perSample ? each : undefined,
      samples: each.samples,
      times,
    };
  }
  const start = performance.now();
  const layers = await scoreLayers(loaded.canonical, criterion, dataset, {
    ...settings,
    name: loaded.name,
    unmerged: loaded.unmerged,
    aggregation,
    weights,
  });
  const pass = (performance.now() - start) / dataset.size;
  const reference = new Int32Array(dataset.size);
  const forward = await evaluate(loaded.original, dataset, { name: loaded.name, batch, threads, reference });
  return {
    layers,
    perSample: undefined,
    samples: dataset.size,
    times: { pass, forward: forward.msPerSample },
  };
}

function checkPerSample({ perSample, criterion, out, json }: ExplainOptions): void {
  if (!perSample) return;
  if (!isAttribution(criterion)) {
    const able = CRITERIA.filter(isAttribution).map(({ name }) => name);
    throw new BedsideError('E_USAGE', `criterion '${criterion.name}' does not explain single samples`, {
      hint: `--per-sample goes with ${able.join(', ')}`,
    });
  }
  if (out === undefined && !json) {
    throw new BedsideError('E_USAGE', '--per-sample has nowhere to put its values', {
      hint: 'add --out scores.npz, or --json',
    });
  }
}

function targetOf(options: ExplainOptions, dataset: Dataset): TargetOption {
  if (options.target === 'label' && !dataset.labels) {
    throw new BedsideError('E_DATA', `${dataset.name} has no labels to explain`, {
      hint: 'use --target predicted',
    });
  }
  return options.target ?? (dataset.labels ? 'label' : 'predicted');
}

function outFile(path: string): string {
  const extension = extname(path).toLowerCase();
  if (extension === '.npz' || extension === '.json') return path;
  throw new BedsideError('E_USAGE', `--out ${path}: expected a name that ends in .npz or .json`, {
    hint: '.npz is for NumPy, .json for everything else',
  });
}

function arrays(
  layers: readonly LayerScores[],
  perSample: SampleScores | undefined,
): Record<string, NpyArray> {
  const key = (index: number): string => `layer${String(index).padStart(2, '0')}`;
  if (!perSample) {
    return Object.fromEntries(layers.map(({ scores }, i) => [key(i), npyArray([scores.length], scores)]));
  }
  const { samples, targets } = perSample;
  return {
    ...Object.fromEntries(
      perSample.layers.map(({ channels, values }, i) => [key(i), npyArray([samples, channels], values)]),
    ),
    _targets: npyArray([samples], targets),
  };
}

function perSampleRows({ layers, samples }: SampleScores) {
  return layers.map(({ name, channels, values }) => ({
    name,
    scores: Array.from({ length: samples }, (_, i) =>
      Array.from(values.subarray(i * channels, (i + 1) * channels)),
    ),
  }));
}

const TARGET_WORDS = { label: 'label', predicted: 'predicted class', mix: 'mix of classes' } as const;

function describe(path: string, options: ExplainOptions, target: TargetOption, found: Found): string {
  const { layers, times, samples } = found;
  const { criterion } = options;
  const rows = layers.map(({ layer, scores }, i) => {
    const order = Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number));
    const total = scores.reduce((sum, value) => sum + value, 0);
    const half = order
      .slice(0, Math.ceil(order.length / 2))
      .reduce((sum, k) => sum + (scores[k] as number), 0);
    const show = (list: readonly number[]): string => list.join(' ');
    return [
      String(i),
      layer,
      String(scores.length),
      total > 0 ? `${((100 * half) / total).toFixed(0)} %` : '-',
      show(order.slice(0, 5)),
      show(order.slice(-5)),
    ];
  });
  const lines = [
    plainLine(`${path}: ${criterion.name}, ${criterion.summary}`),
    `  ${samples} samples, ${criterion.needsSamples ? `explained for the ${TARGET_WORDS[target]}` : 'not read by this criterion'}`,
    `  ${formatSeconds(times.pass / 1000)} a sample; a forward run takes ${formatSeconds(times.forward / 1000)}` +
      (isAttribution(criterion) ? ` (${(times.pass / times.forward).toFixed(1)} times)` : ''),
    '',
    indent(
      table(['>#', 'layer', '>channels', '>best half holds', 'highest channels', 'lowest channels'], rows),
    ),
  ];
  if (options.out !== undefined) lines.push('', `written: ${plainLine(options.out)}`);
  return lines.join('\n');
}
